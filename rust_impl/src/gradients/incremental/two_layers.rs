//! Epochs of small networks of two layers with one output, in steps without a call.
//!
//! A lane holds a row of the first layer, whose weights have an order of their own meanwhile (`first_layer`). So every
//! term is found as part of the vector that it is used in, and the networks with another weight in the same column all
//! have the same number of terms left in their row.

use pulp::{Simd, WithSimd};

use super::lanes::{self, Pair};
use crate::first_layer::FirstLayer;
use crate::network::Network;
use crate::wide::{LANES, add_lanes, first_lanes, load, store};

/// The most rows of the first layer, in the widest registers.
pub const ROWS: usize = FirstLayer::PANEL * LANES;

/// The most columns: with longer rows, too few of their sums would be under way at once.
pub const COLUMNS: usize = 32;

/// A training step for each sample; false if the network's steps are not those of this module.
pub struct Epoch<'a> {
    pub first: &'a mut FirstLayer,
    pub network: &'a mut Network,
    pub inputs: &'a [f64],
    pub targets: &'a [f64],
    pub step: f64,
    pub learning_rate: f64,
}

impl WithSimd for Epoch<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let [(rows, columns), (1, _)] = self.network.shapes[..] else { return false };
        if rows > FirstLayer::PANEL * S::F64_LANES || columns > COLUMNS {
            return false;
        }
        match rows.div_ceil(S::F64_LANES) {
            1 => self.train::<S, 1>(simd),
            2 => self.train::<S, 2>(simd),
            3 => self.train::<S, 3>(simd),
            _ => self.train::<S, { FirstLayer::PANEL }>(simd),
        }
        true
    }
}

impl Epoch<'_> {
    /// Train where N vectors hold a column of the first layer.
    #[inline(always)]
    fn train<S: Simd, const N: usize>(self, simd: S) {
        let Self { first, network, inputs, targets, step, learning_rate } = self;
        let (rows, columns) = network.shapes[0];
        let (first_weights, rest) = network.parameters.split_at_mut(rows * columns);
        first.pack(simd, first_weights, rows);
        let zeros = [simd.splat_f64s(0.0); N];
        let (mut terms, mut second) = ([zeros; COLUMNS], zeros);
        for (vector, weights) in second.iter_mut().zip(rest[..rows].chunks(S::F64_LANES)) {
            *vector = load(simd, weights);
        }
        let (before, after) = (zeros, [zeros; ROWS]);
        let biases = [rest[rows], rest[rows + 1]];
        let mut sample = Sample { rows, before, after, target: 0.0, biases, step, learning_rate };
        for (x, &target) in inputs.chunks_exact(columns).zip(targets) {
            sample.target = target;
            let columns = first.panel::<S>().as_chunks_mut::<N>().0;
            let mut sums = zeros;
            for ((terms, weights), &x_j) in terms.iter_mut().zip(&*columns).zip(x) {
                *terms = multiply(simd, &[simd.splat_f64s(x_j); N], weights);
                sums = add(simd, &sums, terms);
            }
            let outputs = add(simd, &sums, &[simd.splat_f64s(sample.biases[0]); N]);
            sample.run(simd, multiply(simd, &outputs, &second));
            let mut before = zeros;
            for (q, (weights, &x_q)) in columns.iter_mut().zip(x).enumerate() {
                let mut totals = perturb(simd, weights, step);
                for total in &mut totals {
                    *total = add(simd, &before, &multiply(simd, &[simd.splat_f64s(x_q); N], total));
                }
                before = add(simd, &before, &terms[q]);
                for terms in &terms[q + 1..x.len()] {
                    totals = [add(simd, &totals[0], terms), add(simd, &totals[1], terms)];
                }
                lanes::add_to_all(simd, &mut totals, sample.biases[0]);
                let [up, down] = totals;
                sample.update(simd, weights, [multiply(simd, &up, &second), multiply(simd, &down, &second)]);
            }
            let biases = sample.updated_biases(simd, &sums, &second);
            let [up, down] = perturb(simd, &second, step);
            sample.update(
                simd,
                &mut second,
                [multiply(simd, &outputs, &up), multiply(simd, &outputs, &down)],
            );
            sample.biases = biases;
        }
        first.unpack(simd, first_weights);
        for (vector, weights) in second.into_iter().zip(rest[..rows].chunks_mut(S::F64_LANES)) {
            store::<S>(weights, vector);
        }
        rest[rows..].copy_from_slice(&sample.biases);
    }
}

/// What the perturbed networks share on a sample, from the terms of the second layer on.
struct Sample<S: Simd, const N: usize> {
    rows: usize,
    /// The sum of the second layer's terms before the lane's own.
    before: [S::f64s; N],
    /// Each term in the lanes before its own; in the others -0.0, which changes no sum.
    after: [[S::f64s; N]; ROWS],
    target: f64,
    biases: [f64; 2],
    step: f64,
    learning_rate: f64,
}

impl<S: Simd, const N: usize> Sample<S, N> {
    /// Run the second layer, whose terms these are.
    #[inline(always)]
    fn run(&mut self, simd: S, terms: [S::f64s; N]) {
        let (lanes, nothing) = (S::F64_LANES, simd.splat_f64s(-0.0));
        self.before = [simd.splat_f64s(0.0); N];
        let mut values = [0.0; ROWS];
        S::as_mut_simd_f64s(&mut values).0[..N].copy_from_slice(&terms);
        for (i, (&term, after)) in values[..self.rows].iter().zip(&mut self.after).enumerate() {
            let term = simd.splat_f64s(term);
            for (v, (after, before)) in after.iter_mut().zip(&mut self.before).enumerate() {
                let (own, next) = (i.saturating_sub(v * lanes), (i + 1).saturating_sub(v * lanes));
                *after = simd.select_f64s(first_lanes(simd, own), term, nothing);
                let term_of_later = simd.select_f64s(first_lanes(simd, next), nothing, term);
                *before = simd.add_f64s(*before, term_of_later);
            }
        }
    }

    /// Update weights from what each makes of its lane's term in the second layer when it is raised and lowered.
    #[inline(always)]
    fn update(&self, simd: S, weights: &mut [S::f64s; N], terms: Pair<S, N>) {
        let mut totals = [add(simd, &self.before, &terms[0]), add(simd, &self.before, &terms[1])];
        for after in &self.after[1..self.rows] {
            totals = [add(simd, &totals[0], after), add(simd, &totals[1], after)];
        }
        lanes::add_to_all(simd, &mut totals, self.biases[1]);
        let mut losses = [[simd.splat_f64s(0.0); N]; 2];
        lanes::add_square(simd, &mut losses, self.target, &totals);
        let rate = simd.splat_f64s(self.learning_rate);
        for (weight, slope) in weights.iter_mut().zip(lanes::slopes(simd, losses, 1, self.step)) {
            *weight = simd.sub_f64s(*weight, simd.mul_f64s(rate, slope));
        }
    }

    /// The biases after the update, from the sums of the first layer.
    #[inline(always)]
    fn updated_biases(&self, simd: S, sums: &[S::f64s; N], second: &[S::f64s; N]) -> [f64; 2] {
        let mut updated = self.biases;
        for (k, bias) in updated.iter_mut().enumerate() {
            let mut losses = [0.0; 2];
            for (loss, step) in losses.iter_mut().zip([self.step, -self.step]) {
                let mut biases = self.biases;
                biases[k] += step;
                let outputs = add(simd, sums, &[simd.splat_f64s(biases[0]); N]);
                let sum = add_lanes(simd, multiply(simd, &outputs, second), self.rows);
                let d = self.target - (sum + biases[1]);
                *loss = d * d;
            }
            *bias -= self.learning_rate * ((losses[0] - losses[1]) / (2.0 * self.step));
        }
        updated
    }
}

/// The weights, raised and lowered.
#[inline(always)]
fn perturb<S: Simd, const N: usize>(simd: S, weights: &[S::f64s; N], step: f64) -> Pair<S, N> {
    let [raised, lowered] = [[simd.splat_f64s(step); N], [simd.splat_f64s(-step); N]];
    [add(simd, weights, &raised), add(simd, weights, &lowered)]
}

#[inline(always)]
fn add<S: Simd, const N: usize>(simd: S, a: &[S::f64s; N], b: &[S::f64s; N]) -> [S::f64s; N] {
    let mut sums = *a;
    for v in 0..N {
        sums[v] = simd.add_f64s(a[v], b[v]);
    }
    sums
}

#[inline(always)]
fn multiply<S: Simd, const N: usize>(simd: S, a: &[S::f64s; N], b: &[S::f64s; N]) -> [S::f64s; N] {
    let mut products = *a;
    for v in 0..N {
        products[v] = simd.mul_f64s(a[v], b[v]);
    }
    products
}
