//! What memory there is.

use std::collections::TryReserveError;
use std::hint::black_box;

/// So many bytes, which are given back when the value is dropped.
///
/// Rust aborts a program that gets no memory for a text, or for a vector to grow. So what will be needed is asked
/// for beforehand, and given back before it is.
///
/// # Errors
/// When they cannot be had.
pub fn reserve(bytes: usize) -> Result<Vec<u8>, TryReserveError> {
    // Unless it seemed to be used, the compiler could leave it out.
    let mut space = black_box(Vec::new());
    space.try_reserve_exact(bytes)?;
    Ok(space)
}

/// The value in bytes of a line such as `VmHWM:  1234 kB`; none where the system has no such file.
pub fn proc_bytes(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
