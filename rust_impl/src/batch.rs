//! The overall loss with the samples side by side in the lanes of wide registers.
//!
//! A weight is loaded once for many samples, and nothing has to be transposed but the inputs, once for all
//! epochs. Each lane holds the sums of another sample, with their terms in their order, and the squares are
//! added sample after sample, so the bits are those of `overall_loss`.
//!
//! Where the first layer's weights lie in panels, its lanes hold the sums of rows, for a few samples at once.

use pulp::{Arch, Simd, WithSimd};

use crate::first_layer::FirstLayer;
use crate::gradients::{Loss, Samples};
use crate::network::{Network, Scratch};
use crate::side_by_side;
use crate::wide::{Aligned, LANES, add_product, transpose};

/// The most vectors of samples in a block: with them eight sums or more are under way at once, whatever the block.
const VECTORS: usize = 5;

/// The most samples side by side where the lanes have rows. As many as there are lanes times these make a block.
const GROUP: usize = VECTORS;

/// Samples in the layout of their overall loss, and the memory that it takes.
pub struct Batch {
    arch: Arch,
    inputs: Samples,
    targets: Samples,
    /// The inputs in blocks or groups of samples: in each the first input of all its samples, then the second, ...
    columns: Aligned,
    /// The values of a block between two layers, likewise.
    values: [Aligned; 2],
}

impl Batch {
    /// For these samples.
    pub fn new(arch: Arch, inputs: &Samples, targets: &Samples) -> Self {
        let none = || Aligned::new(0.0, 0);
        let (inputs, targets) = (inputs.clone(), targets.clone());
        Self { arch, inputs, targets, columns: none(), values: [none(), none()] }
    }

    /// How many values its memory holds.
    pub fn values(layers: &[usize], samples: usize) -> usize {
        let widest = layers[1..].iter().max().map_or(0, |&widest| widest);
        (samples + LANES) * layers[0] + 2 * VECTORS * LANES * widest
    }

    /// The loss of one network after another; they have the same layers.
    pub fn into_loss(mut self) -> Loss {
        Box::new(move |network| self.loss(network, None))
    }

    /// The loss of a network, whose first layer's weights may be in panels, always or never.
    pub(crate) fn loss(&mut self, network: &Network, first: Option<&FirstLayer>) -> f64 {
        self.arch.dispatch(OverallLoss { batch: self, network, first })
    }

    /// Lay the inputs out: so many samples side by side, or the next multiple of `whole` for the last ones.
    fn prepare(&mut self, network: &Network, side_by_side: usize, whole: usize, lanes: usize) {
        let (features, _) = network.ends();
        let samples = self.inputs.len() / features;
        let mut columns = Aligned::new(0.0, samples.next_multiple_of(whole) * features);
        let parts = columns.chunks_mut(side_by_side * features);
        for (first, columns) in (0..samples).step_by(side_by_side).zip(parts) {
            let width = columns.len() / features;
            let part = self.inputs[first * features..].chunks_exact(features).take(side_by_side);
            for (lane, x) in part.enumerate() {
                for (x_j, column) in x.iter().zip(columns.chunks_exact_mut(width)) {
                    column[lane] = *x_j;
                }
            }
        }
        self.columns = columns;
        let widest = network.shapes.iter().map(|shape| shape.0).max().map_or(0, |rows| rows);
        self.values = [0; 2].map(|_| Aligned::new(0.0, VECTORS * lanes * widest));
    }
}

/// The overall loss of a network.
struct OverallLoss<'b> {
    batch: &'b mut Batch,
    network: &'b Network,
    first: Option<&'b FirstLayer>,
}

impl WithSimd for OverallLoss<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { batch, network, first } = self;
        if first.is_none() && batch.targets.len() < FEWEST * network.ends().1 {
            return loss_one_by_one(simd, network, &batch.inputs, &batch.targets);
        }
        let block = VECTORS * S::F64_LANES;
        let group = GROUP.min(batch.targets.len() / network.ends().1);
        if batch.columns.is_empty() {
            match first {
                Some(_) => batch.prepare(network, group, group, S::F64_LANES),
                None => batch.prepare(network, block, S::F64_LANES, S::F64_LANES),
            }
        }
        let (features, outputs) = network.ends();
        let [values, others] = &mut batch.values;
        let (mut values, mut others): (&mut [f64], &mut [f64]) = (values, others);
        let mut total = 0.0;
        let targets = batch.targets.chunks(block * outputs);
        for (columns, targets) in batch.columns.chunks(block * features).zip(targets) {
            let vectors = (columns.len() / features).div_ceil(S::F64_LANES);
            let width = vectors * S::F64_LANES;
            if let Some(first) = first {
                let (bias, out) = (network.biases()[0], &mut values[..network.shapes[0].0 * width]);
                match group {
                    1 => panels_forward::<S, 1>(simd, first, columns, bias, out, width),
                    2 => panels_forward::<S, 2>(simd, first, columns, bias, out, width),
                    3 => panels_forward::<S, 3>(simd, first, columns, bias, out, width),
                    4 => panels_forward::<S, 4>(simd, first, columns, bias, out, width),
                    _ => panels_forward::<S, GROUP>(simd, first, columns, bias, out, width),
                }
            }
            for k in usize::from(first.is_some())..network.shapes.len() {
                let x: &[f64] = if k == 0 { columns } else { values };
                let x = &S::as_simd_f64s(x).0[..vectors * network.shapes[k].1];
                let out = S::as_mut_simd_f64s(others).0;
                match vectors {
                    1 => layer_forward::<S, 1, 8>(simd, network, k, x, out),
                    2 => layer_forward::<S, 2, 4>(simd, network, k, x, out),
                    3 => layer_forward::<S, 3, 2>(simd, network, k, x, out),
                    4 => layer_forward::<S, 4, 2>(simd, network, k, x, out),
                    _ => layer_forward::<S, VECTORS, 2>(simd, network, k, x, out),
                }
                std::mem::swap(&mut values, &mut others);
            }
            for (lane, target) in targets.chunks_exact(outputs).enumerate() {
                for (t, o) in target.iter().zip(values.chunks_exact(width)) {
                    let d = t - o[lane];
                    total += d * d;
                }
            }
        }
        total / batch.targets.len() as f64
    }
}

/// Below so many samples too many lanes would be empty.
const FEWEST: usize = 3;

/// The overall loss with the rows side by side, one sample after the other.
#[inline(always)]
fn loss_one_by_one<S: Simd>(simd: S, network: &Network, inputs: &[f64], targets: &[f64]) -> f64 {
    let (features, outputs) = network.ends();
    let mut scratch = Scratch::default();
    let mut total = 0.0;
    for (x, target) in inputs.chunks_exact(features).zip(targets.chunks_exact(outputs)) {
        for (t, o) in target.iter().zip(side_by_side::forward(simd, network, x, &mut scratch)) {
            let d = t - o;
            total += d * d;
        }
    }
    total / targets.len() as f64
}

/// Run the first layer, whose weights are in panels, on groups of G samples; each row's outputs are `width` values.
#[inline(always)]
fn panels_forward<S: Simd, const G: usize>(
    simd: S,
    first: &FirstLayer,
    inputs: &[f64],
    bias: f64,
    outputs: &mut [f64],
    width: usize,
) {
    let (groups, _) = inputs.as_chunks::<G>();
    let bias = simd.splat_f64s(bias);
    // The outputs of a panel, each sample's side by side; a value at a time, to rows far apart, takes longer.
    let mut samples = [[bias; FirstLayer::PANEL]; GROUP * LANES];
    let rows = outputs.chunks_mut(FirstLayer::PANEL * S::F64_LANES * width);
    for ((panel, vectors), rows) in first.panels::<S>().zip(rows) {
        for (x, out) in groups.chunks_exact(panel.len() / vectors).zip(samples.as_chunks_mut::<G>().0) {
            match vectors {
                1 => panel_forward::<S, G, 1, 0, 1>(simd, panel, x, bias, out),
                2 => panel_forward::<S, G, 2, 0, 2>(simd, panel, x, bias, out),
                3 => {
                    panel_forward::<S, G, 3, 0, 2>(simd, panel, x, bias, out);
                    panel_forward::<S, G, 3, 2, 1>(simd, panel, x, bias, out);
                }
                // On some processors it takes as long to fill a vector with an input as to add one.
                _ if S::REGISTER_COUNT >= 32 => panel_forward::<S, G, 4, 0, 4>(simd, panel, x, bias, out),
                _ => {
                    panel_forward::<S, G, 4, 0, 2>(simd, panel, x, bias, out);
                    panel_forward::<S, G, 4, 2, 2>(simd, panel, x, bias, out);
                }
            }
        }
        let mut tile = [bias; LANES];
        for (n, samples) in samples[..width].chunks_exact(S::F64_LANES).enumerate() {
            // Lanes behind the last row have no outputs.
            for (v, rows) in rows.chunks_mut(S::F64_LANES * width).enumerate() {
                for (vector, sample) in tile.iter_mut().zip(samples) {
                    *vector = sample[v];
                }
                transpose(simd, &mut tile);
                for (row, vector) in rows.chunks_exact_mut(width).zip(&tile) {
                    S::as_mut_simd_f64s(row).0[n] = *vector;
                }
            }
        }
    }
}

/// The outputs of N of a panel's V vectors of rows, from vector `F` on, for a group of samples.
#[inline(always)]
fn panel_forward<S: Simd, const G: usize, const V: usize, const F: usize, const N: usize>(
    simd: S,
    panel: &[S::f64s],
    x: &[[f64; G]],
    bias: S::f64s,
    outputs: &mut [[S::f64s; FirstLayer::PANEL]; G],
) {
    let mut sums = [[simd.splat_f64s(0.0); N]; G];
    for (weights, x) in panel.as_chunks::<V>().0.iter().zip(x) {
        for (sums, &x_j) in sums.iter_mut().zip(x) {
            let x_j = simd.splat_f64s(x_j);
            for (sum, w_ij) in sums.iter_mut().zip(&weights[F..F + N]) {
                *sum = add_product(simd, *sum, x_j, *w_ij);
            }
        }
    }
    for (outputs, sums) in outputs.iter_mut().zip(sums) {
        for (output, sum) in outputs[F..F + N].iter_mut().zip(sums) {
            *output = simd.add_f64s(sum, bias);
        }
    }
}

/// Run layer `k` on N vectors of samples, R rows at a time.
#[inline(always)]
fn layer_forward<S: Simd, const N: usize, const R: usize>(
    simd: S,
    network: &Network,
    k: usize,
    x: &[S::f64s],
    outputs: &mut [S::f64s],
) {
    let columns = network.shapes[k].1;
    let weights = &network.parameters[network.offsets[k]..network.offsets[k + 1]];
    let bias = simd.splat_f64s(network.biases()[k]);
    let x = x.as_chunks::<N>().0;
    let outputs = outputs.as_chunks_mut::<N>().0;
    let mut rows = weights.chunks_exact(R * columns);
    let mut outputs = outputs.iter_mut();
    for rows in &mut rows {
        for sums in row_sums::<S, N, R>(simd, x, rows) {
            if let Some(output) = outputs.next() {
                *output = sums.map(|sum| simd.add_f64s(sum, bias));
            }
        }
    }
    for (row, output) in rows.remainder().chunks_exact(columns).zip(outputs) {
        let [sums] = row_sums::<S, N, 1>(simd, x, row);
        *output = sums.map(|sum| simd.add_f64s(sum, bias));
    }
}

/// The sums over j of `x_j * w_ij` for R rows.
#[inline(always)]
fn row_sums<S: Simd, const N: usize, const R: usize>(
    simd: S,
    x: &[[S::f64s; N]],
    weights: &[f64],
) -> [[S::f64s; N]; R] {
    let mut rows = [[].as_slice(); R];
    for (row, weights) in rows.iter_mut().zip(weights.chunks_exact(x.len())) {
        *row = &weights[..x.len()];
    }
    let mut sums = [[simd.splat_f64s(0.0); N]; R];
    for (j, x_j) in x.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let w_ij = simd.splat_f64s(row[j]);
            for (sum, x_j) in sums.iter_mut().zip(x_j) {
                *sum = add_product(simd, *sum, *x_j, w_ij);
            }
        }
    }
    sums
}
