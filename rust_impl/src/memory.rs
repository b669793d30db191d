//! What memory there is, and what a run needs of it.

use std::collections::TryReserveError;

use flatnet::gradients::Incremental;

use crate::command_line::Method;

/// Fail where the run would exhaust the memory it may use: a vector that cannot grow would abort the program.
///
/// What is asked for here is given back at once.
pub fn reserve_memory(
    method: &Method,
    layers: &[usize],
    samples: usize,
    threads: u64,
) -> Result<(), TryReserveError> {
    let neurons: usize = layers.iter().sum();
    let parameters: usize = layers.windows(2).map(|pair| pair[0] * pair[1] + 1).sum();
    let data = samples * (layers[0] + layers[layers.len() - 1]);
    let work = match method {
        Method::Naive | Method::Backprop => parameters,
        Method::Incremental => Incremental::values(layers, threads),
    };
    // The network, and a hole where the teacher was.
    Vec::<f64>::new().try_reserve_exact(data + 2 * parameters + 4 * neurons + work)
}

/// The value in bytes of a line such as `VmHWM:  1234 kB`; none where the system has no such file.
pub fn proc_bytes(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
