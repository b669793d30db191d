//! Three ways to the gradient of one sample's loss, all behind one trait.
//!
//! - [`Naive`] runs the whole forward pass twice for each parameter. It is the reference for the others.
//! - [`Incremental`] finds the same differences, bit for bit, and recomputes only what a parameter touches.
//! - [`Backprop`] applies the chain rule. The loss is quadratic in every single parameter, so the central
//!   difference has no truncation error and the two gradients agree but for rounding.
//!
//! The two fast ones have a plain form beside them, [`PlainIncremental`] and [`PlainBackprop`], which they must
//! equal to the last bit. `Naive` works on one thread, as the Python program does; the others take several
//! where a layer is large.

mod backprop;
mod incremental;
mod naive;

use std::sync::Arc;

pub use backprop::{Backprop, PlainBackprop};
pub use incremental::{Incremental, Operations, PlainIncremental, operations};
pub use naive::Naive;

use crate::network::{Network, Scratch, overall_loss};

/// A data set, row-major; it is shared by training and by finding the loss.
pub type Samples = Arc<Vec<f64>>;

/// What finds the overall loss of one network after another; they have the same layers.
pub type Loss = Box<dyn FnMut(&Network) -> f64 + Send>;

/// One way to the gradient, with the memory that it works in.
pub trait Gradient: Send {
    /// One training step: find the slope of one sample's loss for every parameter at the network's present
    /// parameters, then take `learning_rate` times its slope off each. `x` has n0 values, `target` nL.
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]);

    /// A training step for each sample in turn; both data sets are row-major.
    fn epoch(&mut self, network: &mut Network, inputs: &[f64], targets: &[f64]) {
        let (features, outputs) = network.ends();
        for (x, target) in inputs.chunks_exact(features).zip(targets.chunks_exact(outputs)) {
            self.training_step(network, x, target);
        }
    }

    /// Train for so many epochs, and yield the overall loss after each.
    ///
    /// Until the iterator is dropped the parameters may be elsewhere than in the network, or an epoch further.
    fn train<'d>(
        &'d mut self,
        network: &'d mut Network,
        inputs: &'d Samples,
        targets: &'d Samples,
        epochs: u64,
    ) -> Box<dyn Iterator<Item = f64> + 'd> {
        let mut loss = self.loss(inputs, targets);
        Box::new((0..epochs).map(move |_| {
            self.epoch(network, inputs, targets);
            loss(network)
        }))
    }

    /// What finds the overall loss on these samples.
    fn loss(&self, inputs: &Samples, targets: &Samples) -> Loss {
        let (inputs, targets, mut scratch) = (inputs.clone(), targets.clone(), Scratch::default());
        Box::new(move |network| overall_loss(network, &inputs, &targets, &mut scratch))
    }
}
