//! What all perturbations of one sample share: each layer's products and running sums.

use super::operations;
use crate::network::Network;
use crate::wide::{Aligned, LANES};

/// One layer on one sample; the rows of `terms` and `prefixes` are `stride` values apart.
pub struct LayerSums {
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
    /// How many additions the slopes of its weights take.
    pub additions: u128,
    /// The bias that the sample was run with.
    pub bias: f64,
    /// The layer's inputs, padded.
    pub inputs: Aligned,
    /// The products `x_j * w_ij`, padded with -0.0, which can be added to any sum without a change.
    pub terms: Aligned,
    /// For each product the sum of those before it in its row.
    pub prefixes: Aligned,
    /// Each row's whole sum, without the bias.
    pub sums: Vec<f64>,
    /// The layer's outputs.
    pub outputs: Vec<f64>,
    /// The squares of the last layer's differences from the target.
    pub squares: Vec<f64>,
    /// For each square the sum of those before it.
    pub squares_before: Vec<f64>,
}

impl LayerSums {
    /// The memory for each layer of a network.
    pub fn of(network: &Network) -> Vec<Self> {
        let mut layers = Vec::new();
        for (k, &(rows, columns)) in network.shapes.iter().enumerate() {
            let stride = columns.next_multiple_of(LANES);
            layers.push(Self {
                rows,
                columns,
                stride,
                additions: operations::weights(&network.shapes[k..]).additions,
                bias: 0.0,
                inputs: Aligned::new(0.0, stride),
                terms: Aligned::new(-0.0, rows * stride),
                prefixes: Aligned::new(0.0, rows * stride),
                sums: vec![0.0; rows],
                outputs: vec![0.0; rows],
                squares: vec![0.0; rows],
                squares_before: vec![0.0; rows],
            });
        }
        layers
    }

    /// How many values a layer keeps.
    pub fn values(rows: usize, columns: usize) -> usize {
        let stride = columns.next_multiple_of(LANES);
        stride + 2 * rows * stride + 4 * rows
    }

    /// The products of row `o` that come after that of input `i`.
    #[inline(always)]
    pub fn terms_after(&self, o: usize, i: usize) -> &[f64] {
        &self.terms[o * self.stride + i + 1..o * self.stride + self.columns]
    }

    /// Run the layer on `x`.
    #[inline(always)]
    pub fn run(&mut self, x: &[f64], weights: &[f64], bias: f64) {
        let (columns, stride) = (self.columns, self.stride);
        self.bias = bias;
        self.inputs[..columns].copy_from_slice(x);
        for (terms, row) in self.terms.chunks_exact_mut(stride).zip(weights.chunks_exact(columns)) {
            for ((term, x_j), w_ij) in terms.iter_mut().zip(x).zip(row) {
                *term = x_j * w_ij;
            }
        }
        if columns < SHORT {
            self.running_sums_of_short_rows();
        } else {
            self.running_sums();
        }
        for (output, sum) in self.outputs.iter_mut().zip(&self.sums) {
            *output = sum + bias;
        }
    }

    #[inline(always)]
    fn running_sums_of_short_rows(&mut self) {
        let terms = self.terms.chunks_exact(self.stride);
        let prefixes = self.prefixes.chunks_exact_mut(self.stride);
        for ((terms, prefixes), sum) in terms.zip(prefixes).zip(&mut self.sums) {
            let mut total = 0.0;
            for (prefix, term) in prefixes[..self.columns].iter_mut().zip(terms) {
                *prefix = total;
                total += term;
            }
            *sum = total;
        }
    }

    #[inline(always)]
    fn running_sums(&mut self) {
        let stride = self.stride;
        let terms = self.terms.chunks(TOGETHER * stride);
        let prefixes = self.prefixes.chunks_mut(TOGETHER * stride);
        for ((terms, prefixes), sums) in terms.zip(prefixes).zip(self.sums.chunks_mut(TOGETHER)) {
            running_sums(terms, prefixes, sums);
        }
    }

    /// Find the squares of the differences from `target`, and the sums before each, for the last layer.
    #[inline(always)]
    pub fn compare(&mut self, target: &[f64]) {
        let mut total = 0.0;
        let squares = self.squares.iter_mut().zip(&mut self.squares_before);
        for ((square, before), (t, o)) in squares.zip(target.iter().zip(&self.outputs)) {
            let d = t - o;
            *before = total;
            *square = d * d;
            total += *square;
        }
    }
}

/// Rows of so few columns are summed one after the other: the additions of several are under way at once.
const SHORT: usize = 16;

/// How many rows are summed together, a few terms of each in turn.
///
/// An addition has to wait for the one before it in its row, but not for those of the other rows.
const TOGETHER: usize = 8;

/// The sums before each term, and the whole sums, of a few rows.
#[inline(always)]
fn running_sums(terms: &[f64], prefixes: &mut [f64], sums: &mut [f64]) {
    let (terms, prefixes) = (terms.as_chunks::<LANES>().0, prefixes.as_chunks_mut::<LANES>().0);
    let chunks = terms.len() / sums.len();
    sums.fill(0.0);
    for first in 0..chunks {
        let terms = terms[first..].iter().step_by(chunks);
        let prefixes = prefixes[first..].iter_mut().step_by(chunks);
        for ((terms, prefixes), sum) in terms.zip(prefixes).zip(sums.iter_mut()) {
            let mut total = *sum;
            for (prefix, term) in prefixes.iter_mut().zip(terms) {
                *prefix = total;
                total += term;
            }
            *sum = total;
        }
    }
}
