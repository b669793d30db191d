//! A layer's forward pass with several rows side by side in wide registers.
//!
//! Each lane of a register holds the sum of another row, never a part of one sum, so the terms of every sum
//! keep their order and the bits are those of `Network::forward`, multiplications and additions rounded one by
//! one.

use pulp::Simd;

use crate::network::{Network, Scratch};
use crate::wide::{FREE_ORDER, LANES, add_product, load, transpose};

/// Below so many weights a layer is done before the registers are set up.
const SMALL: usize = 128;

/// Run all layers: n0 inputs in, nL outputs back.
#[inline(always)]
pub fn forward<'s, S: Simd>(simd: S, network: &Network, x: &[f64], scratch: &'s mut Scratch) -> &'s [f64] {
    let Scratch { inputs, outputs } = scratch;
    for (k, &(rows, _)) in network.shapes.iter().enumerate() {
        outputs.resize(rows, 0.0);
        layer_forward(simd, network, k, if k == 0 { x } else { inputs }, outputs);
        std::mem::swap(inputs, outputs);
    }
    inputs
}

/// Run layer `k` on its inputs `x` and write what comes out to `outputs`, one for each row.
#[inline(always)]
pub fn layer_forward<S: Simd>(simd: S, network: &Network, k: usize, x: &[f64], outputs: &mut [f64]) {
    let (rows, columns) = network.shapes[k];
    if FREE_ORDER && columns >= 2 * S::F64_LANES {
        let rows = network.parameters[network.offsets[k]..].chunks_exact(columns);
        for (output, row) in outputs.iter_mut().zip(rows) {
            *output = split_sum(simd, x, row) + network.biases()[k];
        }
        return;
    }
    // A single row is a single sum, which waits for itself either way.
    if rows == 1 || rows * columns < SMALL {
        return network.layer_forward(k, x, outputs);
    }
    let bias = network.biases()[k];
    // A vector at the end of a row reads on into the next one; what it finds there is not used.
    let weights = &network.parameters[network.offsets[k]..];
    let mut first = 0;
    for outputs in outputs.chunks_mut(2 * S::F64_LANES) {
        if outputs.len() > S::F64_LANES {
            let totals = row_sums::<S, 2>(simd, x, weights, first, rows);
            let (one, other) = outputs.split_at_mut(S::F64_LANES);
            write_with_bias(simd, one, totals[0], bias);
            write_with_bias(simd, other, totals[1], bias);
        } else {
            let [totals] = row_sums::<S, 1>(simd, x, weights, first, rows);
            write_with_bias(simd, outputs, totals, bias);
        }
        first += 2 * S::F64_LANES;
    }
}

/// The sum over j of `x_j * w_j`, split over the lanes of four vectors.
#[inline(always)]
fn split_sum<S: Simd>(simd: S, x: &[f64], row: &[f64]) -> f64 {
    let mut totals = [simd.splat_f64s(0.0); 4];
    let ((x, x_rest), (row, row_rest)) = (S::as_simd_f64s(x), S::as_simd_f64s(row));
    for (x, row) in x.chunks(4).zip(row.chunks(4)) {
        for (total, (x, w)) in totals.iter_mut().zip(x.iter().zip(row)) {
            *total = add_product(simd, *total, *x, *w);
        }
    }
    let rest = [simd.partial_load_f64s(x_rest), simd.partial_load_f64s(row_rest)];
    totals[3] = add_product(simd, totals[3], rest[0], rest[1]);
    let [a, b, c, d] = totals;
    simd.reduce_sum_f64s(simd.add_f64s(simd.add_f64s(a, b), simd.add_f64s(c, d)))
}

/// Write as many sums, plus the bias, as there are outputs.
#[inline(always)]
fn write_with_bias<S: Simd>(simd: S, outputs: &mut [f64], totals: S::f64s, bias: f64) {
    let mut lanes = [0.0; LANES];
    S::as_mut_simd_f64s(&mut lanes).0[0] = simd.add_f64s(totals, simd.splat_f64s(bias));
    for (output, lane) in outputs.iter_mut().zip(lanes) {
        *output = lane;
    }
}

/// The sums over j of `x_j * w_ij` for G vectors of rows from row `first` on.
///
/// Lanes beyond the last row repeat that one.
#[inline(always)]
fn row_sums<S: Simd, const G: usize>(
    simd: S,
    x: &[f64],
    weights: &[f64],
    first: usize,
    rows: usize,
) -> [S::f64s; G] {
    let whole = x.len() / S::F64_LANES;
    let (chunks, rest) = x.split_at(whole * S::F64_LANES);
    let mut starts = [[0; LANES]; G];
    let mut vectors: [[&[S::f64s]; LANES]; G] = [[&[]; LANES]; G];
    for (g, (starts, vectors)) in starts.iter_mut().zip(&mut vectors).enumerate() {
        for r in 0..S::F64_LANES {
            starts[r] = (first + g * S::F64_LANES + r).min(rows - 1) * x.len();
            vectors[r] = &S::as_simd_f64s(&weights[starts[r]..]).0[..whole];
        }
    }
    let mut totals = [simd.splat_f64s(0.0); G];
    let mut tile = [simd.splat_f64s(0.0); LANES];
    for (n, x) in chunks.chunks_exact(S::F64_LANES).enumerate() {
        for (total, vectors) in totals.iter_mut().zip(&vectors) {
            for r in 0..S::F64_LANES {
                tile[r] = vectors[r][n];
            }
            transpose(simd, &mut tile);
            add_columns(simd, total, x, &tile);
        }
    }
    if !rest.is_empty() {
        for (total, starts) in totals.iter_mut().zip(&starts) {
            for r in 0..S::F64_LANES {
                tile[r] = load(simd, &weights[starts[r] + chunks.len()..]);
            }
            transpose(simd, &mut tile);
            add_columns(simd, total, rest, &tile);
        }
    }
    totals
}

/// Add `x_j` times column j of the tile, one column after the other.
#[inline(always)]
fn add_columns<S: Simd>(simd: S, total: &mut S::f64s, x: &[f64], tile: &[S::f64s; LANES]) {
    for (&x_j, column) in x.iter().zip(tile) {
        *total = add_product(simd, *total, simd.splat_f64s(x_j), *column);
    }
}
