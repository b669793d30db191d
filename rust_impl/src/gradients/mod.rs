//! Three ways to the gradient of one sample's loss, all behind one trait.
//!
//! - [`Naive`] runs the whole forward pass twice for each parameter. It is the reference for the others.
//! - [`Incremental`] finds the same differences, bit for bit, and recomputes only what a parameter touches.
//! - [`Backprop`] applies the chain rule. The loss is quadratic in every single parameter, so the central
//!   difference has no truncation error and the two gradients agree but for rounding.
//!
//! `Naive` and [`Backprop`] work on one thread: the one because it is what the Python program does, the other
//! because it is bound by the memory that the weights come from. [`Incremental`] takes several.

mod backprop;
mod incremental;
mod naive;

pub use backprop::Backprop;
pub use incremental::{Incremental, Operations, PlainIncremental, operations};
pub use naive::Naive;

use crate::network::{Forward, Network};

/// One way to the gradient, with the memory that it works in.
pub trait Gradient {
    /// One training step: find the slope of one sample's loss for every parameter at the network's present
    /// parameters, then take `learning_rate` times its slope off each. `x` has n0 values, `target` nL.
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]);

    /// The forward pass that the method works with, for the overall loss.
    fn forward_pass(&mut self) -> &mut dyn Forward;
}
