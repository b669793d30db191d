//! The exact gradient by the chain rule, from the last layer back.
//!
//! [`PlainBackprop`] is the method as the contract has it. [`Backprop`] departs from it in these steps, each of
//! which keeps every sum in its order:
//!
//! 1. A layer's weights are passed over twice in a step: by the forward pass, several rows side by side in wide
//!    registers (`side_by_side`), and by the update, which row by row also adds to the deltas of the layer before,
//!    from the weights as they were. No slope is kept.
//! 2. The first layer is passed over once: its inputs are known beforehand, so the pass that updates a weight also
//!    runs the next sample on it. For that its weights have an order of their own during an epoch (`first_layer`).
//! 3. Threads share that pass if the layer is large: each has rows of its own, so no sum is split.
//! 4. The overall loss has the samples side by side (`batch`).

mod first_layer;
mod plain;

use pulp::{Arch, Simd, WithSimd};

use super::Gradient;
use crate::batch::Batch;
use crate::network::Network;
use crate::side_by_side::layer_forward;
use crate::threads::Threads;
use crate::wide::LANES;
use first_layer::{FirstLayer, Pass};

pub use plain::PlainBackprop;

/// The gradient itself; there is no step.
pub struct Backprop {
    learning_rate: f64,
    arch: Arch,
    threads: Threads,
    first: FirstLayer,
    /// The outputs of each layer.
    values: Vec<Vec<f64>>,
    /// The slopes of the loss for the outputs of a layer, and for those of the layer before.
    deltas: Vec<f64>,
    previous: Vec<f64>,
}

impl Backprop {
    /// On the widest registers of this machine and up to `threads` threads.
    pub fn new(learning_rate: f64, threads: u64) -> Self {
        Self::on(Arch::new(), Threads::up_to(threads), learning_rate)
    }

    /// On a chosen instruction set and threads.
    pub fn on(arch: Arch, threads: Threads, learning_rate: f64) -> Self {
        let (values, deltas, previous) = Default::default();
        Self { learning_rate, arch, threads, first: FirstLayer::new(), values, deltas, previous }
    }

    /// How many values its memory holds for a network of these layers and epochs of so many samples.
    pub fn values(layers: &[usize], samples: usize) -> usize {
        if is_worthwhile(layers[1], samples, LANES) { FirstLayer::values(layers) } else { 0 }
    }

    /// Run the layers after the first on its outputs, find the deltas, and update all parameters but the first
    /// layer's weights, whose deltas are left in `deltas`.
    #[inline(always)]
    fn step_after_first<S: Simd>(&mut self, simd: S, network: &mut Network, target: &[f64]) {
        let Self { learning_rate, values, deltas, previous, .. } = self;
        let depth = network.shapes.len();
        for k in 1..depth {
            let (inputs, outputs) = values.split_at_mut(k);
            layer_forward(simd, network, k, &inputs[k - 1], &mut outputs[0]);
        }
        deltas.clear();
        for (o, t) in values[depth - 1].iter().zip(target) {
            // A division by 1 changes nothing and takes longer than the rest.
            let slope = 2.0 * (o - t);
            deltas.push(if target.len() == 1 { slope } else { slope / target.len() as f64 });
        }
        let (weights, biases) = network.parameters.split_at_mut(network.offsets[depth]);
        for k in (0..depth).rev() {
            let mut bias_slope = 0.0;
            for delta in deltas.iter() {
                bias_slope += delta;
            }
            biases[k] -= *learning_rate * bias_slope;
            if k > 0 {
                previous.clear();
                previous.resize(values[k - 1].len(), 0.0);
                let weights = &mut weights[network.offsets[k]..network.offsets[k + 1]];
                update_layer(weights, &values[k - 1], deltas, *learning_rate, previous);
                std::mem::swap(deltas, previous);
            }
        }
    }
}

impl Gradient for Backprop {
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        self.epoch(network, x, target);
    }

    fn epoch(&mut self, network: &mut Network, inputs: &[f64], targets: &[f64]) {
        self.values.resize_with(network.shapes.len(), Vec::new);
        self.arch.dispatch(Epoch { method: self, network, inputs, targets });
    }

    fn loss<'d>(&self, inputs: &'d [f64], targets: &'d [f64]) -> Box<dyn FnMut(&Network) -> f64 + 'd> {
        Batch::new(self.arch, inputs, targets).into_loss()
    }
}

/// A training step for each sample.
struct Epoch<'a> {
    method: &'a mut Backprop,
    network: &'a mut Network,
    inputs: &'a [f64],
    targets: &'a [f64],
}

impl WithSimd for Epoch<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { method, network, inputs, targets } = self;
        let (features, outputs) = network.ends();
        let (rows, _) = network.shapes[0];
        if !is_worthwhile(rows, targets.len() / outputs, S::F64_LANES) {
            for (x, target) in inputs.chunks_exact(features).zip(targets.chunks_exact(outputs)) {
                layer_forward(simd, network, 0, x, &mut method.values[0]);
                method.step_after_first(simd, network, target);
                update_first_layer(&mut network.parameters, x, &method.deltas, method.learning_rate);
            }
            return;
        }
        let first_weights = ..network.offsets[1];
        method.first.pack(simd, &network.parameters[first_weights], rows);
        let learning_rate = method.learning_rate;
        method.deltas.clear();
        let mut samples = inputs.chunks_exact(features);
        let mut update = None;
        for target in targets.chunks_exact(outputs) {
            let next = samples.next();
            let pass = Pass { update, next, learning_rate };
            let sums = method.first.pass(simd, method.arch, &mut method.threads, &method.deltas, pass);
            let bias = network.biases()[0];
            method.values[0].clear();
            method.values[0].extend(sums[..rows].iter().map(|sum| sum + bias));
            method.step_after_first(simd, network, target);
            update = next;
        }
        let pass = Pass { update, next: None, learning_rate };
        method.first.pass(simd, method.arch, &mut method.threads, &method.deltas, pass);
        method.first.unpack(simd, &mut network.parameters[first_weights], rows);
    }
}

/// Whether it pays to give the first layer's weights an order of their own for an epoch of so many samples.
///
/// To lay them out and back takes as long as a few steps, and with few rows most lanes would be empty.
fn is_worthwhile(rows: usize, samples: usize, lanes: usize) -> bool {
    samples >= 6 && rows >= lanes / 2
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
