//! The chain rule in the order of the contract, one plain loop after the other: what the fast one must equal.

use crate::gradients::Gradient;
use crate::network::Network;

/// All slopes first, then the update.
pub struct PlainBackprop {
    learning_rate: f64,
}

impl PlainBackprop {
    /// `learning_rate` is the factor on the gradient.
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate }
    }
}

impl Gradient for PlainBackprop {
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        let depth = network.shapes.len();
        let mut values = vec![x.to_vec()];
        for k in 0..depth {
            let mut outputs = vec![0.0; network.shapes[k].0];
            network.layer_forward(k, &values[k], &mut outputs);
            values.push(outputs);
        }
        let mut deltas = Vec::new();
        for (o, t) in values[depth].iter().zip(target) {
            deltas.push(2.0 * (o - t) / target.len() as f64);
        }
        let mut slopes = vec![0.0; network.parameters.len()];
        for k in (0..depth).rev() {
            let mut previous = vec![0.0; network.shapes[k].1];
            let mut p = network.offsets[k];
            for delta in &deltas {
                slopes[network.offsets[depth] + k] += delta;
                for (x_j, previous) in values[k].iter().zip(&mut previous) {
                    slopes[p] = delta * x_j;
                    *previous += delta * network.parameters[p];
                    p += 1;
                }
            }
            deltas = previous;
        }
        for (p, slope) in network.parameters.iter_mut().zip(slopes) {
            *p -= self.learning_rate * slope;
        }
    }
}
