//! Central differences as in `Naive`, from running sums that all perturbations of a row share.
//!
//! Weight (i, q) enters row i's sum at term q. The sum of the terms before it is one of the row's running
//! sums, the terms after it are products already at hand: what is left of the row is additions. In the next
//! layer only input i differs, so the same holds there; from the layer after that on everything differs, and
//! each perturbed network takes whole rows of its own. Every sum still has its terms in their order.
//!
//! [`PlainIncremental`] does just that, one perturbed network after the other, as the Python program does.
//! [`Incremental`] departs from it in these steps, each of which keeps every sum in its order:
//!
//! 1. All layers' products and running sums are kept in memory that is made once (`sums`).
//! 2. Networks whose perturbed weights are neighbours in a row stand side by side in the lanes of wide
//!    registers, in blocks of up to four registers going up and four going down, seven where there are 32 (`lanes`).
//! 3. The perturbed outputs of a few rows are found first, then what they lead to in the layers after: a value
//!    that is loaded serves them all (`rows`, `panels`).
//! 4. The biases of all layers go together, a lane each, through one forward pass (`biases`).
//! 5. A row is updated as soon as its slopes are known, and no slope is kept: layers are done in ascending
//!    order, and a layer's slopes need only weights of layers after it, or of the row itself.
//! 6. The rows of a large layer are shared among threads.
//! 7. Of a small network of two layers with one output, all of a step is one function, in which a lane holds a row, so
//!    that a column of perturbed weights is a vector (`two_layers`).
//!
//! # Work
//!
//! Of a layer with c inputs and r outputs, and m outputs in the next layer, the 2rc perturbed networks take
//! about (c + mr) / 2 additions each, and one multiply-add for each weight of the layers after those.
//! [`operations`] counts exactly. In a training step that leaves, against the additions of `Naive` (which
//! multiplies as often):
//!
//! | layers | additions | multiplications | additions of `Naive` |
//! |---|---|---|---|
//! | 10-5-1 | 1 631 | 446 | 7 410 |
//! | 64-32-1 | 228 917 | 16 646 | 8 815 188 |
//! | 100-50-1 | 828 371 | 40 406 | 51 580 920 |
//! | 256-128-1 | 13 093 013 | 263 174 | 2 173 176 084 |
//! | 32-32-32-1 | 1 344 287 | 147 785 | 8 952 734 |
//! | 64-64-64-1 | 19 007 007 | 1 114 761 | 138 569 502 |
//! | 64-32-10 | 964 010 | 92 714 | 11 527 680 |
//!
//! Nearly all of it is additions, so a processor that adds and multiplies in separate units is at its limit
//! when it adds without a pause, which is half of what it could do if it multiplied as often.
//!
//! # Threads
//!
//! The rows of a layer are handed out in runs to the threads of a pool, each with its own workspace; which
//! thread finds a slope has no influence on it. A layer of fewer than four million additions is done by one
//! thread: to wake another would take longer than it saves. See `threads`.
//!
//! # Memory
//!
//! Two values for each weight, and for each thread 224 for each neuron of the widest layer after the first; about a
//! thousand for the first layer's weights as `two_layers` has them.

mod biases;
mod lanes;
mod operations;
mod panels;
mod plain;
mod rows;
mod sums;
mod two_layers;

use std::sync::Mutex;

use pulp::Arch;

use super::{Gradient, Loss, Samples};
use crate::batch::Batch;
use crate::first_layer::FirstLayer;
use crate::network::Network;
use crate::threads::Threads;
use crate::wide::LANES;
use biases::RunAndUpdateBiases;
use rows::{Perturbed, UpdateRows, Workspace};
use sums::LayerSums;
use two_layers::Epoch;

pub use operations::{Operations, operations};
pub use plain::PlainIncremental;

/// The same bits as `Naive`, with only the work that a parameter touches.
pub struct Incremental {
    step: f64,
    learning_rate: f64,
    arch: Arch,
    threads: Threads,
    shapes: Vec<(usize, usize)>,
    layers: Vec<LayerSums>,
    workspaces: Vec<Workspace>,
    first: FirstLayer,
}

impl Incremental {
    /// On the widest registers of this machine and up to `threads` threads; `step` is the h of the central
    /// difference.
    pub fn new(step: f64, learning_rate: f64, threads: u64) -> Self {
        Self::on(Arch::new(), Threads::up_to(threads), step, learning_rate)
    }

    /// On a chosen instruction set and threads.
    pub fn on(arch: Arch, threads: Threads, step: f64, learning_rate: f64) -> Self {
        let (shapes, layers, workspaces) = Default::default();
        let first = FirstLayer::new();
        Self { step, learning_rate, arch, threads, shapes, layers, workspaces, first }
    }

    /// How many values its memory holds for a network of these layers.
    pub fn values(layers: &[usize], threads: u64) -> usize {
        let sums = |pair: &[usize]| LayerSums::values(pair[1], pair[0]);
        let rows = layers[1..].iter().max().map_or(0, |&rows| rows);
        let columns = layers[..layers.len() - 1].iter().max().map_or(0, |&columns| columns);
        let workspace = Workspace::values(rows, columns.next_multiple_of(LANES));
        layers.windows(2).map(sums).sum::<usize>()
            + workspace * Threads::up_to(threads).count()
            + FirstLayer::values(&[two_layers::COLUMNS, two_layers::ROWS])
    }

    /// Make the memory for a network of these shapes.
    fn prepare(&mut self, network: &Network) {
        self.shapes.clone_from(&network.shapes);
        self.layers = LayerSums::of(network);
        self.workspaces = vec![Workspace::new(&self.layers)];
    }

    /// A training step that goes from layer to layer, of any network.
    fn step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        let Self { step, learning_rate, arch, ref mut threads, ref mut layers, ref mut workspaces, .. } =
            *self;
        let panels = &mut workspaces[0].panels;
        arch.dispatch(RunAndUpdateBiases { layers, network, x, target, step, learning_rate, panels });
        // The layers in ascending order: a layer's slopes need the weights after it before their update.
        for k in 0..layers.len() {
            let (weights, later) = network.parameters.split_at_mut(network.offsets[k + 1]);
            let weights = &mut weights[network.offsets[k]..];
            let network = Perturbed { layers: &layers[k..], later, target, step, learning_rate };
            if !threads.worth_sharing(layers[k].additions) {
                arch.dispatch(UpdateRows { network, first: 0, weights, workspace: &mut workspaces[0] });
                continue;
            }
            workspaces.resize_with(threads.count(), || Workspace::new(layers));
            let rows = layers[k].rows.div_ceil(SHARES * threads.count());
            let runs = Mutex::new(weights.chunks_mut(rows * layers[k].columns).enumerate());
            threads.share(workspaces, |workspace| {
                while let Some((n, weights)) = runs.lock().ok().and_then(|mut runs| runs.next()) {
                    arch.dispatch(UpdateRows { network, first: n * rows, weights, workspace });
                }
            });
        }
    }
}

impl Gradient for Incremental {
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        self.epoch(network, x, target);
    }

    fn epoch(&mut self, network: &mut Network, inputs: &[f64], targets: &[f64]) {
        if self.shapes != network.shapes {
            self.prepare(network);
        }
        let Self { step, learning_rate, arch, ref threads, ref layers, ref mut first, .. } = *self;
        // With a single sample, it takes longer to lay the weights out and back than such a step saves.
        let is_apart = targets.len() > 1 && !threads.worth_sharing(layers[0].additions);
        if is_apart && arch.dispatch(Epoch { first, network, inputs, targets, step, learning_rate }) {
            return;
        }
        let (features, outputs) = network.ends();
        for (x, target) in inputs.chunks_exact(features).zip(targets.chunks_exact(outputs)) {
            self.step(network, x, target);
        }
    }

    fn loss(&self, inputs: &Samples, targets: &Samples) -> Loss {
        Batch::new(self.arch, inputs, targets).into_loss()
    }
}

/// Into how many runs of rows a layer is split for each thread; rows differ in work, and cores in speed.
const SHARES: usize = 16;
