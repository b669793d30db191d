//! A neural network whose parameters lie in one flat vector, and three ways to its gradient.
//!
//! The modules mirror those of the Python program, name by name; only `batch`, `first_layer`, `memory`,
//! `rng`, `side_by_side`, `threads` and `wide` are Rust's own.

pub mod batch;
mod first_layer;
pub mod gradients;
pub mod memory;
pub mod network;
pub mod rng;
pub mod side_by_side;
pub mod threads;
pub mod training;
pub mod wide;
