//! The parts of a training run, each timed by itself: one group a kernel, one parameter a shape.
//!
//! Run with `cargo bench --features bench`; the results are in `target/criterion/<kernel>/<shape>/new`. `make kernels`
//! does so in rounds, as the clock of a machine may change between two kernels.
//! `step-..` is one training step, gradient and update. The learning rate is 0.0, so that every step does
//! the same work on the same numbers and none runs off to infinity. The throughput of `step-backprop` and
//! `peak-multiply-add` is additions and multiplications, that of `step-incremental` and `peak-add` additions, so
//! their rates can be divided.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use flatnet::gradients::{Backprop, Gradient, Incremental, Naive, operations};
use flatnet::network::{Network, Scratch};
use flatnet::rng::Random;
use pulp::{Arch, Simd, WithSimd};

const SMALL: [&[usize]; 2] = [&[10, 5, 1], &[64, 32, 1]];
const SHAPES: [&[usize]; 7] = [
    &[10, 5, 1],
    &[64, 32, 1],
    &[100, 50, 1],
    &[256, 128, 1],
    &[32, 32, 32, 1],
    &[64, 64, 64, 1],
    &[64, 32, 10],
];
const BACKPROP_SHAPES: [&[usize]; 4] = [&[10, 5, 1], &[64, 32, 1], &[256, 128, 1], &[1000, 1000, 1]];
const THREADED_SHAPES: [&[usize]; 2] = [&[64, 64, 64, 1], &[256, 128, 1]];
const SAMPLES: usize = 100;
const STEP: f64 = 0.1;
const LEARNING_RATE: f64 = 0.0;

/// A network with one sample.
struct Problem {
    network: Network,
    x: Vec<f64>,
    target: Vec<f64>,
}

impl Problem {
    fn new(layers: &[usize]) -> Self {
        let mut rng = Random::new(1);
        let network = Network::new(layers, &mut rng).expect("it fits into memory");
        let (features, outputs) = network.ends();
        let mut values = |count| (0..count).map(|_| rng.uniform(0.0, 1.0)).collect();
        Self { x: values(features), target: values(outputs), network }
    }
}

fn shape(layers: &[usize]) -> BenchmarkId {
    let sizes: Vec<_> = layers.iter().map(usize::to_string).collect();
    BenchmarkId::from_parameter(sizes.join("-"))
}

fn steps(c: &mut Criterion, kernel: &str, shapes: &[&[usize]], method: impl Fn() -> Box<dyn Gradient>) {
    let mut group = group(c, kernel);
    for layers in shapes {
        if kernel.starts_with("step-incremental") {
            group.throughput(Throughput::Elements(operations(layers).additions as u64));
            time_epochs(&mut group, layers, &mut *method());
            continue;
        }
        let Problem { mut network, x, target } = Problem::new(layers);
        let mut method = method();
        group.bench_function(shape(layers), |b| {
            b.iter(|| method.training_step(black_box(&mut network), &x, &target));
        });
    }
}

fn backprop(c: &mut Criterion, kernel: &str, shapes: &[&[usize]], threads: u64) {
    let mut group = group(c, kernel);
    for layers in shapes {
        let network = Problem::new(layers).network;
        // For each weight three operations to update it and two to run the next sample on it; after the first layer
        // two more, for the slopes in that layer's outputs.
        let [first, rest] = [network.offsets[1], network.parameters.len() - network.offsets[1]];
        group.throughput(Throughput::Elements((5 * first + 7 * rest) as u64));
        time_epochs(&mut group, layers, &mut Backprop::new(LEARNING_RATE, threads));
    }
}

/// A step is a hundredth of an epoch with so many samples, for which the first layer may be laid out, and back. By
/// backprop the program does that once for all epochs.
fn time_epochs(group: &mut BenchmarkGroup<WallTime>, layers: &[usize], method: &mut dyn Gradient) {
    let (mut network, inputs, targets) = samples(layers);
    group.bench_function(shape(layers), |b| {
        b.iter_custom(|steps| {
            let epochs = steps.div_ceil(SAMPLES as u64);
            let start = Instant::now();
            for _ in 0..epochs {
                method.epoch(black_box(&mut network), &inputs, &targets);
            }
            start.elapsed().mul_f64(steps as f64 / (epochs * SAMPLES as u64) as f64)
        });
    });
}

/// The overall loss of a hundred samples: one after the other as in `naive`, and side by side.
fn overall_losses(c: &mut Criterion) {
    for (kernel, layout) in [("loss-plain", false), ("loss-side-by-side", true)] {
        let mut group = group(c, kernel);
        for layers in BACKPROP_SHAPES {
            let (network, inputs, targets) = samples(layers);
            let methods: [Box<dyn Gradient>; 2] =
                [Box::new(Naive::new(STEP, LEARNING_RATE)), Box::new(Backprop::new(LEARNING_RATE, 1))];
            let mut loss =
                methods[usize::from(layout)].loss(&Arc::new(inputs.clone()), &Arc::new(targets.clone()));
            group.bench_function(shape(layers), |b| b.iter(|| loss(black_box(&network))));
        }
    }
}

/// A network with as many samples as the article has.
fn samples(layers: &[usize]) -> (Network, Vec<f64>, Vec<f64>) {
    let mut rng = Random::new(1);
    let network = Network::new(layers, &mut rng).expect("it fits into memory");
    let (features, outputs) = network.ends();
    let mut values = |count: usize| (0..count * SAMPLES).map(|_| rng.uniform(0.0, 1.0)).collect();
    (network, values(features), values(outputs))
}

fn group<'c>(c: &'c mut Criterion, kernel: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = c.benchmark_group(kernel);
    group.sampling_mode(SamplingMode::Flat);
    group
}

fn forward(c: &mut Criterion) {
    let mut group = group(c, "forward");
    for layers in SMALL {
        let Problem { network, x, .. } = Problem::new(layers);
        let mut scratch = Scratch::default();
        group.bench_function(shape(layers), |b| {
            b.iter(|| black_box(network.forward(black_box(&x), 0, &mut scratch))[0]);
        });
    }
}

fn training_steps(c: &mut Criterion) {
    steps(c, "step-incremental", &SHAPES, || Box::new(Incremental::new(STEP, LEARNING_RATE, 1)));
    steps(c, "step-incremental-2-threads", &THREADED_SHAPES, || {
        Box::new(Incremental::new(STEP, LEARNING_RATE, 2))
    });
    backprop(c, "step-backprop", &BACKPROP_SHAPES, 1);
    backprop(c, "step-backprop-2-threads", &BACKPROP_SHAPES[3..], 2);
    #[cfg(target_arch = "x86_64")]
    if let Some(arch) = pulp::x86::V3::try_new().map(Arch::V3) {
        steps(c, "step-incremental-avx2", &[&[64, 32, 1]], || {
            let threads = flatnet::threads::Threads::up_to(1);
            Box::new(Incremental::on(arch, threads, STEP, LEARNING_RATE))
        });
    }
    steps(c, "step-naive", &SHAPES, || Box::new(Naive::new(STEP, LEARNING_RATE)));
}

/// The fastest that this machine adds and multiplies, and that it only adds, on registers alone.
///
/// `incremental` has far more additions than multiplications, so the second is the bound that it runs into
/// where a processor has units for the one that cannot do the other.
fn peaks(c: &mut Criterion) {
    for (kernel, multiply) in [("peak-multiply-add", true), ("peak-add", false)] {
        let mut group = group(c, kernel);
        let peak = Peak { multiply };
        group.throughput(Throughput::Elements(Arch::new().dispatch(peak)));
        group.bench_function(BenchmarkId::from_parameter("1-thread"), |b| {
            b.iter(|| Arch::new().dispatch(peak));
        });
    }
}

/// The operations of a step by backprop that wait for one another, and nothing else: no faster step is possible with
/// these bits.
///
/// Counted for two layers with one output, as the contract has them: the sum of the first layer and its bias; times a
/// weight of the second, its sum and bias; minus the target, times 2, times a weight, which is added to 0.0; times the
/// input, times the rate, off the first weight; times the next input.
fn chains(c: &mut Criterion) {
    let mut group = group(c, "peak-chain");
    for layers in BACKPROP_SHAPES {
        let [term, factor, rate] = black_box([0.0, 1.0, 0.5]);
        let (features, rows) = (layers[0], layers[1]);
        group.bench_function(shape(layers), |b| {
            let mut value: f64 = black_box(0.5);
            let mut step = || {
                for _ in 0..features {
                    value += term;
                }
                value = (value + term) * factor;
                for _ in 0..rows {
                    value += term;
                }
                value = ((value + term) - term) * 2.0 * factor + 0.0;
                value = (term - value * factor * rate) * factor;
            };
            b.iter(&mut step);
            black_box(value);
        });
    }
}

/// Sums and products side by side; returns how many operations that were.
#[derive(Clone, Copy)]
struct Peak {
    multiply: bool,
}

impl Peak {
    const ROUNDS: u64 = 10_000;

    #[inline(always)]
    fn run<S: Simd, const SUMS: usize, const PRODUCTS: usize>(simd: S) -> u64 {
        let (term, factor) = (simd.splat_f64s(black_box(0.5)), simd.splat_f64s(black_box(1.0)));
        let (mut sums, mut products) = ([term; SUMS], [factor; PRODUCTS]);
        for _ in 0..Self::ROUNDS {
            for sum in &mut sums {
                *sum = simd.add_f64s(*sum, term);
            }
            for product in &mut products {
                *product = simd.mul_f64s(*product, factor);
            }
        }
        black_box((sums, products));
        Self::ROUNDS * ((SUMS + PRODUCTS) * S::F64_LANES) as u64
    }
}

impl WithSimd for Peak {
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> u64 {
        // As many as hide one another's latency, and fit into the registers with their operands.
        match (self.multiply, S::REGISTER_COUNT) {
            (false, _) => Self::run::<S, 8, 0>(simd),
            (true, 0..=16) => Self::run::<S, 6, 6>(simd),
            (true, _) => Self::run::<S, 8, 8>(simd),
        }
    }
}

criterion_group! {
    name = kernels;
    config = Criterion::default()
        .sample_size(10)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    targets = forward, peaks, chains, training_steps, overall_losses
}
criterion_main!(kernels);
