//! The method without what makes it fast: the twin of Python's, and what the fast one must equal.

use crate::gradients::Gradient;
use crate::network::{Network, Scratch, sample_loss};

/// One perturbed network after the other, each sum from where the perturbation enters it.
pub struct PlainIncremental {
    step: f64,
    learning_rate: f64,
    scratch: Scratch,
}

/// The sum behind one output of a layer, ready for any of its terms to be replaced.
struct RowSum {
    weights: Vec<f64>,
    /// The products `x_j * w_ij`.
    terms: Vec<f64>,
    /// The sums of the terms before j, one more than terms: the last is the whole sum.
    prefixes: Vec<f64>,
}

/// A layer's inputs, its bias and the sum behind each of its outputs.
struct LayerSums {
    inputs: Vec<f64>,
    bias: f64,
    rows: Vec<RowSum>,
}

impl PlainIncremental {
    /// `step` is the h of the central difference.
    pub fn new(step: f64, learning_rate: f64) -> Self {
        Self { step, learning_rate, scratch: Scratch::default() }
    }

    /// The sample's loss if the sum of row `i` of layer `k` were `sum`.
    fn loss_by_sum(
        &mut self,
        network: &Network,
        layers: &[LayerSums],
        target: &[f64],
        (k, i): (usize, usize),
        sum: f64,
    ) -> f64 {
        let output = sum + layers[k].bias;
        let Some(next) = layers.get(k + 1) else {
            let mut outputs = layers[k].outputs(layers[k].bias);
            outputs[i] = output;
            return sample_loss(target, &outputs);
        };
        // In the next layer only input i differs; from the layer after that on, everything does.
        let mut outputs = Vec::new();
        for row in &next.rows {
            outputs.push(row.sum_from(i, output * row.weights[i]) + next.bias);
        }
        sample_loss(target, network.forward(&outputs, k + 2, &mut self.scratch))
    }
}

impl RowSum {
    /// The row's sum with another term in place of term `j`.
    fn sum_from(&self, j: usize, term: f64) -> f64 {
        let mut total = self.prefixes[j] + term;
        for term in &self.terms[j + 1..] {
            total += term;
        }
        total
    }
}

impl LayerSums {
    /// The layer's outputs with a bias.
    fn outputs(&self, bias: f64) -> Vec<f64> {
        self.rows.iter().map(|row| row.prefixes[row.terms.len()] + bias).collect()
    }
}

/// Run the network on the inputs `x` and keep every product and every running sum.
fn running_sums(network: &Network, x: &[f64]) -> Vec<LayerSums> {
    let mut layers: Vec<LayerSums> = Vec::new();
    for (k, &bias) in network.biases().iter().enumerate() {
        let inputs = layers.last().map_or(x.to_vec(), |layer| layer.outputs(layer.bias));
        let mut rows = Vec::new();
        for row in network.parameters[network.offsets[k]..network.offsets[k + 1]].chunks_exact(inputs.len()) {
            let terms: Vec<f64> = inputs.iter().zip(row).map(|(x_j, w_ij)| x_j * w_ij).collect();
            let mut prefixes = vec![0.0];
            for (j, term) in terms.iter().enumerate() {
                prefixes.push(prefixes[j] + term);
            }
            rows.push(RowSum { weights: row.to_vec(), terms, prefixes });
        }
        layers.push(LayerSums { inputs, bias, rows });
    }
    layers
}

impl Gradient for PlainIncremental {
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        let (step, width) = (self.step, 2.0 * self.step);
        let layers = running_sums(network, x);
        let (mut slopes, mut bias_slopes) = (Vec::new(), Vec::new());
        for (k, layer) in layers.iter().enumerate() {
            for (i, row) in layer.rows.iter().enumerate() {
                for (q, (x_q, w_iq)) in layer.inputs.iter().zip(&row.weights).enumerate() {
                    let [up, down] = [w_iq + step, w_iq - step].map(|w_iq| {
                        let sum = row.sum_from(q, x_q * w_iq);
                        self.loss_by_sum(network, &layers, target, (k, i), sum)
                    });
                    slopes.push((up - down) / width);
                }
            }
            let [up, down] = [layer.bias + step, layer.bias - step].map(|bias| {
                sample_loss(target, network.forward(&layer.outputs(bias), k + 1, &mut self.scratch))
            });
            bias_slopes.push((up - down) / width);
        }
        for (p, slope) in network.parameters.iter_mut().zip(slopes.iter().chain(&bias_slopes)) {
            *p -= self.learning_rate * slope;
        }
    }
}
