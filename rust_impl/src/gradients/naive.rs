//! Central differences, each loss by a whole forward pass.

use pulp::{Arch, Scalar, Simd, WithSimd};

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

    /// One training step, with a plain forward pass or one in wide registers.
    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: Option<S>, network: &mut Network, x: &[f64], target: &[f64]) {
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

/// The outputs of the network.
#[inline(always)]
fn forward<'s, S: Simd>(
    simd: Option<S>,
    network: &Network,
    x: &[f64],
    scratch: &'s mut Scratch,
) -> &'s [f64] {
    match simd {
        Some(simd) => side_by_side::forward(simd, network, x, scratch),
        None => network.forward(x, 0, scratch),
    }
}

impl Gradient for Naive {
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        if FREE_ORDER {
            Arch::new().dispatch(Free { method: self, network, x, target });
        } else {
            self.step(None::<Scalar>, network, x, target);
        }
    }
}

/// A training step whose sums are split over the lanes of wide registers.
struct Free<'a> {
    method: &'a mut Naive,
    network: &'a mut Network,
    x: &'a [f64],
    target: &'a [f64],
}

impl WithSimd for Free<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { method, network, x, target } = self;
        method.step(Some(simd), network, x, target);
    }
}
