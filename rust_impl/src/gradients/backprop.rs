//! The exact gradient by the chain rule, from the last layer back.

use super::Gradient;
use crate::network::Network;

/// The gradient itself; the step of the central difference is not used.
#[derive(Default)]
pub struct Backprop {
    values: Vec<Vec<f64>>,
    deltas: Vec<f64>,
    previous: Vec<f64>,
}

impl Gradient for Backprop {
    fn find(&mut self, network: &mut Network, x: &[f64], target: &[f64], _step: f64, slopes: &mut [f64]) {
        let Self { values, deltas, previous } = self;
        let depth = network.shapes.len();
        let first_bias = network.offsets[depth];
        values.resize_with(depth + 1, Vec::new);
        values[0].clear();
        values[0].extend_from_slice(x);
        for k in 0..depth {
            let (done, rest) = values.split_at_mut(k + 1);
            network.layer_forward(k, &done[k], &mut rest[0]);
        }
        let count = target.len() as f64;
        deltas.clear();
        deltas.extend(values[depth].iter().zip(target).map(|(o, t)| 2.0 * (o - t) / count));
        for k in (0..depth).rev() {
            let columns = values[k].len();
            let layer = network.offsets[k]..network.offsets[k + 1];
            previous.clear();
            previous.resize(columns, 0.0);
            let mut bias_slope = 0.0;
            for ((delta, row), row_slopes) in deltas
                .iter()
                .zip(network.parameters[layer.clone()].chunks_exact(columns))
                .zip(slopes[layer].chunks_exact_mut(columns))
            {
                bias_slope += delta;
                for (slope, x_j) in row_slopes.iter_mut().zip(&values[k]) {
                    *slope = delta * x_j;
                }
                for (p, w_ij) in previous.iter_mut().zip(row) {
                    *p += delta * w_ij;
                }
            }
            slopes[first_bias + k] = bias_slope;
            std::mem::swap(deltas, previous);
        }
    }
}
