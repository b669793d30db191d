//! Central differences, each loss by a whole forward pass.

use pulp::{Arch, Simd, WithSimd};

use super::Gradient;
use crate::network::{Network, Scratch, sample_loss};
use crate::side_by_side;
use crate::wide::FREE_ORDER;

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

    /// One training step, with the instructions of a chosen set.
    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S, network: &mut Network, x: &[f64], target: &[f64]) {
        let Self { step, learning_rate, slopes, scratch } = self;
        slopes.resize(network.parameters.len(), 0.0);
        for (p, slope) in slopes.iter_mut().enumerate() {
            let value = network.parameters[p];
            network.parameters[p] = value + *step;
            let loss_up = sample_loss(target, forward(simd, network, x, scratch));
            network.parameters[p] = value - *step;
            let loss_down = sample_loss(target, forward(simd, network, x, scratch));
            network.parameters[p] = value;
            *slope = (loss_up - loss_down) / (2.0 * *step);
        }
        for (p, g) in network.parameters.iter_mut().zip(slopes) {
            *p -= *learning_rate * *g;
        }
    }
}

/// The outputs of the network; with sums that may be split over lanes, found in wide registers.
#[inline(always)]
fn forward<'s, S: Simd>(simd: S, network: &Network, x: &[f64], scratch: &'s mut Scratch) -> &'s [f64] {
    if FREE_ORDER { side_by_side::forward(simd, network, x, scratch) } else { network.forward(x, 0, scratch) }
}

impl Gradient for Naive {
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        Arch::new().dispatch(Step { method: self, network, x, target });
    }
}

/// A training step, compiled for each instruction set: newer ones need fewer instructions for the same loops.
struct Step<'a> {
    method: &'a mut Naive,
    network: &'a mut Network,
    x: &'a [f64],
    target: &'a [f64],
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { method, network, x, target } = self;
        method.step(simd, network, x, target);
    }
}
