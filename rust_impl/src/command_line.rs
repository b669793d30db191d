//! The command line: what it takes and what it refuses, in the same words as the Python program.
//!
//! Words are read left to right. The first that asks for help or the version ends the reading, and so does the
//! first that is refused; what is left to check depends on several words and comes after the last.

use std::borrow::Cow;
use std::collections::TryReserveError;
use std::io::{self, Write};

use flatnet::memory::proc_bytes;

use crate::repr::repr;

const VERSION: &str = if flatnet::wide::FREE_ORDER {
    concat!("flatnet ", env!("CARGO_PKG_VERSION"), ", sums in any order\n")
} else {
    concat!("flatnet ", env!("CARGO_PKG_VERSION"), "\n")
};
const HELP: &str = "\
Usage: flatnet [OPTIONS] LAYER LAYER [LAYER ...]

Train a neural network whose parameters lie in one flat vector.

  LAYER ...            layer sizes, input first, at least two

Options:
  --method METHOD      how the gradient is found: naive, incremental or backprop (default: naive)
  --epochs N           passes over the samples (default: 100)
  --samples N          training samples (default: 100)
  --step H             h of the central difference (default: 0.1)
  --learning-rate LR   factor on the gradient (default: 0.01)
  --low A              least input (default: 0.0)
  --high B             greatest input (default: 1.0)
  --seed S             0 to 2^64 - 1 (default: drawn from the operating system, and reported)
  --threads N          threads to compute with; the losses are the same bits for any number (default: 1)
  --version            print the version
  -h, --help           print this help
";
const BYTES_PER_VALUE: f64 = 8.0;

/// What ends the program early: a line for the user, empty for none, and the exit status.
pub struct Failure {
    pub message: Cow<'static, str>,
    pub status: u8,
}

impl Failure {
    pub fn new(message: impl Into<Cow<'static, str>>, status: u8) -> Self {
        Self { message: message.into(), status }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new("", 1),
            _ => Self::new(format!("cannot write: {error}"), 1),
        }
    }
}

impl From<TryReserveError> for Failure {
    fn from(_: TryReserveError) -> Self {
        Self::new("out of memory; use smaller layers or fewer samples", 1)
    }
}

/// How the gradient is found.
pub enum Method {
    Naive,
    Incremental,
    Backprop,
}

/// What the command line asks for, at first the defaults.
pub struct Arguments {
    pub layers: Vec<u64>,
    pub method: Method,
    pub epochs: u64,
    pub samples: u64,
    pub step: f64,
    pub learning_rate: f64,
    pub low: f64,
    pub high: f64,
    pub seed: Option<u64>,
    pub threads: u64,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            layers: Vec::new(),
            method: Method::Naive,
            epochs: 100,
            samples: 100,
            step: 0.1,
            learning_rate: 0.01,
            low: 0.0,
            high: 1.0,
            seed: None,
            threads: 1,
        }
    }
}

/// The checked arguments; none once help or the version is printed.
pub fn parse_arguments(words: impl IntoIterator<Item = String>) -> Result<Option<Arguments>, Failure> {
    let mut arguments = Arguments::default();
    let mut rest = words.into_iter();
    while let Some(word) = rest.next() {
        let (name, text) = match word.split_once('=') {
            Some((name, text)) => (name, Some(text)),
            None => (&*word, None),
        };
        let mut value = || match text.map(String::from).or_else(|| rest.next()) {
            Some(value) => Ok(value),
            None => Err(Failure::new(format!("{name}: got no value, takes one"), 2)),
        };
        match name {
            "--" if text.is_none() => {
                for word in rest.by_ref() {
                    arguments.layers.push(layer(&word)?);
                }
            }
            _ if !is_option(&word) => arguments.layers.push(layer(&word)?),
            "--help" | "-h" | "--version" => {
                if let Some(text) = text {
                    return Err(refused(name, text, "no value"));
                }
                let mut stdout = io::stdout().lock();
                stdout.write_all(if name == "--version" { VERSION } else { HELP }.as_bytes())?;
                stdout.flush()?;
                return Ok(None);
            }
            "--method" => arguments.method = method(name, &value()?)?,
            "--epochs" => arguments.epochs = integer(name, &value()?, 0)?,
            "--samples" => arguments.samples = integer(name, &value()?, 1)?,
            "--step" => arguments.step = positive(name, &value()?)?,
            "--learning-rate" => arguments.learning_rate = not_negative(name, &value()?)?,
            "--low" => arguments.low = finite(name, &value()?)?,
            "--high" => arguments.high = finite(name, &value()?)?,
            "--seed" => arguments.seed = Some(integer(name, &value()?, 0)?),
            "--threads" => arguments.threads = integer(name, &value()?, 1)?,
            _ => return Err(Failure::new(format!("unknown argument {}; see --help", quoted(name)), 2)),
        }
    }
    let Arguments { layers, low, high, .. } = &arguments;
    if layers.len() < 2 {
        return Err(Failure::new(format!("LAYER: got {} sizes, takes at least two", layers.len()), 2));
    }
    if low > high {
        let message = format!("--low: got {}, takes at most --high, which is {}", repr(*low), repr(*high));
        return Err(Failure::new(message, 2));
    }
    check_memory(layers, arguments.samples)?;
    Ok(Some(arguments))
}

/// Whether a word is an option: not -5 or -.5, nor a dash alone.
fn is_option(word: &str) -> bool {
    word.starts_with('-') && !matches!(word.as_bytes(), [_] | [_, b'.' | b'0'..=b'9', ..])
}

/// The size of a layer.
fn layer(text: &str) -> Result<u64, Failure> {
    integer("LAYER", text, 1)
}

/// The method that `text` names.
fn method(name: &str, text: &str) -> Result<Method, Failure> {
    match text {
        "naive" => Ok(Method::Naive),
        "incremental" => Ok(Method::Incremental),
        "backprop" => Ok(Method::Backprop),
        _ => Err(refused(name, text, "naive, incremental, backprop")),
    }
}

/// The decimal integer from `least` to 2^64 - 1 that `text` is.
fn integer(name: &str, text: &str, least: u64) -> Result<u64, Failure> {
    match text.parse() {
        Ok(value) if value >= least => Ok(value),
        _ => Err(refused(name, text, &format!("an integer from {least} to 2^64 - 1"))),
    }
}

/// The finite decimal number that `text` is, if `accepts` takes it; `wanted` says which.
fn number(name: &str, text: &str, wanted: &str, accepts: fn(f64) -> bool) -> Result<f64, Failure> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && accepts(value) => Ok(value),
        _ => Err(refused(name, text, wanted)),
    }
}

/// The number that `text` is.
fn finite(name: &str, text: &str) -> Result<f64, Failure> {
    number(name, text, "a finite number", |_| true)
}

/// The number above zero that `text` is.
fn positive(name: &str, text: &str) -> Result<f64, Failure> {
    number(name, text, "a finite number above zero", |value| value > 0.0)
}

/// The number of at least zero that `text` is.
fn not_negative(name: &str, text: &str) -> Result<f64, Failure> {
    number(name, text, "a finite number of at least zero", |value| value >= 0.0)
}

/// Fail if the student, the teacher and the data need more than the machine's memory.
fn check_memory(layers: &[u64], samples: u64) -> Result<(), Failure> {
    // As floats, because nothing yet bounds the sizes.
    let product = |rows: u64, columns: u64| rows as f64 * columns as f64;
    let parameters: f64 = layers.windows(2).map(|pair| product(pair[0], pair[1]) + 1.0).sum();
    let data = product(samples, layers[0]) + product(samples, layers[layers.len() - 1]);
    let needed = BYTES_PER_VALUE * (2.0 * parameters + data);
    let total = proc_bytes("/proc/meminfo", "MemTotal:").map_or(f64::INFINITY, |bytes| bytes as f64);
    let available = total.min(isize::MAX as f64);
    if needed > available {
        let sizes: Vec<_> = layers.iter().map(u64::to_string).collect();
        let message = format!(
            "LAYER: got {} with {samples} samples, which needs {:.1} GB of memory; \
             takes what fits into this machine's {:.1} GB",
            sizes.join("-"),
            needed / 1e9,
            available / 1e9
        );
        return Err(Failure::new(message, 2));
    }
    Ok(())
}

/// What the argument `name` got and what it takes.
fn refused(name: &str, text: &str, wanted: &str) -> Failure {
    Failure::new(format!("{name}: got {}, takes {wanted}", quoted(text)), 2)
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
