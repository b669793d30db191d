//! Train a small neural network whose parameters lie in one flat vector.
//!
//! This is the command line and the output; nothing here computes. Standard output holds the losses and
//! nothing else, so that it can be compared byte for byte with other implementations. What varies from run
//! to run goes to standard error.

mod repr;

use std::collections::TryReserveError;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Parser, ValueEnum};

use flatnet::gradients::{Backprop, Gradient, Incremental, Naive};
use flatnet::network::{Network, Scratch, overall_loss};
use flatnet::rng::Random;
use flatnet::training::{random_inputs, teacher_targets, train};
use repr::repr;

const BYTES_PER_VALUE: u128 = 8;

/// Train a neural network whose parameters lie in one flat vector.
#[derive(Parser)]
#[command(name = "flatnet", version, disable_version_flag = true, args_override_self = true)]
struct Arguments {
    /// Layer sizes, input first, at least two
    #[arg(value_name = "LAYER", value_parser = integer::<1>, allow_negative_numbers = true)]
    layers: Vec<u64>,
    /// How the gradient is found
    #[arg(long, value_enum, default_value_t = Method::Naive, allow_hyphen_values = true)]
    method: Method,
    /// Passes over the samples
    #[arg(long, value_name = "N", default_value = "100", value_parser = integer::<0>, allow_hyphen_values = true)]
    epochs: u64,
    /// Training samples
    #[arg(long, value_name = "N", default_value = "100", value_parser = integer::<1>, allow_hyphen_values = true)]
    samples: u64,
    /// h of the central difference
    #[arg(long, value_name = "H", default_value = "0.1", value_parser = positive, allow_hyphen_values = true)]
    step: f64,
    #[arg(long, value_name = "LR", default_value = "0.01", value_parser = not_negative, allow_hyphen_values = true)]
    learning_rate: f64,
    /// Least input
    #[arg(long, value_name = "A", default_value = "0.0", value_parser = finite, allow_hyphen_values = true)]
    low: f64,
    /// Greatest input
    #[arg(long, value_name = "B", default_value = "1.0", value_parser = finite, allow_hyphen_values = true)]
    high: f64,
    /// 0 to 2^64 - 1 [default: drawn from the operating system, and reported]
    #[arg(long, value_name = "S", value_parser = integer::<0>, allow_hyphen_values = true)]
    seed: Option<u64>,
    /// Threads to compute with; the losses are the same bits for any number
    #[arg(long, value_name = "N", default_value = "1", value_parser = integer::<1>, allow_hyphen_values = true)]
    threads: u64,
    /// Print the version
    #[arg(long, action = ArgAction::Version)]
    version: (),
}

#[derive(Clone, ValueEnum)]
enum Method {
    Naive,
    Incremental,
    Backprop,
}

/// What ends the program early: a line for the user, empty for none, and the exit status.
struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    fn new(message: String, status: u8) -> Self {
        Self { message, status }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(String::new(), 1),
            _ => Self::new(format!("cannot write: {error}"), 1),
        }
    }
}

impl From<TryReserveError> for Failure {
    fn from(_: TryReserveError) -> Self {
        Self::new("out of memory; use smaller layers or fewer samples".into(), 1)
    }
}

/// `text` in quotes and on one line, whatever characters it holds.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for character in text.chars() {
        if character.is_control() {
            quoted += &format!("\\x{:02x}", u32::from(character));
        } else {
            quoted.push(character);
        }
    }
    quoted + "'"
}

/// Parse a decimal integer from `LEAST` to 2^64 - 1.
fn integer<const LEAST: u64>(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(value) if value >= LEAST => Ok(value),
        _ => Err(format!("takes an integer from {LEAST} to 2^64 - 1")),
    }
}

/// Parse a finite decimal number that `accepts` takes; `wanted` says which those are.
fn number(text: &str, wanted: &str, accepts: fn(f64) -> bool) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && accepts(value) => Ok(value),
        _ => Err(format!("takes {wanted}")),
    }
}

fn finite(text: &str) -> Result<f64, String> {
    number(text, "a finite number", |_| true)
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, "a finite number above zero", |value| value > 0.0)
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text, "a finite number of at least zero", |value| value >= 0.0)
}

/// The checked arguments; help and version are printed here and end the program.
fn parse_arguments() -> Result<Arguments, Failure> {
    // No value that any argument takes has a character outside ASCII, so what is no UTF-8 is refused as it stands.
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            error.print()?;
            io::stdout().flush()?;
            std::process::exit(0);
        }
        Err(error) => return Err(Failure::new(one_line(&error), 2)),
    };
    let Arguments { layers, low, high, .. } = &arguments;
    if layers.len() < 2 {
        return Err(Failure::new(format!("LAYER: got {} sizes, takes at least two", layers.len()), 2));
    }
    if low > high {
        return Err(Failure::new(
            format!("--low: got {}, takes at most --high, which is {}", repr(*low), repr(*high)),
            2,
        ));
    }
    check_memory(layers, arguments.samples)?;
    Ok(arguments)
}

/// What clap found wrong, in one line: which argument, what it got, what it takes.
fn one_line(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let argument = text(ContextKind::InvalidArg);
    let name = argument.split(' ').next().unwrap_or_default().trim_matches(['[', ']', '.']);
    let value = text(ContextKind::InvalidValue);
    match (error.kind(), std::error::Error::source(error), error.get(ContextKind::ValidValue)) {
        (ErrorKind::ValueValidation, Some(takes), _) => {
            format!("{name}: got {}, {takes}", quoted(&value))
        }
        (ErrorKind::InvalidValue, _, _) if value.is_empty() => format!("{name}: got no value, takes one"),
        (ErrorKind::InvalidValue, _, Some(ContextValue::Strings(words))) => {
            format!("{name}: got {}, takes {}", quoted(&value), words.join(", "))
        }
        (ErrorKind::UnknownArgument, _, _) => {
            format!("unknown argument {}; see --help", quoted(&argument))
        }
        (ErrorKind::TooManyValues, _, _) => format!("{name}: got {}, takes no value", quoted(&value)),
        _ => error.kind().to_string(),
    }
}

/// Refuse what needs more than the machine's memory, where that is known, for the student, the teacher and the data.
fn check_memory(layers: &[u64], samples: u64) -> Result<(), Failure> {
    let wide = |&size: &u64| u128::from(size);
    let mut values = wide(&samples).saturating_mul(wide(&layers[0]) + wide(&layers[layers.len() - 1]));
    for pair in layers.windows(2) {
        let parameters = wide(&pair[0]).saturating_mul(wide(&pair[1])).saturating_add(1);
        values = values.saturating_add(parameters.saturating_mul(2));
    }
    let needed = values.saturating_mul(BYTES_PER_VALUE);
    let available = proc_bytes("/proc/meminfo", "MemTotal:").map_or(isize::MAX as u128, u128::from);
    if needed > available {
        let sizes: Vec<_> = layers.iter().map(u64::to_string).collect();
        return Err(Failure::new(
            format!(
                "LAYER: got {} with {samples} samples, which needs {:.1e} B of memory; \
                 takes what fits into this machine's {:.1e} B",
                sizes.join("-"),
                needed as f64,
                available as f64
            ),
            2,
        ));
    }
    Ok(())
}

/// Fail where the run would exhaust the memory it may use: a vector that cannot grow would abort the program.
///
/// What is asked for here is given back at once.
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
        Method::Naive | Method::Backprop => parameters,
        Method::Incremental => Incremental::values(layers, threads),
    };
    // The network, and a hole where the teacher was.
    Vec::<f64>::new().try_reserve_exact(data + 2 * parameters + 4 * neurons + work)
}

/// The value in bytes of a line such as `VmHWM:  1234 kB`; none where the system has no such file.
fn proc_bytes(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
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
    let inputs =
        random_inputs(arguments.samples as usize, layers[0], arguments.low, arguments.high, &mut rng)?;
    let targets = teacher_targets(&layers, &inputs, &mut rng)?;
    let mut network = Network::new(&layers, &mut rng)?;
    let Arguments { step, learning_rate, epochs, .. } = *arguments;
    let mut gradient: Box<dyn Gradient> = match arguments.method {
        Method::Naive => Box::new(Naive::new(step, learning_rate)),
        Method::Incremental => Box::new(Incremental::new(step, learning_rate, arguments.threads)),
        Method::Backprop => Box::new(Backprop::new(learning_rate)),
    };

    let mut stdout = io::stdout().lock();
    let end_of_line = if stdout.is_terminal() { "\x1b[K" } else { "" };
    let mut last = overall_loss(&network, &inputs, &targets, &mut Scratch::default());
    let mut diverged = (!last.is_finite()).then_some((0, last));
    writeln!(stdout, "Initial Loss: {}", repr(last))?;
    stdout.flush()?;
    let start = Instant::now();
    let losses = train(&mut network, &inputs, &targets, gradient.as_mut(), epochs);
    for (epoch, loss) in (1..).zip(losses) {
        last = loss;
        if !loss.is_finite() && diverged.is_none() {
            diverged = Some((epoch, loss));
        }
        write!(stdout, "\r{epoch}/{epochs}: loss: {}{end_of_line}", repr(loss))?;
        stdout.flush()?;
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

fn main() -> ExitCode {
    // Without this the process would end by the signal, and not with the exit status 130.
    let always = Arc::new(AtomicBool::new(true));
    let _ = signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, 130, always);
    match parse_arguments().and_then(|arguments| run(&arguments)) {
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
