//! The network: every parameter in one flat vector, one forward pass, two losses.
//!
//! Letters used below: `x` a layer's inputs, `w_ij` the weight from input j to output i, `d` target
//! minus output. Every sum runs left to right from 0.0, one rounded product and then one rounded
//! addition a term. `Iterator::sum` starts from -0.0, so it is not used.

use std::collections::TryReserveError;

use crate::rng::Random;

/// Layers of linear neurons without activation function, one bias a layer.
pub struct Network {
    /// (rows, columns) of the weights of layers 1 .. L: (n1, n0) .. (nL, nL-1).
    pub shapes: Vec<(usize, usize)>,
    /// Where in `parameters` each layer's weights begin; the last one is the first bias.
    pub offsets: Vec<usize>,
    /// All weights, layer after layer and row-major within each, then the L biases.
    pub parameters: Vec<f64>,
}

impl Network {
    /// Draw every parameter from uniform(-1, 1) in the order in which it is stored.
    ///
    /// # Errors
    /// When the parameters cannot be held in memory.
    pub fn new(layers: &[usize], rng: &mut Random) -> Result<Self, TryReserveError> {
        let shapes: Vec<_> = layers.windows(2).map(|pair| (pair[1], pair[0])).collect();
        let mut offsets = vec![0];
        for (k, (rows, columns)) in shapes.iter().enumerate() {
            offsets.push(offsets[k] + rows * columns);
        }
        let count = offsets[shapes.len()] + shapes.len();
        let mut parameters = Vec::new();
        parameters.try_reserve_exact(count)?;
        parameters.extend((0..count).map(|_| rng.uniform(-1.0, 1.0)));
        Ok(Self { shapes, offsets, parameters })
    }

    /// The L biases.
    pub fn biases(&self) -> &[f64] {
        &self.parameters[self.offsets[self.shapes.len()]..]
    }

    /// Run the layers from `first` on: the inputs of layer `first` in, the nL outputs of the network back.
    ///
    /// `scratch` lends its memory, so that a pass allocates nothing once the buffers have grown.
    #[inline(always)]
    pub fn forward<'s>(&self, x: &[f64], first: usize, scratch: &'s mut Scratch) -> &'s [f64] {
        let Scratch { inputs, outputs } = scratch;
        if first == self.shapes.len() {
            inputs.clear();
            inputs.extend_from_slice(x);
            return inputs;
        }
        let mut rows = self.shapes[first].0;
        self.layer_forward(first, x, at_least(inputs, rows));
        for k in first + 1..self.shapes.len() {
            let columns = rows;
            rows = self.shapes[k].0;
            self.layer_forward(k, &inputs[..columns], at_least(outputs, rows));
            std::mem::swap(inputs, outputs);
        }
        &inputs[..rows]
    }

    /// Run layer `k` on its inputs `x` and write what comes out to `outputs`, one for each row.
    ///
    /// Two rows are run together: a processor adds to one sum while it waits for the other.
    #[inline(always)]
    pub fn layer_forward(&self, k: usize, x: &[f64], outputs: &mut [f64]) {
        let bias = self.biases()[k];
        let mut weights = &self.parameters[self.offsets[k]..self.offsets[k + 1]];
        let (pairs, last) = outputs.as_chunks_mut();
        for pair in pairs {
            let (row, next_row);
            (row, weights) = weights.split_at(x.len());
            (next_row, weights) = weights.split_at(x.len());
            let (mut total, mut next_total) = (0.0, 0.0);
            for ((x_j, w_ij), w_nj) in x.iter().zip(row).zip(next_row) {
                total += x_j * w_ij;
                next_total += x_j * w_nj;
            }
            *pair = [total + bias, next_total + bias];
        }
        for output in last {
            let mut total = 0.0;
            for (x_j, w_ij) in x.iter().zip(weights) {
                total += x_j * w_ij;
            }
            *output = total + bias;
        }
    }

    /// How many inputs and outputs the network has: n0 and nL.
    pub fn ends(&self) -> (usize, usize) {
        (self.shapes[0].1, self.shapes[self.shapes.len() - 1].0)
    }
}

/// The first `count` values of a buffer. It is never made shorter: to grow again would take a call in every pass.
#[inline(always)]
fn at_least(buffer: &mut Vec<f64>, count: usize) -> &mut [f64] {
    if buffer.len() < count {
        buffer.resize(count, 0.0);
    }
    &mut buffer[..count]
}

/// The two buffers between which a forward pass swaps its layers' values.
#[derive(Default)]
pub struct Scratch {
    pub(crate) inputs: Vec<f64>,
    pub(crate) outputs: Vec<f64>,
}

/// The mean of the squared differences over one sample's outputs.
#[inline(always)]
pub fn sample_loss(target: &[f64], output: &[f64]) -> f64 {
    let mut total = 0.0;
    for (t, o) in target.iter().zip(output) {
        let d = t - o;
        total += d * d;
    }
    total / target.len() as f64
}

/// The mean of the squared differences over all samples and outputs; both data sets are row-major.
pub fn overall_loss(network: &Network, inputs: &[f64], targets: &[f64], scratch: &mut Scratch) -> f64 {
    let (features, outputs) = network.ends();
    let mut total = 0.0;
    for (x, target) in inputs.chunks_exact(features).zip(targets.chunks_exact(outputs)) {
        for (t, o) in target.iter().zip(network.forward(x, 0, scratch)) {
            let d = t - o;
            total += d * d;
        }
    }
    total / targets.len() as f64
}
