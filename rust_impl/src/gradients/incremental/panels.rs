//! Whole layers of perturbed networks: a panel holds the values between two layers, a pair for each neuron.

use pulp::Simd;

use super::lanes::{self, Pair};

/// Whether so few registers are used for one output that two outputs side by side keep the adders busier.
pub const fn two_at_a_time<S: Simd, const N: usize>() -> bool {
    lanes::fits::<S>(2 * N)
}

/// The sums of a layer's rows, without the bias.
#[inline(always)]
pub fn layer_outputs<S: Simd, const N: usize>(
    simd: S,
    inputs: &[Pair<S, N>],
    weights: &[f64],
    outputs: &mut [Pair<S, N>],
) {
    let mut rows = weights.chunks_exact(inputs.len());
    if !two_at_a_time::<S, N>() {
        for (output, row) in outputs.iter_mut().zip(rows) {
            *output = lanes::row_sum(simd, inputs, row);
        }
        return;
    }
    let (twos, last) = outputs.as_chunks_mut();
    for outputs in twos {
        if let (Some(first), Some(second)) = (rows.next(), rows.next()) {
            *outputs = lanes::two_row_sums(simd, inputs, [first, second]);
        }
    }
    for (output, row) in last.iter_mut().zip(rows) {
        *output = lanes::row_sum(simd, inputs, row);
    }
}

/// The sums of squares over the outputs in a panel.
#[inline(always)]
pub fn squares<S: Simd, const N: usize>(simd: S, target: &[f64], outputs: &[Pair<S, N>]) -> Pair<S, N> {
    let mut totals = [[simd.splat_f64s(0.0); N]; 2];
    for (&t, output) in target.iter().zip(outputs) {
        lanes::add_square(simd, &mut totals, t, output);
    }
    totals
}

/// What is done with a layer's outputs as they are found, one after the other.
pub trait Sink<S: Simd, const N: usize> {
    /// Take output `o`, in every lane.
    fn take(&mut self, simd: S, o: usize, output: &Pair<S, N>);
}

/// Keep them.
pub struct Panel<'a, S: Simd, const N: usize>(pub &'a mut [Pair<S, N>]);

impl<S: Simd, const N: usize> Sink<S, N> for Panel<'_, S, N> {
    #[inline(always)]
    fn take(&mut self, _: S, o: usize, output: &Pair<S, N>) {
        self.0[o] = *output;
    }
}

/// Add them up as the one row of the layer after it does.
pub struct IntoRow<'a, S: Simd, const N: usize> {
    pub row: &'a [f64],
    pub total: &'a mut Pair<S, N>,
}

impl<S: Simd, const N: usize> Sink<S, N> for IntoRow<'_, S, N> {
    #[inline(always)]
    fn take(&mut self, simd: S, o: usize, output: &Pair<S, N>) {
        lanes::add_products(simd, self.total, output, self.row[o]);
    }
}
