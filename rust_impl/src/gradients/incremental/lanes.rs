//! The inner loops: many perturbed networks side by side in the lanes of vector registers.
//!
//! A lane holds one perturbed network, never a part of a sum, so every sum keeps its terms in their order.
//! `N` registers go up (p + h) and `N` go down (p - h): with several sums under way at once, an addition
//! need not wait for the one before it. Lanes without a network compute what is never read.
//!
//! Every function is inlined into the one that `Arch::dispatch` compiles for the instruction set at hand;
//! as a call of its own it would lose the wide registers. A closure cannot be told to be inlined, so there
//! is none here, nor an adapter such as `array::map` that takes one.

use pulp::Simd;

use super::sums::LayerSums;
use crate::wide::{LANES, first_lanes, load};

/// N vectors of networks with the parameter raised, then as many with it lowered.
pub type Pair<S, const N: usize> = [[<S as Simd>::f64s; N]; 2];

/// Whether so many vectors of sums of either sign, and what is added to them, fit into the registers.
pub const fn fits<S: Simd>(vectors: usize) -> bool {
    4 * vectors <= S::REGISTER_COUNT
}

/// The first whole vectors of `values` as pairs.
#[inline(always)]
pub fn pairs_mut<S: Simd, const N: usize>(values: &mut [f64]) -> &mut [Pair<S, N>] {
    S::as_mut_simd_f64s(values).0.as_chunks_mut().0.as_chunks_mut().0
}

/// Take `rate * slope` off each parameter; there may be fewer parameters than slopes.
#[inline(always)]
pub fn update<S: Simd>(simd: S, parameters: &mut [f64], rate: f64, slopes: S::f64s) {
    if let Some(place) = S::as_mut_simd_f64s(parameters).0.first_mut() {
        *place = simd.sub_f64s(*place, simd.mul_f64s(simd.splat_f64s(rate), slopes));
        return;
    }
    let mut lanes = [0.0; LANES];
    S::as_mut_simd_f64s(&mut lanes).0[0] = slopes;
    for (p, slope) in parameters.iter_mut().zip(lanes) {
        *p -= rate * slope;
    }
}

/// Add one and the same term in every lane.
#[inline(always)]
pub fn add_to_all<S: Simd, const N: usize>(simd: S, totals: &mut Pair<S, N>, term: f64) {
    let term = simd.splat_f64s(term);
    for vectors in totals {
        for total in vectors {
            *total = simd.add_f64s(*total, term);
        }
    }
}

/// The sums of a row that end with the term whose weight is perturbed, another one in each lane.
#[inline(always)]
pub fn perturbed_terms<S: Simd, const N: usize>(
    simd: S,
    x: &[f64],
    weights: &[f64],
    before: &[f64],
    step: f64,
) -> Pair<S, N> {
    let step = simd.splat_f64s(step);
    let mut totals = [[step; N]; 2];
    perturbed_vector::<S, N, 0>(simd, &mut totals, x, weights, before, step);
    perturbed_vector::<S, N, 1>(simd, &mut totals, x, weights, before, step);
    perturbed_vector::<S, N, 2>(simd, &mut totals, x, weights, before, step);
    perturbed_vector::<S, N, 3>(simd, &mut totals, x, weights, before, step);
    perturbed_vector::<S, N, 4>(simd, &mut totals, x, weights, before, step);
    perturbed_vector::<S, N, 5>(simd, &mut totals, x, weights, before, step);
    perturbed_vector::<S, N, 6>(simd, &mut totals, x, weights, before, step);
    totals
}

/// Vector `V` of those; as a loop over the vectors it would keep all of them in memory.
#[inline(always)]
fn perturbed_vector<S: Simd, const N: usize, const V: usize>(
    simd: S,
    [up, down]: &mut Pair<S, N>,
    x: &[f64],
    weights: &[f64],
    before: &[f64],
    step: S::f64s,
) {
    if V >= N {
        return;
    }
    let q = V * S::F64_LANES;
    let w = load(simd, &weights[q.min(weights.len())..]);
    let (x, before) = (S::as_simd_f64s(x).0[V], S::as_simd_f64s(before).0[V]);
    up[V] = simd.add_f64s(before, simd.mul_f64s(x, simd.add_f64s(w, step)));
    down[V] = simd.add_f64s(before, simd.mul_f64s(x, simd.sub_f64s(w, step)));
}

/// Add the rest of a row's terms to sums of which lane r, counted over all N vectors, ends with term r.
///
/// `terms` is padded with -0.0, which changes no sum, to N vectors at least.
#[inline(always)]
pub fn finish_row<S: Simd, const N: usize>(simd: S, totals: &mut Pair<S, N>, terms: &[f64]) {
    let (head, rest) = terms.split_at(N * S::F64_LANES);
    start_vector::<S, N, 0>(simd, totals, head);
    start_vector::<S, N, 1>(simd, totals, head);
    start_vector::<S, N, 2>(simd, totals, head);
    start_vector::<S, N, 3>(simd, totals, head);
    start_vector::<S, N, 4>(simd, totals, head);
    start_vector::<S, N, 5>(simd, totals, head);
    start_vector::<S, N, 6>(simd, totals, head);
    for &term in rest {
        add_to_all(simd, totals, term);
    }
}

/// Add the terms that belong to the lanes of vector `V` to the vectors before it, and to those lanes of it
/// that have their own term behind them.
#[inline(always)]
fn start_vector<S: Simd, const N: usize, const V: usize>(simd: S, totals: &mut Pair<S, N>, head: &[f64]) {
    if V >= N {
        return;
    }
    let nothing = simd.splat_f64s(-0.0);
    for (s, &term) in head[V * S::F64_LANES..][..S::F64_LANES].iter().enumerate() {
        let term = simd.splat_f64s(term);
        let started = first_lanes(simd, s);
        let started_term = simd.select_f64s(started, term, nothing);
        for vectors in totals.iter_mut() {
            for total in &mut vectors[..V] {
                *total = simd.add_f64s(*total, term);
            }
            if s > 0 {
                vectors[V] = simd.add_f64s(vectors[V], started_term);
            }
        }
    }
}

/// Output `o` of a layer of which input `i` alone is perturbed.
#[inline(always)]
pub fn next_output<S: Simd, const N: usize>(
    simd: S,
    layer: &LayerSums,
    weights: &[f64],
    (o, i): (usize, usize),
    input: &Pair<S, N>,
) -> Pair<S, N> {
    let mut total = first_sums(simd, layer, weights, (o, i), input);
    for &term in layer.terms_after(o, i) {
        add_to_all(simd, &mut total, term);
    }
    add_to_all(simd, &mut total, layer.bias);
    total
}

/// Outputs `o` and `o + 1` side by side, for twice as many sums under way at once.
#[inline(always)]
pub fn next_two_outputs<S: Simd, const N: usize>(
    simd: S,
    layer: &LayerSums,
    weights: &[f64],
    (o, i): (usize, usize),
    input: &Pair<S, N>,
) -> [Pair<S, N>; 2] {
    let mut first = first_sums(simd, layer, weights, (o, i), input);
    let mut second = first_sums(simd, layer, weights, (o + 1, i), input);
    for (&s, &t) in layer.terms_after(o, i).iter().zip(layer.terms_after(o + 1, i)) {
        add_to_all(simd, &mut first, s);
        add_to_all(simd, &mut second, t);
    }
    add_to_all(simd, &mut first, layer.bias);
    add_to_all(simd, &mut second, layer.bias);
    [first, second]
}

/// The sum of row `o` up to and with the perturbed term `i`; the terms before it are the same in every lane.
#[inline(always)]
fn first_sums<S: Simd, const N: usize>(
    simd: S,
    layer: &LayerSums,
    weights: &[f64],
    (o, i): (usize, usize),
    input: &Pair<S, N>,
) -> Pair<S, N> {
    let before = simd.splat_f64s(layer.prefixes[o * layer.stride + i]);
    let weight = simd.splat_f64s(weights[o * layer.columns + i]);
    let mut totals = *input;
    for vectors in &mut totals {
        for total in vectors {
            *total = simd.add_f64s(before, simd.mul_f64s(*total, weight));
        }
    }
    totals
}

/// The sum of a row of which every input is perturbed; `inputs` holds a pair for each.
#[inline(always)]
pub fn row_sum<S: Simd, const N: usize>(simd: S, inputs: &[Pair<S, N>], row: &[f64]) -> Pair<S, N> {
    let mut total = [[simd.splat_f64s(0.0); N]; 2];
    for (x, &w) in inputs.iter().zip(row) {
        add_products(simd, &mut total, x, w);
    }
    total
}

/// The sums of two rows side by side, for twice as many sums under way at once.
#[inline(always)]
pub fn two_row_sums<S: Simd, const N: usize>(
    simd: S,
    inputs: &[Pair<S, N>],
    rows: [&[f64]; 2],
) -> [Pair<S, N>; 2] {
    let zero = simd.splat_f64s(0.0);
    let (mut first, mut second) = ([[zero; N]; 2], [[zero; N]; 2]);
    for ((x, &v), &w) in inputs.iter().zip(rows[0]).zip(rows[1]) {
        add_products(simd, &mut first, x, v);
        add_products(simd, &mut second, x, w);
    }
    [first, second]
}

/// Add `x * weight` in every lane.
#[inline(always)]
pub fn add_products<S: Simd, const N: usize>(simd: S, totals: &mut Pair<S, N>, x: &Pair<S, N>, weight: f64) {
    let weight = simd.splat_f64s(weight);
    for (totals, x) in totals.iter_mut().zip(x) {
        for (total, x) in totals.iter_mut().zip(x) {
            *total = simd.add_f64s(*total, simd.mul_f64s(*x, weight));
        }
    }
}

/// Add in every lane what that lane of `terms` holds.
#[inline(always)]
pub fn add<S: Simd, const N: usize>(simd: S, totals: &mut Pair<S, N>, terms: &Pair<S, N>) {
    for (totals, terms) in totals.iter_mut().zip(terms) {
        for (total, term) in totals.iter_mut().zip(terms) {
            *total = simd.add_f64s(*total, *term);
        }
    }
}

/// Add the square of `target - output` in every lane.
#[inline(always)]
pub fn add_square<S: Simd, const N: usize>(
    simd: S,
    totals: &mut Pair<S, N>,
    target: f64,
    output: &Pair<S, N>,
) {
    let target = simd.splat_f64s(target);
    for (totals, output) in totals.iter_mut().zip(output) {
        for (total, output) in totals.iter_mut().zip(output) {
            let d = simd.sub_f64s(target, *output);
            *total = simd.add_f64s(*total, simd.mul_f64s(d, d));
        }
    }
}

/// The central difference in every lane, from the sums of squares over `outputs` outputs.
#[inline(always)]
pub fn slopes<S: Simd, const N: usize>(
    simd: S,
    totals: Pair<S, N>,
    outputs: usize,
    step: f64,
) -> [S::f64s; N] {
    let [mut up, mut down] = totals;
    if outputs > 1 {
        let count = simd.splat_f64s(outputs as f64);
        for total in up.iter_mut().chain(&mut down) {
            *total = simd.div_f64s(*total, count);
        }
    }
    let width = simd.splat_f64s(2.0 * step);
    for (up, down) in up.iter_mut().zip(down) {
        *up = simd.div_f64s(simd.sub_f64s(*up, down), width);
    }
    up
}
