//! Central differences as in `Naive`, from running sums that all perturbations of a row share.
//!
//! Weight (i, q) enters row i's sum at term q. The terms before it are summed once for the whole row,
//! the terms after it are multiplied once for the whole row. In the next layer only input i differs, so
//! the same holds there; from the layer after that on, everything differs.

use super::Gradient;
use crate::network::{Network, Scratch, sample_loss};

/// The same bits as `Naive`, with only the work that a parameter touches.
#[derive(Default)]
pub struct Incremental {
    layers: Vec<LayerSums>,
    outputs: Vec<f64>,
    scratch: Scratch,
}

/// One layer's inputs, its products `x_j * w_ij`, and for each row the sums before each term, then the output.
#[derive(Default)]
struct LayerSums {
    inputs: Vec<f64>,
    terms: Vec<f64>,
    prefixes: Vec<f64>,
    sums: Vec<f64>,
}

impl Gradient for Incremental {
    fn find(&mut self, network: &mut Network, x: &[f64], target: &[f64], step: f64, slopes: &mut [f64]) {
        self.row_sums(network, x);
        let first_bias = network.offsets[network.shapes.len()];
        let mut p = 0;
        for (k, &(rows, columns)) in network.shapes.iter().enumerate() {
            let bias = network.biases()[k];
            for i in 0..rows {
                for q in 0..columns {
                    let sums = &self.layers[k];
                    let x_q = sums.inputs[q];
                    let mut up = sums.prefixes[i * columns + q] + x_q * (network.parameters[p] + step);
                    let mut down = sums.prefixes[i * columns + q] + x_q * (network.parameters[p] - step);
                    for term in &sums.terms[i * columns + q + 1..(i + 1) * columns] {
                        up += term;
                        down += term;
                    }
                    let loss_up = self.loss_with_output(network, target, k, i, up + bias);
                    let loss_down = self.loss_with_output(network, target, k, i, down + bias);
                    slopes[p] = (loss_up - loss_down) / (2.0 * step);
                    p += 1;
                }
            }
            let mut loss_with_bias = |bias: f64| {
                self.outputs.clear();
                self.outputs.extend(self.layers[k].sums.iter().map(|sum| sum + bias));
                sample_loss(target, network.forward(&self.outputs, k + 1, &mut self.scratch))
            };
            let loss_up = loss_with_bias(bias + step);
            let loss_down = loss_with_bias(bias - step);
            slopes[first_bias + k] = (loss_up - loss_down) / (2.0 * step);
        }
    }
}

impl Incremental {
    /// Run the network on `x` and keep every layer's inputs, products and running sums.
    fn row_sums(&mut self, network: &Network, x: &[f64]) {
        self.layers.resize_with(network.shapes.len(), LayerSums::default);
        let mut inputs = x.to_vec();
        for (k, (sums, &(_, columns))) in self.layers.iter_mut().zip(&network.shapes).enumerate() {
            sums.terms.clear();
            sums.prefixes.clear();
            sums.sums.clear();
            for row in network.parameters[network.offsets[k]..network.offsets[k + 1]].chunks_exact(columns) {
                let mut total = 0.0;
                for (x_j, w_ij) in inputs.iter().zip(row) {
                    let term = x_j * w_ij;
                    sums.terms.push(term);
                    sums.prefixes.push(total);
                    total += term;
                }
                sums.sums.push(total);
            }
            sums.inputs = inputs;
            inputs = sums.sums.iter().map(|sum| sum + network.biases()[k]).collect();
        }
    }

    /// The sample's loss if output `i` of layer `k` were `value`.
    fn loss_with_output(&mut self, network: &Network, target: &[f64], k: usize, i: usize, value: f64) -> f64 {
        let outputs = &mut self.outputs;
        outputs.clear();
        if k + 1 == self.layers.len() {
            outputs.extend(self.layers[k].sums.iter().map(|sum| sum + network.biases()[k]));
            outputs[i] = value;
            return sample_loss(target, outputs);
        }
        let (rows, columns) = network.shapes[k + 1];
        let next = &self.layers[k + 1];
        for o in 0..rows {
            let w_oi = network.parameters[network.offsets[k + 1] + o * columns + i];
            let mut total = next.prefixes[o * columns + i] + value * w_oi;
            for term in &next.terms[o * columns + i + 1..(o + 1) * columns] {
                total += term;
            }
            outputs.push(total + network.biases()[k + 1]);
        }
        sample_loss(target, network.forward(outputs, k + 2, &mut self.scratch))
    }
}
