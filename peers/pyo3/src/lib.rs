//! The network of the Rust program as a class in Python.

use std::sync::{Arc, Mutex};

use flatnet::gradients::{Backprop, Gradient, Incremental, Loss, Naive, Samples};
use flatnet::network::Network;
use flatnet::rng::Random;
use flatnet::training::{random_inputs, teacher_targets};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;

/// A network in training. Python sees a class that may go from thread to thread: hence the mutex, which is never
/// locked, since the caller has the class for itself.
#[pyclass]
struct Training(Mutex<State>);

struct State {
    network: Network,
    inputs: Samples,
    targets: Samples,
    gradient: Box<dyn Gradient>,
    loss: Loss,
}

impl Training {
    fn state(&mut self) -> &mut State {
        self.0.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[pymethods]
impl Training {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    fn new(
        layers: Vec<usize>,
        method: &str,
        samples: usize,
        step: f64,
        learning_rate: f64,
        low: f64,
        high: f64,
        seed: u64,
    ) -> PyResult<Self> {
        let gradient: Box<dyn Gradient> = match method {
            "naive" => Box::new(Naive::new(step, learning_rate)),
            "incremental" => Box::new(Incremental::new(step, learning_rate, 1)),
            "backprop" => Box::new(Backprop::new(learning_rate, 1)),
            other => return Err(PyValueError::new_err(format!("no method is called {other}"))),
        };
        if layers.len() < 2 || layers.contains(&0) || samples == 0 {
            return Err(PyValueError::new_err("takes two or more layers and one or more samples"));
        }
        let memory = |_| PyMemoryError::new_err("use smaller layers or fewer samples");
        let mut rng = Random::new(seed);
        let inputs = Arc::new(random_inputs(samples, layers[0], low, high, &mut rng).map_err(memory)?);
        let targets = Arc::new(teacher_targets(&layers, &inputs, &mut rng).map_err(memory)?);
        let network = Network::new(&layers, &mut rng).map_err(memory)?;
        let loss = gradient.loss(&inputs, &targets);
        Ok(Self(Mutex::new(State { network, inputs, targets, gradient, loss })))
    }

    /// The overall loss.
    fn loss(&mut self) -> f64 {
        let state = self.state();
        (state.loss)(&state.network)
    }

    /// A training step for one sample.
    fn step(&mut self, sample: usize) -> PyResult<()> {
        let State { network, inputs, targets, gradient, .. } = self.state();
        let (features, outputs) = network.ends();
        let x = inputs.chunks_exact(features).nth(sample);
        let target = targets.chunks_exact(outputs).nth(sample);
        let (x, target) = x.zip(target).ok_or_else(|| PyValueError::new_err("there is no such sample"))?;
        gradient.training_step(network, x, target);
        Ok(())
    }

    /// So many epochs; their overall losses. Other threads of Python run meanwhile.
    fn epochs(&mut self, py: Python<'_>, count: u64) -> Vec<f64> {
        let State { network, inputs, targets, gradient, .. } = self.state();
        py.detach(|| gradient.train(network, inputs, targets, count).collect())
    }
}

/// The module.
#[pymodule]
fn flatnet_pyo3(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Training>()
}
