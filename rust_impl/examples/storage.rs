//! Times a forward pass with the weights in one flat vector and in nested rows, and prints seconds a pass.
//!
//! One line a shape: `LAYERS FLAT NESTED`. The twin of `python_impl/benches/storage.py`, with the same sums, bit
//! for bit, in the order flat, nested, nested, flat.

use std::hint::black_box;
use std::time::Instant;

use flatnet::network::{Network, Scratch};
use flatnet::rng::Random;

const SHAPES: [[usize; 3]; 4] = [[10, 5, 1], [32, 16, 1], [64, 32, 1], [256, 128, 1]];
/// Seconds that the passes between two readings of the clock take, at least.
const BATCH_S: f64 = 0.01;

/// The network with a vector for each layer and in it one for each row.
struct NestedNetwork {
    weights: Vec<Vec<Vec<f64>>>,
    biases: Vec<f64>,
}

impl NestedNetwork {
    fn new(network: &Network) -> Self {
        let mut weights = Vec::new();
        for (k, &(_, columns)) in network.shapes.iter().enumerate() {
            let layer = &network.parameters[network.offsets[k]..network.offsets[k + 1]];
            weights.push(layer.chunks_exact(columns).map(<[f64]>::to_vec).collect());
        }
        Self { weights, biases: network.biases().to_vec() }
    }

    /// The pass of `Network::forward`, with its two buffers: n0 inputs in, nL outputs back.
    fn forward<'v>(&self, x: &[f64], inputs: &'v mut Vec<f64>, outputs: &mut Vec<f64>) -> &'v [f64] {
        inputs.resize(self.weights[0].len(), 0.0);
        layer_forward(&self.weights[0], self.biases[0], x, inputs);
        for (layer, bias) in self.weights.iter().zip(&self.biases).skip(1) {
            outputs.resize(layer.len(), 0.0);
            layer_forward(layer, *bias, inputs, outputs);
            std::mem::swap(inputs, outputs);
        }
        inputs
    }
}

#[inline(always)]
fn layer_forward(rows: &[Vec<f64>], bias: f64, x: &[f64], outputs: &mut [f64]) {
    for (output, row) in outputs.iter_mut().zip(rows) {
        let mut total = 0.0;
        for (x_j, w_ij) in x.iter().zip(row) {
            total += x_j * w_ij;
        }
        *output = total + bias;
    }
}

/// The seconds of one of so many calls.
fn seconds(mut call: impl FnMut() -> f64, times: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        black_box(call());
    }
    start.elapsed().as_secs_f64() / f64::from(times)
}

fn main() {
    for layers in SHAPES {
        let mut rng = Random::new(1);
        let network = Network::new(&layers, &mut rng).expect("it fits into memory");
        let nested = NestedNetwork::new(&network);
        let x: Vec<f64> = (0..layers[0]).map(|_| rng.uniform(0.0, 1.0)).collect();
        let mut scratch = Scratch::default();
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        let mut flat_pass = || network.forward(black_box(&x), 0, &mut scratch)[0];
        let mut nested_pass = || nested.forward(black_box(&x), &mut inputs, &mut outputs)[0];
        assert_eq!(flat_pass().to_bits(), nested_pass().to_bits());
        let mut times = 1;
        while seconds(&mut flat_pass, times) * f64::from(times) < BATCH_S {
            times *= 2;
        }
        let first = seconds(&mut flat_pass, times);
        let second = seconds(&mut nested_pass, times);
        let third = seconds(&mut nested_pass, times);
        let fourth = seconds(&mut flat_pass, times);
        let sizes = layers.map(|size| size.to_string()).join("-");
        println!("{sizes} {:e} {:e}", (first + fourth) / 2.0, (second + third) / 2.0);
    }
}
