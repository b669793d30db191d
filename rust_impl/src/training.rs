//! What is learnt: random inputs, and a teacher network that labels them. The loop over the epochs is in
//! `Gradient::train`.

use std::collections::TryReserveError;

use crate::network::{Network, Scratch};
use crate::rng::Random;

/// `samples` rows of `features` values, each drawn from uniform(low, high), row-major.
///
/// # Errors
/// When the inputs cannot be held in memory.
pub fn random_inputs(
    samples: usize,
    features: usize,
    low: f64,
    high: f64,
    rng: &mut Random,
) -> Result<Vec<f64>, TryReserveError> {
    let mut inputs = Vec::new();
    inputs.try_reserve_exact(samples * features)?;
    inputs.extend((0..samples * features).map(|_| rng.uniform(low, high)));
    Ok(inputs)
}

/// The outputs of a random network of the same layers, row-major: targets that can be learnt exactly.
///
/// # Errors
/// When the teacher or the targets cannot be held in memory.
pub fn teacher_targets(
    layers: &[usize],
    inputs: &[f64],
    rng: &mut Random,
) -> Result<Vec<f64>, TryReserveError> {
    let teacher = Network::new(layers, rng)?;
    let (features, outputs) = teacher.ends();
    let mut scratch = Scratch::default();
    let mut targets = Vec::new();
    targets.try_reserve_exact(inputs.len() / features * outputs)?;
    for x in inputs.chunks_exact(features) {
        targets.extend_from_slice(teacher.forward(x, 0, &mut scratch));
    }
    Ok(targets)
}
