//! The exact gradient by the chain rule, from the last layer back.
//!
//! [`PlainBackprop`] is the method as the contract has it. [`Backprop`] departs from it in these steps, each of
//! which keeps every sum in its order:
//!
//! 1. A layer's weights are passed over twice in a step: by the forward pass, several rows side by side in wide
//!    registers (`side_by_side`), and by the update, which row by row also adds to the deltas of the layer before,
//!    from the weights as they were. No slope is kept.
//! 2. The first layer is passed over once: its inputs are known beforehand, so the pass that updates a weight also
//!    runs the next sample on it. For that its weights have an order of their own while the network is trained
//!    (`first_layer`).
//! 3. Threads share that pass if the layer is large: each has rows of its own, so no sum is split.
//! 4. Of a network of two layers with few rows and one output, all of a step is in registers (`two_layers`). A step
//!    waits for itself most of the time; meanwhile the loss after the epoch before is found, sample by sample.
//! 5. The overall loss has the samples side by side (`batch`).

mod plain;
mod two_layers;

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::{Gradient, Loss, Samples};
use crate::batch::Batch;
use crate::first_layer::{FirstLayer, Pass};
use crate::network::Network;
use crate::side_by_side::layer_forward;
use crate::threads::Threads;
use crate::wide::{Aligned, LANES, add_product, descend};

pub use plain::PlainBackprop;

/// The gradient itself; there is no step.
pub struct Backprop {
    learning_rate: f64,
    arch: Arch,
    threads: Threads,
    first: FirstLayer,
    /// Whether the first layer's weights stay there after an epoch.
    keeps_first: bool,
    /// Whether the next epoch's first sample has been run on them already.
    is_ahead: bool,
    /// Whether the last epoch's steps were those of [`two_layers`].
    is_narrow: bool,
    /// The first layer's weights before the epoch.
    before: Aligned,
    /// Of the network that these two are for: the outputs of each layer, and the slopes of the loss in them; both
    /// fill whole vectors.
    shapes: Vec<(usize, usize)>,
    values: Vec<Aligned>,
    deltas: Vec<Aligned>,
}

impl Backprop {
    /// On the widest registers of this machine and up to `threads` threads.
    pub fn new(learning_rate: f64, threads: u64) -> Self {
        Self::on(Arch::new(), Threads::up_to(threads), learning_rate)
    }

    /// On a chosen instruction set and threads.
    pub fn on(arch: Arch, threads: Threads, learning_rate: f64) -> Self {
        let first = FirstLayer::new();
        Self {
            learning_rate,
            arch,
            threads,
            first,
            keeps_first: false,
            is_ahead: false,
            is_narrow: false,
            before: Aligned::new(0.0, 0),
            shapes: vec![],
            values: vec![],
            deltas: vec![],
        }
    }

    /// How many values its memory holds at most for a network of these layers.
    pub fn values(layers: &[usize]) -> usize {
        let is_narrow = is_narrow(layers.len() - 1, layers[1], layers[layers.len() - 1], LANES);
        (1 + usize::from(is_narrow)) * FirstLayer::values(layers)
    }

    /// Train for an epoch, and find the overall loss before it if that costs little.
    fn run(&mut self, network: &mut Network, inputs: &[f64], targets: &[f64]) -> Option<f64> {
        if self.shapes != network.shapes {
            self.shapes.clone_from(&network.shapes);
            let layer = |&(rows, _): &(usize, usize)| Aligned::new(0.0, rows.next_multiple_of(LANES));
            self.values = network.shapes.iter().map(layer).collect();
            self.deltas = network.shapes.iter().map(layer).collect();
        }
        self.arch.dispatch(Epoch { method: self, network, inputs, targets })
    }

    /// Run the layers after the first on its outputs, find the deltas, and update all parameters but the first
    /// layer's weights.
    #[inline(always)]
    fn step_after_first<S: Simd>(&mut self, simd: S, network: &mut Network, target: &[f64]) {
        let Self { learning_rate, values, deltas, .. } = self;
        let depth = network.shapes.len();
        for k in 1..depth {
            let (rows, columns) = network.shapes[k];
            let (inputs, outputs) = values.split_at_mut(k);
            layer_forward(simd, network, k, &inputs[k - 1][..columns], &mut outputs[0][..rows]);
        }
        let outputs = values[depth - 1].iter().zip(target);
        for (delta, (o, t)) in deltas[depth - 1].iter_mut().zip(outputs) {
            // A division by 1 changes nothing and takes longer than the rest.
            let slope = 2.0 * (o - t);
            *delta = if target.len() == 1 { slope } else { slope / target.len() as f64 };
        }
        let (weights, biases) = network.parameters.split_at_mut(network.offsets[depth]);
        for k in (0..depth).rev() {
            let (rows, columns) = network.shapes[k];
            let (before, deltas) = deltas.split_at_mut(k);
            let deltas = &deltas[0][..rows];
            let mut bias_slope = 0.0;
            for delta in deltas {
                bias_slope += delta;
            }
            biases[k] -= *learning_rate * bias_slope;
            if let Some(previous) = before.last_mut() {
                let rows = weights[network.offsets[k]..network.offsets[k + 1]].chunks_exact_mut(columns);
                for (i, (delta, row)) in deltas.iter().zip(rows).enumerate() {
                    update_row(simd, row, &values[k - 1], *delta, *learning_rate, previous, i == 0);
                }
            }
        }
    }
}

impl Gradient for Backprop {
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        self.epoch(network, x, target);
    }

    fn epoch(&mut self, network: &mut Network, inputs: &[f64], targets: &[f64]) {
        self.run(network, inputs, targets);
    }

    fn train<'d>(
        &'d mut self,
        network: &'d mut Network,
        inputs: &'d Samples,
        targets: &'d Samples,
        epochs: u64,
    ) -> Box<dyn Iterator<Item = f64> + 'd> {
        let batch = Batch::new(self.arch, inputs, targets);
        self.keeps_first = true;
        Box::new(Training { method: self, network, inputs, targets, batch, epochs: 0..epochs })
    }

    fn loss(&self, inputs: &Samples, targets: &Samples) -> Loss {
        Batch::new(self.arch, inputs, targets).into_loss()
    }
}

/// A network whose first layer's weights may be in the method's memory; the end of it brings them back.
struct Training<'a> {
    method: &'a mut Backprop,
    network: &'a mut Network,
    inputs: &'a Samples,
    targets: &'a Samples,
    batch: Batch,
    epochs: Range<u64>,
}

impl Iterator for Training<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let Self { method, network, inputs, targets, batch, epochs } = self;
        // A narrow network is an epoch ahead, from its second one on.
        if epochs.next()? == 0 || !method.is_narrow {
            method.run(network, inputs, targets);
        }
        let has_next = method.is_narrow && !epochs.is_empty();
        let found = has_next.then(|| method.run(network, inputs, targets)).flatten();
        let first = Some(&method.first).filter(|first| first.is_packed());
        found.or_else(|| Some(batch.loss(network, first)))
    }
}

impl Drop for Training<'_> {
    fn drop(&mut self) {
        (self.method.keeps_first, self.method.is_ahead) = (false, false);
        if self.method.first.is_packed() {
            self.method.arch.dispatch(Unpack(self));
        }
    }
}

struct Unpack<'t, 'a>(&'t mut Training<'a>);

impl WithSimd for Unpack<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Training { method, network, .. } = &mut *self.0;
        method.first.unpack(simd, &mut network.parameters[..network.offsets[1]]);
    }
}

/// A training step for each sample, and in narrow networks the overall loss before them.
struct Epoch<'a> {
    method: &'a mut Backprop,
    network: &'a mut Network,
    inputs: &'a [f64],
    targets: &'a [f64],
}

impl WithSimd for Epoch<'_> {
    type Output = Option<f64>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Option<f64> {
        let Self { method, network, inputs, targets } = self;
        let (features, outputs) = network.ends();
        let (rows, _) = network.shapes[0];
        let is_narrow = is_narrow(network.shapes.len(), rows, outputs, S::F64_LANES);
        let samples = targets.len() / outputs;
        // A layout that is kept pays in any case.
        let is_lasting = samples > 0 && (method.keeps_first && !is_narrow || samples >= FEWEST);
        method.is_narrow = is_narrow && is_lasting;
        if !(is_lasting && (is_narrow || rows >= S::F64_LANES / 2)) {
            for (x, target) in inputs.chunks_exact(features).zip(targets.chunks_exact(outputs)) {
                layer_forward(simd, network, 0, x, &mut method.values[0][..rows]);
                method.step_after_first(simd, network, target);
                update_first_layer(
                    &mut network.parameters,
                    x,
                    &method.deltas[0][..rows],
                    method.learning_rate,
                );
            }
            return None;
        }
        let first_weights = ..network.offsets[1];
        let was_packed = method.first.is_packed();
        if !was_packed {
            method.first.pack(simd, &network.parameters[first_weights], rows);
        }
        let learning_rate = method.learning_rate;
        if is_narrow {
            let panel = method.first.panel::<S>();
            if was_packed && method.before.len() != panel.len() * S::F64_LANES {
                method.before = Aligned::new(0.0, panel.len() * S::F64_LANES);
            }
            let before = was_packed.then_some(S::as_mut_simd_f64s(&mut method.before).0);
            let loss = match rows.div_ceil(S::F64_LANES) {
                1 => two_layers::epoch::<S, 1>(simd, panel, before, network, inputs, targets, learning_rate),
                2 => two_layers::epoch::<S, 2>(simd, panel, before, network, inputs, targets, learning_rate),
                3 => two_layers::epoch::<S, 3>(simd, panel, before, network, inputs, targets, learning_rate),
                _ => two_layers::epoch::<S, 4>(simd, panel, before, network, inputs, targets, learning_rate),
            };
            if !method.keeps_first {
                method.first.unpack(simd, &mut network.parameters[first_weights]);
            }
            return loss;
        }
        let mut samples = inputs.chunks_exact(features);
        let mut update = None;
        for target in targets.chunks_exact(outputs) {
            let next = samples.next();
            if update.is_some() || !method.is_ahead {
                let pass = Pass { update, next, learning_rate };
                method.first.pass(simd, method.arch, &mut method.threads, &method.deltas[0], pass);
            }
            let bias = simd.splat_f64s(network.biases()[0]);
            let values = S::as_mut_simd_f64s(&mut method.values[0]).0;
            for (value, sum) in values.iter_mut().zip(S::as_simd_f64s(method.first.sums()).0) {
                *value = simd.add_f64s(*sum, bias);
            }
            method.step_after_first(simd, network, target);
            update = next;
        }
        // The next epoch begins with the same sample.
        method.is_ahead = method.keeps_first;
        let next = method.is_ahead.then_some(&inputs[..features]);
        let pass = Pass { update, next, learning_rate };
        method.first.pass(simd, method.arch, &mut method.threads, &method.deltas[0], pass);
        if !method.keeps_first {
            method.first.unpack(simd, &mut network.parameters[first_weights]);
        }
        None
    }
}

/// How many samples an epoch has at least for which the first layer's weights get an order of their own.
///
/// To lay them out and back takes as long as a few steps. With few rows most lanes are empty, which pays only where
/// all else of a step is in registers, too.
const FEWEST: usize = 6;

/// Whether a network can have the steps of [`two_layers`]; `rows` are those of its first layer.
fn is_narrow(depth: usize, rows: usize, outputs: usize, lanes: usize) -> bool {
    depth == 2 && outputs == 1 && rows <= two_layers::VECTORS * lanes
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

/// Update a row of weights, and add what the row gives to the deltas of the layer before, which the first row sets.
#[inline(always)]
fn update_row<S: Simd>(
    simd: S,
    row: &mut [f64],
    x: &[f64],
    delta: f64,
    learning_rate: f64,
    previous: &mut [f64],
    is_first: bool,
) {
    let zero = simd.splat_f64s(0.0);
    let (delta, rate) = (simd.splat_f64s(delta), simd.splat_f64s(learning_rate));
    let (x, previous) = (S::as_simd_f64s(x).0, S::as_mut_simd_f64s(previous).0);
    let (whole, rest) = S::as_mut_simd_f64s(row);
    let mut last = previous.iter_mut().zip(x);
    for (w, (p, x)) in whole.iter_mut().zip(&mut last) {
        *p = add_product(simd, if is_first { zero } else { *p }, delta, *w);
        *w = descend(simd, *w, rate, delta, *x);
    }
    if !rest.is_empty()
        && let Some((p, x)) = last.next()
    {
        let w = simd.partial_load_f64s(rest);
        *p = add_product(simd, if is_first { zero } else { *p }, delta, w);
        simd.partial_store_f64s(rest, descend(simd, w, rate, delta, *x));
    }
}
