//! Central differences, each loss by a whole forward pass.

use super::Gradient;
use crate::network::{Network, Scratch, sample_loss};

/// (loss(p + h) - loss(p - h)) / 2h for every parameter p.
#[derive(Default)]
pub struct Naive {
    scratch: Scratch,
}

impl Gradient for Naive {
    fn find(&mut self, network: &mut Network, x: &[f64], target: &[f64], step: f64, slopes: &mut [f64]) {
        let scratch = &mut self.scratch;
        for (p, slope) in slopes.iter_mut().enumerate() {
            let value = network.parameters[p];
            network.parameters[p] = value + step;
            let loss_up = sample_loss(target, network.forward(x, 0, scratch));
            network.parameters[p] = value - step;
            let loss_down = sample_loss(target, network.forward(x, 0, scratch));
            network.parameters[p] = value;
            *slope = (loss_up - loss_down) / (2.0 * step);
        }
    }
}
