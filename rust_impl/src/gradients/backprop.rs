//! The exact gradient by the chain rule, from the last layer back.
//!
//! The weights are passed over twice: by the forward pass, and, row by row, by the update, which also adds the
//! row's part to the deltas of the layer before, from the weights as they were. The input layer needs none.

use pulp::{Arch, Simd, WithSimd};

use super::Gradient;
use crate::network::{Forward, Network};
use crate::side_by_side::{SideBySide, layer_forward};

/// The gradient itself; there is no step.
pub struct Backprop {
    learning_rate: f64,
    arch: Arch,
    /// The outputs of each layer.
    values: Vec<Vec<f64>>,
    /// The slopes of the loss for the outputs of a layer, and for those of the layer before.
    deltas: Vec<f64>,
    previous: Vec<f64>,
    forward: SideBySide,
}

impl Backprop {
    /// On the widest registers of this machine.
    pub fn new(learning_rate: f64) -> Self {
        Self::on(Arch::new(), learning_rate)
    }

    /// On a chosen instruction set.
    pub fn on(arch: Arch, learning_rate: f64) -> Self {
        let (values, deltas, previous) = Default::default();
        Self { learning_rate, arch, values, deltas, previous, forward: SideBySide::new(arch) }
    }
}

impl Gradient for Backprop {
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        self.values.resize_with(network.shapes.len(), Vec::new);
        self.arch.dispatch(Step { method: self, network, x, target });
    }

    fn forward_pass(&mut self) -> &mut dyn Forward {
        &mut self.forward
    }
}

/// One training step.
struct Step<'a> {
    method: &'a mut Backprop,
    network: &'a mut Network,
    x: &'a [f64],
    target: &'a [f64],
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { method, network, x, target } = self;
        let Backprop { learning_rate, values, deltas, previous, .. } = method;
        let depth = network.shapes.len();
        let mut inputs = x;
        for (k, outputs) in values.iter_mut().enumerate() {
            layer_forward(simd, network, k, inputs, outputs);
            inputs = outputs;
        }
        deltas.clear();
        for (o, t) in inputs.iter().zip(target) {
            deltas.push(2.0 * (o - t) / target.len() as f64);
        }
        let (weights, biases) = network.parameters.split_at_mut(network.offsets[depth]);
        for k in (0..depth).rev() {
            let mut bias_slope = 0.0;
            for delta in deltas.iter() {
                bias_slope += delta;
            }
            biases[k] -= *learning_rate * bias_slope;
            let weights = &mut weights[network.offsets[k]..network.offsets[k + 1]];
            if k == 0 {
                update_first_layer(weights, x, deltas, *learning_rate);
            } else {
                previous.clear();
                previous.resize(values[k - 1].len(), 0.0);
                update_layer(weights, &values[k - 1], deltas, *learning_rate, previous);
                std::mem::swap(deltas, previous);
            }
        }
    }
}

/// Update the weights of a layer and find the deltas of the one before.
#[inline(always)]
fn update_layer(weights: &mut [f64], x: &[f64], deltas: &[f64], learning_rate: f64, previous: &mut [f64]) {
    for (delta, row) in deltas.iter().zip(weights.chunks_exact_mut(x.len())) {
        for ((w_ij, x_j), p_j) in row.iter_mut().zip(x).zip(previous.iter_mut()) {
            *p_j += delta * *w_ij;
            *w_ij -= learning_rate * (delta * x_j);
        }
    }
}

/// Update the weights of the layer that has none before it.
#[inline(always)]
fn update_first_layer(weights: &mut [f64], x: &[f64], deltas: &[f64], learning_rate: f64) {
    for (delta, row) in deltas.iter().zip(weights.chunks_exact_mut(x.len())) {
        for (w_ij, x_j) in row.iter_mut().zip(x) {
            *w_ij -= learning_rate * (delta * x_j);
        }
    }
}
