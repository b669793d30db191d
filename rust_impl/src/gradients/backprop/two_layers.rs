//! Epochs of networks of two layers with one output whose first layer has few rows, in a step without a call.
//!
//! Such a step is a chain of operations that wait for one another: the sum of the first layer, that of the second,
//! the slope of the loss in it, the update, the next sample's first product. Whatever else is to be done has time
//! meanwhile, but nothing more may stand in the chain: so what a step hands on stays in registers.

use pulp::Simd;

use crate::first_layer::{Pass, panel_pass};
use crate::network::Network;
use crate::wide::{FREE_ORDER, LANES, add_product, descend, load};

/// The most vectors of rows.
pub const VECTORS: usize = 4;

/// A training step for each sample. The first layer's weights lie in `panel`, of V vectors of rows; all other
/// parameters in the network.
#[inline(always)]
pub fn epoch<S: Simd, const V: usize>(
    simd: S,
    panel: &mut [S::f64s],
    network: &mut Network,
    inputs: &[f64],
    targets: &[f64],
    learning_rate: f64,
) {
    let (rows, columns) = network.shapes[0];
    let second = &mut network.parameters[network.offsets[1]..];
    let zero = simd.splat_f64s(0.0);
    let rate = simd.splat_f64s(learning_rate);
    let (mut deltas, mut sums, mut weights) = ([zero; V], [zero; V], [zero; V]);
    for (vector, row) in weights.iter_mut().zip(second[..rows].chunks(S::F64_LANES)) {
        *vector = load(simd, row);
    }
    let [mut first_bias, mut second_bias] = [second[rows], second[rows + 1]];
    let mut samples = inputs.chunks_exact(columns);
    let mut update = None;
    for target in targets {
        let next = samples.next();
        panel_pass::<S, V>(simd, panel, &deltas, Pass { update, next, learning_rate }, &mut sums);
        let bias = simd.splat_f64s(first_bias);
        let values = sums.map(|sum| simd.add_f64s(sum, bias));
        let mut products = values;
        for (product, w_i) in products.iter_mut().zip(weights) {
            *product = simd.mul_f64s(*product, w_i);
        }
        let slope = 2.0 * (add_lanes(simd, products, rows) + second_bias - target);
        let slopes = simd.splat_f64s(slope);
        for ((delta, w_i), value) in deltas.iter_mut().zip(&mut weights).zip(values) {
            *delta = add_product(simd, zero, slopes, *w_i);
            *w_i = descend(simd, *w_i, rate, slopes, value);
        }
        second_bias -= learning_rate * (0.0 + slope);
        first_bias -= learning_rate * add_lanes(simd, deltas, rows);
        update = next;
    }
    panel_pass::<S, V>(simd, panel, &deltas, Pass { update, next: None, learning_rate }, &mut sums);
    second[..rows].copy_from_slice(&lanes::<S, V>(weights).0[..rows]);
    second[rows..].copy_from_slice(&[first_bias, second_bias]);
}

/// Values in memory, as vectors are stored.
#[repr(align(64))]
struct Lanes([f64; VECTORS * LANES]);

/// The lanes of the vectors, one after the other.
#[inline(always)]
fn lanes<S: Simd, const V: usize>(vectors: [S::f64s; V]) -> Lanes {
    let mut lanes = Lanes([0.0; VECTORS * LANES]);
    S::as_mut_simd_f64s(&mut lanes.0).0[..V].copy_from_slice(&vectors);
    lanes
}

/// The sum of the first `rows` lanes, in their order.
#[inline(always)]
fn add_lanes<S: Simd, const V: usize>(simd: S, vectors: [S::f64s; V], rows: usize) -> f64 {
    if FREE_ORDER {
        let last = simd.mask_between_m64s(0, (rows - (V - 1) * S::F64_LANES) as u64).mask();
        let mut total = simd.select_f64s(last, vectors[V - 1], simd.splat_f64s(0.0));
        for vector in &vectors[..V - 1] {
            total = simd.add_f64s(total, *vector);
        }
        return simd.reduce_sum_f64s(total);
    }
    let Lanes(lanes) = lanes::<S, V>(vectors);
    let mut total = 0.0;
    // Lanes that are named one by one are taken out of the register, others are stored and loaded.
    for (i, lane) in lanes[..LANES].iter().enumerate() {
        if i == rows {
            return total;
        }
        total += lane;
    }
    if V * S::F64_LANES > LANES {
        for lane in &lanes[LANES..rows] {
            total += lane;
        }
    }
    total
}
