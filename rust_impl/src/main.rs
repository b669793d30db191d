//! Train a small neural network whose parameters lie in one flat vector.
//!
//! This is the output and the ends of the program; nothing here computes. Standard output holds the losses and
//! nothing else, so that it can be compared byte for byte with other implementations. What varies from run
//! to run goes to standard error.

mod command_line;
mod repr;

use std::collections::TryReserveError;
use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use flatnet::batch::Batch;
use flatnet::gradients::{Backprop, Gradient, Incremental, Naive};
use flatnet::memory::{proc_bytes, reserve};
use flatnet::network::{Network, Scratch, overall_loss};
use flatnet::rng::Random;
use flatnet::training::{random_inputs, teacher_targets};

use command_line::{Arguments, Failure, Method, parse_arguments};
use repr::{push_repr, repr};

/// Bytes enough for all that does not depend on the network: words, messages, buffers, the handling of signals.
const SMALL: usize = 1 << 20;

/// For how long, and how much, output is held back that does not go to a terminal.
const HELD_BACK: Duration = Duration::from_millis(50);
const HELD_BACK_BYTES: usize = 1 << 16;

/// Fail if the run would exhaust the memory that it may use.
fn reserve_memory(
    method: &Method,
    layers: &[usize],
    samples: usize,
    threads: u64,
) -> Result<(), TryReserveError> {
    let neurons: usize = layers.iter().sum();
    let parameters: usize = layers.windows(2).map(|pair| pair[0] * pair[1] + 1).sum();
    let data = samples * (layers[0] + layers[layers.len() - 1]);
    let work = match method {
        Method::Naive => parameters,
        Method::Incremental => Incremental::values(layers, threads) + Batch::values(layers, samples),
        Method::Backprop => Backprop::values(layers) + Batch::values(layers, samples),
    };
    // The network, a hole where the teacher was, and what each layer is described by.
    let values = data + 2 * parameters + 4 * neurons + 128 * layers.len() + work;
    // An eighth for whole pages and other holes.
    reserve(size_of::<f64>() * (values + values / 8) + SMALL).map(drop)
}

/// Train, and write the losses to standard output and the measurements to standard error.
fn run(arguments: &Arguments) -> Result<(), Failure> {
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => {
            let seed = getrandom::u64().map_err(|error| {
                Failure::new(format!("the operating system gives no random seed: {error}"), 1)
            })?;
            writeln!(io::stderr(), "Seed: {seed}")?;
            seed
        }
    };
    let layers: Vec<usize> = arguments.layers.iter().map(|&size| size as usize).collect();
    reserve_memory(&arguments.method, &layers, arguments.samples as usize, arguments.threads)?;
    let mut rng = Random::new(seed);
    let Arguments { low, high, step, learning_rate, epochs, .. } = *arguments;
    let inputs = Arc::new(random_inputs(arguments.samples as usize, layers[0], low, high, &mut rng)?);
    let targets = Arc::new(teacher_targets(&layers, &inputs, &mut rng)?);
    let mut network = Network::new(&layers, &mut rng)?;
    let mut gradient: Box<dyn Gradient> = match arguments.method {
        Method::Naive => Box::new(Naive::new(step, learning_rate)),
        Method::Incremental => Box::new(Incremental::new(step, learning_rate, arguments.threads)),
        Method::Backprop => Box::new(Backprop::new(learning_rate, arguments.threads)),
    };

    let is_terminal = io::stdout().is_terminal();
    let mut stdout = BufWriter::with_capacity(HELD_BACK_BYTES, io::stdout().lock());
    let end_of_line = if is_terminal { "\x1b[K" } else { "" };
    let mut last = overall_loss(&network, &inputs, &targets, &mut Scratch::default());
    let mut diverged = (!last.is_finite()).then_some((0, last));
    writeln!(stdout, "Initial Loss: {}", repr(last))?;
    stdout.flush()?;
    let start = Instant::now();
    let mut flushed = start;
    let (mut line, behind_epoch) = (String::new(), format!("/{epochs}: loss: "));
    let losses = gradient.train(&mut network, &inputs, &targets, epochs);
    for (epoch, loss) in (1..).zip(losses) {
        last = loss;
        if !loss.is_finite() && diverged.is_none() {
            diverged = Some((epoch, loss));
        }
        // Written at once: an interrupted program leaves whole entries, unless their reader lags behind.
        line.clear();
        let _ = write!(line, "\r{epoch}");
        line.push_str(&behind_epoch);
        push_repr(&mut line, loss);
        line.push_str(end_of_line);
        stdout.write_all(line.as_bytes())?;
        // A flush wakes the reader of a pipe, which can take longer than an epoch.
        if is_terminal || flushed.elapsed() >= HELD_BACK {
            stdout.flush()?;
            flushed = Instant::now();
        }
    }
    let training = start.elapsed();
    let line_break = if epochs > 0 { "\n" } else { "" };
    writeln!(stdout, "{line_break}Final Loss: {}", repr(last))?;
    stdout.flush()?;

    report(diverged, training)?;
    Ok(())
}

/// Write to standard error what differs from run to run, and a warning if the loss diverged.
fn report(diverged: Option<(u64, f64)>, training: Duration) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    if let Some((epoch, loss)) = diverged {
        writeln!(
            stderr,
            "warning: the loss became {} in epoch {epoch}; try a smaller --learning-rate",
            repr(loss)
        )?;
    }
    writeln!(stderr, "Training Time: {:.9} s", training.as_secs_f64())?;
    if let Some(bytes) = proc_bytes("/proc/self/status", "VmHWM:") {
        writeln!(stderr, "Peak Memory: {bytes} B")?;
    }
    Ok(())
}

/// All that the program does, up to what ends it early.
fn checked_main() -> Result<(), Failure> {
    drop(reserve(SMALL)?);
    // Without this the process would end by the signal, and not with the exit status 130.
    let always = Arc::new(AtomicBool::new(true));
    let _ = signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, 130, always);
    // No value that any option takes has a character outside ASCII: what is no UTF-8 is refused as it stands.
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    parse_arguments(words)?.map_or(Ok(()), |arguments| run(&arguments))
}

fn main() -> ExitCode {
    match checked_main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                // Where this cannot be written either, the exit status must do.
                let _ = writeln!(io::stderr(), "error: {}", failure.message);
            }
            ExitCode::from(failure.status)
        }
    }
}
