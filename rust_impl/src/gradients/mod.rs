//! Three ways to the gradient of one sample's loss, all behind one trait.
//!
//! - [`Naive`] runs the whole forward pass twice for each parameter. It is the reference for the others.
//! - [`Incremental`] finds the same differences, bit for bit, and recomputes only what a parameter touches.
//! - [`Backprop`] applies the chain rule. The loss is quadratic in every single parameter, so the central
//!   difference has no truncation error and the two gradients agree but for rounding.

mod backprop;
mod incremental;
mod naive;

pub use backprop::Backprop;
pub use incremental::Incremental;
pub use naive::Naive;

use crate::network::Network;

/// One way to the gradient, with the memory that it works in.
pub trait Gradient {
    /// Find the slope of the loss of one sample for every parameter, in the order of `Network::parameters`.
    ///
    /// `x` has n0 values, `target` nL, and `step` is the h of the central difference. The network may be
    /// changed on the way, and is as before at the end.
    fn find(&mut self, network: &mut Network, x: &[f64], target: &[f64], step: f64, slopes: &mut [f64]);
}
