//! Epochs of networks of two layers with one output whose first layer has few rows, in a step without a call.
//!
//! Such a step is a chain of operations that wait for one another: the sum of the first layer, that of the second,
//! the slope of the loss in it, the update, the next sample's first product. Whatever else is to be done has time
//! meanwhile, but nothing more may stand in the chain: so what a step hands on stays in registers.

use pulp::Simd;

use crate::first_layer::{Pass, add_products, join, panel_pass, split, update};
use crate::network::Network;
use crate::wide::{add_lanes, add_product, descend, load, store};

/// The most vectors of rows.
pub const VECTORS: usize = 4;

/// A training step for each sample. The first layer's weights lie in `panel`, of V vectors of rows; all other
/// parameters in the network. With room for a copy of the panel, also the overall loss before these steps.
#[inline(always)]
pub fn epoch<S: Simd, const V: usize>(
    simd: S,
    panel: &mut [S::f64s],
    mut before: Option<&mut [S::f64s]>,
    network: &mut Network,
    inputs: &[f64],
    targets: &[f64],
    learning_rate: f64,
) -> Option<f64> {
    let (rows, columns) = network.shapes[0];
    let second = &mut network.parameters[network.offsets[1]..];
    let zero = simd.splat_f64s(0.0);
    let rate = simd.splat_f64s(learning_rate);
    let (mut deltas, mut sums, mut weights) = ([zero; V], [zero; V], [zero; V]);
    for (vector, row) in weights.iter_mut().zip(second[..rows].chunks(S::F64_LANES)) {
        *vector = load(simd, row);
    }
    let [mut first_bias, mut second_bias] = [second[rows], second[rows + 1]];
    let old = (simd.splat_f64s(first_bias), weights, second_bias);
    if let Some(before) = &mut before {
        before.copy_from_slice(panel);
    }
    let mut total = 0.0;
    let mut last: Option<&[f64]> = None;
    for (x, target) in inputs.chunks_exact(columns).zip(targets) {
        let mut old_sums = [zero; V];
        match (last, &before) {
            // The old weights' sums have no part in the chain: they fill the time in which it waits.
            (Some(last), Some(before)) => {
                sums = [zero; V];
                let mut others = sums;
                let weights = panel.as_chunks_mut::<V>().0.iter_mut().zip(before.as_chunks::<V>().0);
                for ((weights, before), (&last_j, &x_j)) in weights.zip(last.iter().zip(x)) {
                    add_products(simd, &mut old_sums, before, x_j);
                    update(simd, weights, &deltas, last_j, rate);
                    add_products(simd, &mut sums, weights, x_j);
                    split(&mut sums, &mut others);
                }
                join(simd, &mut sums, others);
            }
            _ => {
                let pass = Pass { update: last, next: Some(x), learning_rate };
                panel_pass::<S, V>(simd, panel, &deltas, pass, &mut sums);
                old_sums = sums;
            }
        }
        if before.is_some() {
            let d = target - second_layer(simd, old_sums, old, rows).1;
            total += d * d;
        }
        let (values, output) =
            second_layer(simd, sums, (simd.splat_f64s(first_bias), weights, second_bias), rows);
        let slope = 2.0 * (output - target);
        let slopes = simd.splat_f64s(slope);
        for ((delta, w_i), value) in deltas.iter_mut().zip(&mut weights).zip(values) {
            *delta = add_product(simd, zero, slopes, *w_i);
            *w_i = descend(simd, *w_i, rate, slopes, value);
        }
        second_bias -= learning_rate * (0.0 + slope);
        first_bias -= learning_rate * add_lanes(simd, deltas, rows);
        last = Some(x);
    }
    panel_pass::<S, V>(simd, panel, &deltas, Pass { update: last, next: None, learning_rate }, &mut sums);
    for (vector, row) in weights.into_iter().zip(second[..rows].chunks_mut(S::F64_LANES)) {
        store::<S>(row, vector);
    }
    second[rows..].copy_from_slice(&[first_bias, second_bias]);
    before.map(|_| total / targets.len() as f64)
}

/// The first layer's outputs, from its sums, and the network's.
#[inline(always)]
fn second_layer<S: Simd, const V: usize>(
    simd: S,
    sums: [S::f64s; V],
    (first_bias, weights, second_bias): (S::f64s, [S::f64s; V], f64),
    rows: usize,
) -> ([S::f64s; V], f64) {
    let values = sums.map(|sum| simd.add_f64s(sum, first_bias));
    let mut products = values;
    for (product, w_i) in products.iter_mut().zip(weights) {
        *product = simd.mul_f64s(*product, w_i);
    }
    (values, add_lanes(simd, products, rows) + second_bias)
}
