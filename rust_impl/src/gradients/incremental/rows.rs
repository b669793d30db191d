//! The slopes and updates of a run of rows of one layer.

use pulp::{Simd, WithSimd};

use super::lanes::{self, Pair};
use super::panels::{IntoRow, Panel, Sink, layer_outputs, squares, two_at_a_time};
use super::sums::LayerSums;
use crate::wide::{Aligned, LANES};

/// How many perturbed outputs of a sign are found before their losses are.
///
/// The first part's additions wait for each other more than the second's do; done for several rows on end,
/// those of one row fill the gaps of another.
const GROUP: usize = 1024;

/// The most vectors in a block: in 32 registers, so many sums of either sign leave room for what is added to them.
const VECTORS: usize = 7;

/// What a thread works in.
pub struct Workspace {
    /// Perturbed outputs of a group of rows, raised and lowered.
    perturbed: [Aligned; 2],
    /// The values between two layers: for each neuron up to `VECTORS` of either sign.
    pub panels: [Aligned; 2],
}

impl Workspace {
    /// Memory for any of `layers`.
    pub fn new(layers: &[LayerSums]) -> Self {
        let stride = layers.iter().map(|layer| layer.stride).max().unwrap_or(0);
        let rows = layers.iter().map(|layer| layer.rows).max().unwrap_or(0);
        let perturbed = || Aligned::new(0.0, GROUP.max(stride));
        let panel = || Aligned::new(0.0, rows * 2 * VECTORS * LANES);
        Self { perturbed: [perturbed(), perturbed()], panels: [panel(), panel()] }
    }

    /// How many values that is where no layer has more rows, or a greater stride.
    pub fn values(rows: usize, stride: usize) -> usize {
        2 * GROUP.max(stride) + 2 * rows * 2 * VECTORS * LANES
    }
}

impl Workspace {
    /// N vectors of perturbed outputs.
    #[inline(always)]
    fn outputs<S: Simd, const N: usize>(&self, at: usize) -> Pair<S, N> {
        let [up, down] = &self.perturbed;
        [S::as_simd_f64s(&up[at..]).0.as_chunks().0[0], S::as_simd_f64s(&down[at..]).0.as_chunks().0[0]]
    }
}

/// A layer whose weights are perturbed, and the network from there on.
#[derive(Clone, Copy)]
pub struct Perturbed<'a> {
    /// The layer and those after it.
    pub layers: &'a [LayerSums],
    /// The weights of the layers after it.
    pub later: &'a [f64],
    pub target: &'a [f64],
    pub step: f64,
    pub learning_rate: f64,
}

/// Update the weights of a run of rows of the layer.
pub struct UpdateRows<'a> {
    pub network: Perturbed<'a>,
    /// The first row's number.
    pub first: usize,
    pub weights: &'a mut [f64],
    pub workspace: &'a mut Workspace,
}

impl WithSimd for UpdateRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { network, mut first, weights, workspace } = self;
        let (columns, stride) = (network.layers[0].columns, network.layers[0].stride);
        let group = (GROUP / stride).max(1);
        for weights in weights.chunks_mut(group * columns) {
            for (n, start) in (0..weights.len()).step_by(columns).enumerate() {
                network.perturb_row(simd, first + n, &weights[start..], n * stride, workspace);
            }
            for (n, row) in weights.chunks_exact_mut(columns).enumerate() {
                network.update_row(simd, first + n, row, n * stride, workspace);
            }
            first += group;
        }
    }
}

/// N vectors of weights of a row.
#[derive(Clone, Copy)]
struct Block {
    /// The row.
    i: usize,
    /// The first column.
    q: usize,
    /// Where in the workspace its perturbed outputs are.
    at: usize,
}

/// Split a row into blocks of at most `$most` vectors, as even as can be, and do something with each.
///
/// It is a macro for the sake of `$n`, which has to be a constant.
macro_rules! for_each_block {
    ($columns:expr, $lanes:expr, $most:expr, |$q:ident, $n:ident| $body:expr) => {
        let mut vectors = $columns.div_ceil($lanes);
        let mut blocks = vectors.div_ceil($most);
        let mut $q = 0;
        while blocks > 0 {
            let n = vectors.div_ceil(blocks);
            for_each_block!(n, $n, $body, 1 2 3 4 5 6 7);
            vectors -= n;
            blocks -= 1;
            $q += n * $lanes;
        }
    };
    ($vectors:ident, $n:ident, $body:expr, $($size:literal)*) => {
        match $vectors {
            $($size => {
                const $n: usize = $size;
                // What no block is for is not compiled.
                if lanes::fits::<S>($n) {
                    $body
                }
            })*
            _ => {}
        }
    };
}

impl Perturbed<'_> {
    /// How many vectors a block may have. With a second layer after this one, the sums of two layers are kept at once.
    #[inline(always)]
    fn most_vectors<S: Simd>(&self) -> usize {
        if self.layers.len() <= 2 && lanes::fits::<S>(VECTORS) { VECTORS } else { 4 }
    }

    /// Find row `i`'s output for each of its weights, raised and lowered; `weights` begins with the row.
    #[inline(always)]
    fn perturb_row<S: Simd>(&self, simd: S, i: usize, weights: &[f64], at: usize, workspace: &mut Workspace) {
        for_each_block!(self.layers[0].columns, S::F64_LANES, self.most_vectors::<S>(), |q, N| {
            let block = Block { i, q, at: at + q };
            self.perturb_block::<S, N>(simd, block, &weights[q..], workspace)
        });
    }

    #[inline(always)]
    fn perturb_block<S: Simd, const N: usize>(
        &self,
        simd: S,
        Block { i, q, at }: Block,
        weights: &[f64],
        workspace: &mut Workspace,
    ) {
        let layer = &self.layers[0];
        let start = i * layer.stride;
        let row = start + q..start + layer.columns.max(q + N * S::F64_LANES);
        let (x, before) = (&layer.inputs[q..], &layer.prefixes[row.clone()]);
        let mut totals = lanes::perturbed_terms(simd, x, weights, before, self.step);
        lanes::finish_row::<S, N>(simd, &mut totals, &layer.terms[row]);
        lanes::add_to_all(simd, &mut totals, layer.bias);
        for (place, vectors) in workspace.perturbed.iter_mut().zip(totals) {
            S::as_mut_simd_f64s(&mut place[at..]).0.as_chunks_mut().0[0] = vectors;
        }
    }

    /// Update row `i` from the losses that its perturbed outputs lead to.
    #[inline(always)]
    fn update_row<S: Simd>(&self, simd: S, i: usize, row: &mut [f64], at: usize, workspace: &mut Workspace) {
        for_each_block!(self.layers[0].columns, S::F64_LANES, self.most_vectors::<S>(), |q, N| {
            let block = Block { i, q, at: at + q };
            self.update_block::<S, N>(simd, block, &mut row[q..], workspace)
        });
    }

    #[inline(always)]
    fn update_block<S: Simd, const N: usize>(
        &self,
        simd: S,
        Block { i, at, .. }: Block,
        weights: &mut [f64],
        workspace: &mut Workspace,
    ) {
        let output = workspace.outputs::<S, N>(at);
        let totals = match self.layers {
            [_] => self.losses_of_output(simd, i, &output),
            // With three layers a block has 4 vectors at most.
            [_, next, last] if N <= 4 && last.rows == 1 => {
                let (weights, row) = self.later.split_at(next.rows * next.columns);
                let mut total = [[simd.splat_f64s(0.0); N]; 2];
                self.next_layer(simd, i, &output, weights, &mut IntoRow { row, total: &mut total });
                lanes::add_to_all(simd, &mut total, last.bias);
                squares(simd, self.target, &[total])
            }
            [_, _, after @ ..] => {
                let [panel, other] = &mut workspace.panels;
                let (panel, other) = (lanes::pairs_mut::<S, N>(panel), lanes::pairs_mut::<S, N>(other));
                self.next_layer(simd, i, &output, self.later, &mut Panel(panel));
                self.losses(simd, after, panel, other)
            }
            [] => return,
        };
        let slopes = lanes::slopes(simd, totals, self.target.len(), self.step);
        for (weights, slopes) in weights.chunks_mut(S::F64_LANES).zip(slopes) {
            lanes::update(simd, weights, self.learning_rate, slopes);
        }
    }

    /// Hand the outputs of the next layer, where input `i` alone is perturbed, to `sink` one after the other.
    #[inline(always)]
    fn next_layer<S: Simd, const N: usize>(
        &self,
        simd: S,
        i: usize,
        input: &Pair<S, N>,
        weights: &[f64],
        sink: &mut impl Sink<S, N>,
    ) {
        let next = &self.layers[1];
        let mut o = 0;
        if two_at_a_time::<S, N>() {
            while o + 2 <= next.rows {
                let [first, second] = lanes::next_two_outputs(simd, next, weights, (o, i), input);
                sink.take(simd, o, &first);
                sink.take(simd, o + 1, &second);
                o += 2;
            }
        }
        while o < next.rows {
            sink.take(simd, o, &lanes::next_output(simd, next, weights, (o, i), input));
            o += 1;
        }
    }

    /// The sums of squares where output `i` of the last layer is `output`.
    #[inline(always)]
    fn losses_of_output<S: Simd, const N: usize>(
        &self,
        simd: S,
        i: usize,
        output: &Pair<S, N>,
    ) -> Pair<S, N> {
        let layer = &self.layers[0];
        let mut totals = [[simd.splat_f64s(layer.squares_before[i]); N]; 2];
        lanes::add_square(simd, &mut totals, self.target[i], output);
        for &square in &layer.squares[i + 1..] {
            lanes::add_to_all(simd, &mut totals, square);
        }
        totals
    }

    /// The sums of squares, from the inputs of the layers `after` the next.
    #[inline(always)]
    fn losses<'p, S: Simd, const N: usize>(
        &self,
        simd: S,
        after: &[LayerSums],
        mut inputs: &'p mut [Pair<S, N>],
        mut outputs: &'p mut [Pair<S, N>],
    ) -> Pair<S, N> {
        let mut later = &self.later[self.layers[1].rows * self.layers[1].columns..];
        for layer in after {
            let (weights, rest) = later.split_at(layer.rows * layer.columns);
            layer_outputs(simd, &inputs[..layer.columns], weights, &mut outputs[..layer.rows]);
            for output in &mut outputs[..layer.rows] {
                lanes::add_to_all(simd, output, layer.bias);
            }
            later = rest;
            std::mem::swap(&mut inputs, &mut outputs);
        }
        squares(simd, self.target, inputs)
    }
}
