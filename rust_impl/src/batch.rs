//! The overall loss with the samples side by side in the lanes of wide registers.
//!
//! A weight is loaded once for many samples, and nothing has to be transposed but the inputs, once for all
//! epochs. Each lane holds the sums of another sample, with their terms in their order, and the squares are
//! added sample after sample, so the bits are those of `overall_loss`.

use pulp::{Arch, Simd, WithSimd};

use crate::gradients::{Loss, Samples};
use crate::network::{Network, Scratch};
use crate::side_by_side;
use crate::wide::{Aligned, LANES, add_product};

/// The most vectors of samples in a block: with them eight sums are under way at once, whatever the block.
const VECTORS: usize = 4;

/// Samples in the layout of their overall loss, and the memory that it takes.
pub struct Batch {
    arch: Arch,
    inputs: Samples,
    targets: Samples,
    /// The inputs in blocks of samples: in each the first input of all its samples, then the second, ...
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
        if samples < FEWEST {
            return 2 * widest.max(layers[0]);
        }
        samples.next_multiple_of(LANES) * layers[0] + 2 * VECTORS * LANES * widest
    }

    /// The loss of one network after another; they have the same layers.
    pub fn into_loss(mut self) -> Loss {
        Box::new(move |network| self.arch.dispatch(OverallLoss { batch: &mut self, network }))
    }

    /// Lay the inputs out in blocks, whose samples fill whole vectors of so many lanes.
    fn prepare(&mut self, network: &Network, lanes: usize) {
        let (features, _) = network.ends();
        let samples = self.inputs.len() / features;
        let block = VECTORS * lanes;
        let mut columns = Aligned::new(0.0, samples.next_multiple_of(lanes) * features);
        for (first, columns) in (0..samples).step_by(block).zip(columns.chunks_mut(block * features)) {
            let width = columns.len() / features;
            for (lane, x) in self.inputs[first * features..].chunks_exact(features).take(block).enumerate() {
                for (x_j, column) in x.iter().zip(columns.chunks_exact_mut(width)) {
                    column[lane] = *x_j;
                }
            }
        }
        self.columns = columns;
        let widest = network.shapes.iter().map(|shape| shape.0).max().map_or(0, |rows| rows);
        self.values = [Aligned::new(0.0, block * widest), Aligned::new(0.0, block * widest)];
    }
}

/// The overall loss of a network.
struct OverallLoss<'b> {
    batch: &'b mut Batch,
    network: &'b Network,
}

impl WithSimd for OverallLoss<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { batch, network } = self;
        if batch.targets.len() < FEWEST * network.ends().1 {
            return loss_one_by_one(simd, network, &batch.inputs, &batch.targets);
        }
        if batch.columns.is_empty() {
            batch.prepare(network, S::F64_LANES);
        }
        let (features, outputs) = network.ends();
        let block = VECTORS * S::F64_LANES;
        let [values, others] = &mut batch.values;
        let (mut values, mut others): (&mut [f64], &mut [f64]) = (values, others);
        let mut total = 0.0;
        let targets = batch.targets.chunks(block * outputs);
        for (columns, targets) in batch.columns.chunks(block * features).zip(targets) {
            let vectors = columns.len() / features / S::F64_LANES;
            for k in 0..network.shapes.len() {
                let x: &[f64] = if k == 0 { columns } else { values };
                let x = &S::as_simd_f64s(x).0[..vectors * network.shapes[k].1];
                let out = S::as_mut_simd_f64s(others).0;
                match vectors {
                    1 => layer_forward::<S, 1, 8>(simd, network, k, x, out),
                    2 => layer_forward::<S, 2, 4>(simd, network, k, x, out),
                    3 => layer_forward::<S, 3, 2>(simd, network, k, x, out),
                    _ => layer_forward::<S, VECTORS, 2>(simd, network, k, x, out),
                }
                std::mem::swap(&mut values, &mut others);
            }
            let width = vectors * S::F64_LANES;
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
