//! Central differences, each loss by a whole forward pass.

use super::Gradient;
use crate::network::{Network, Scratch, sample_loss};

/// (loss(p + h) - loss(p - h)) / 2h for every parameter p.
pub struct Naive {
    step: f64,
    learning_rate: f64,
    slopes: Vec<f64>,
    scratch: Scratch,
}

impl Naive {
    /// `step` is the h of the central difference.
    pub fn new(step: f64, learning_rate: f64) -> Self {
        Self { step, learning_rate, slopes: Vec::new(), scratch: Scratch::default() }
    }
}

impl Gradient for Naive {
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        let Self { step, learning_rate, slopes, scratch } = self;
        slopes.resize(network.parameters.len(), 0.0);
        for (p, slope) in slopes.iter_mut().enumerate() {
            let value = network.parameters[p];
            network.parameters[p] = value + *step;
            let loss_up = sample_loss(target, network.forward(x, 0, scratch));
            network.parameters[p] = value - *step;
            let loss_down = sample_loss(target, network.forward(x, 0, scratch));
            network.parameters[p] = value;
            *slope = (loss_up - loss_down) / (2.0 * *step);
        }
        for (p, g) in network.parameters.iter_mut().zip(slopes) {
            *p -= *learning_rate * *g;
        }
    }
}
