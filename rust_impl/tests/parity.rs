//! The same bits from `incremental` as from its plain form, from that as from `naive`, and from `backprop` as
//! from a plain loop, on every instruction set of this machine and for any number of threads.

use flatnet::gradients::{Backprop, Gradient, Incremental, Naive, PlainIncremental};
use flatnet::network::{Forward, Network, Scratch, sample_loss};
use flatnet::rng::Random;
use flatnet::side_by_side::SideBySide;
use flatnet::threads::Threads;
use flatnet::wide::instruction_sets;
use proptest::prelude::*;

/// One training case: a network, its samples, and the numbers that the methods take.
#[derive(Clone, Debug)]
struct Case {
    layers: Vec<usize>,
    seed: u64,
    step: f64,
    learning_rate: f64,
    /// The share of inputs, weights and targets that are replaced by one of `ODD`, in percent.
    odd: u32,
}

/// Values at which a sum in another order, or a product with zero, would show.
const ODD: [f64; 10] =
    [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e308, -1e308, 5e-324, 1e-200, 1e16];

const SAMPLES: usize = 2;

impl Case {
    fn of(layers: &[usize], seed: u64) -> Self {
        Self { layers: layers.to_vec(), seed, step: 0.1, learning_rate: 0.01, odd: 0 }
    }

    fn values(&self, count: usize, rng: &mut Random) -> Vec<f64> {
        let mut values = Vec::new();
        for _ in 0..count {
            let value = rng.uniform(-1.0, 1.0);
            let odd = rng.uniform(0.0, 100.0) < f64::from(self.odd);
            values.push(if odd { ODD[rng.uniform(0.0, ODD.len() as f64) as usize] } else { value });
        }
        values
    }

    /// Take a few training steps and return the parameters after each.
    fn train(&self, method: &mut dyn Gradient) -> Vec<f64> {
        let mut rng = Random::new(self.seed);
        let mut network = Network::new(&self.layers, &mut rng).expect("it is small");
        network.parameters = self.values(network.parameters.len(), &mut rng);
        let mut seen = Vec::new();
        for _ in 0..SAMPLES {
            let x = self.values(self.layers[0], &mut rng);
            let target = self.values(self.layers[self.layers.len() - 1], &mut rng);
            method.training_step(&mut network, &x, &target);
            seen.extend_from_slice(&network.parameters);
        }
        seen
    }

    fn check_plain_incremental(&self) {
        let expected = self.train(&mut Naive::new(self.step, self.learning_rate));
        let mut method = PlainIncremental::new(self.step, self.learning_rate);
        assert_same(&expected, &self.train(&mut method), &format!("{self:?}"));
    }

    fn check_incremental(&self, threads: usize) {
        let expected = self.train(&mut PlainIncremental::new(self.step, self.learning_rate));
        for arch in instruction_sets() {
            let threads = Threads::exactly(threads);
            let mut method = Incremental::on(arch, threads, self.step, self.learning_rate);
            assert_same(&expected, &self.train(&mut method), &format!("{arch:?} {self:?}"));
        }
    }

    fn check_backprop(&self) {
        let expected = self.train(&mut PlainBackprop { learning_rate: self.learning_rate });
        for arch in instruction_sets() {
            let mut method = Backprop::on(arch, self.learning_rate);
            assert_same(&expected, &self.train(&mut method), &format!("{arch:?} {self:?}"));
        }
    }

    fn check_forward(&self) {
        let mut rng = Random::new(self.seed);
        let mut network = Network::new(&self.layers, &mut rng).expect("it is small");
        network.parameters = self.values(network.parameters.len(), &mut rng);
        let x = self.values(self.layers[0], &mut rng);
        let mut scratch = Scratch::default();
        for arch in instruction_sets() {
            let mut pass = SideBySide::new(arch);
            let found = pass.outputs(&network, &x);
            assert_same(network.forward(&x, 0, &mut scratch), found, &format!("{arch:?} {self:?}"));
        }
    }
}

/// The same bits, where any two nan are alike: which of two a processor hands on is its own affair.
fn assert_same(expected: &[f64], found: &[f64], what: &str) {
    assert_eq!(expected.len(), found.len(), "{what}");
    for (p, (e, f)) in expected.iter().zip(found).enumerate() {
        assert!(e.to_bits() == f.to_bits() || (e.is_nan() && f.is_nan()), "{e:?} {f:?} at {p} of {what}");
    }
}

/// The chain rule in the order of the contract, one plain loop after the other.
struct PlainBackprop {
    learning_rate: f64,
}

impl Gradient for PlainBackprop {
    fn training_step(&mut self, network: &mut Network, x: &[f64], target: &[f64]) {
        let depth = network.shapes.len();
        let mut values = vec![x.to_vec()];
        for k in 0..depth {
            let mut outputs = Vec::new();
            network.layer_forward(k, &values[k], &mut outputs);
            values.push(outputs);
        }
        let mut deltas = Vec::new();
        for (o, t) in values[depth].iter().zip(target) {
            deltas.push(2.0 * (o - t) / target.len() as f64);
        }
        let mut slopes = vec![0.0; network.parameters.len()];
        for k in (0..depth).rev() {
            let mut previous = vec![0.0; network.shapes[k].1];
            let mut p = network.offsets[k];
            for delta in &deltas {
                slopes[network.offsets[depth] + k] += delta;
                for (x_j, previous) in values[k].iter().zip(&mut previous) {
                    slopes[p] = delta * x_j;
                    *previous += delta * network.parameters[p];
                    p += 1;
                }
            }
            deltas = previous;
        }
        for (p, slope) in network.parameters.iter_mut().zip(slopes) {
            *p -= self.learning_rate * slope;
        }
    }

    fn forward_pass(&mut self) -> &mut dyn Forward {
        unimplemented!("only its training steps are compared")
    }
}

fn cases(widest: usize, deepest: usize) -> impl Strategy<Value = Case> {
    (
        prop::collection::vec(1..=widest, 2..=deepest),
        any::<u64>(),
        prop::sample::select(vec![0.1, 1e-5, 3.0, 1e200]),
        prop::sample::select(vec![0.01, 0.0, 1.0, 1e5, 1e200]),
        prop::sample::select(vec![0, 0, 1, 5, 50]),
    )
        .prop_map(|(layers, seed, step, learning_rate, odd)| Case {
            layers,
            seed,
            step,
            learning_rate,
            odd,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plain_incremental_is_naive_to_the_bit(case in cases(20, 5)) {
        case.check_plain_incremental();
    }

    #[test]
    fn plain_incremental_is_naive_to_the_bit_in_deep_networks(case in cases(6, 14)) {
        case.check_plain_incremental();
    }

    #[test]
    fn incremental_is_the_plain_one_to_the_bit(case in cases(40, 5), threads in 1_usize..=4) {
        case.check_incremental(threads);
    }

    #[test]
    fn incremental_is_the_plain_one_to_the_bit_in_deep_networks(case in cases(6, 14)) {
        case.check_incremental(1);
    }

    #[test]
    fn backprop_is_the_plain_loop_to_the_bit(case in cases(150, 5)) {
        case.check_backprop();
    }

    #[test]
    fn rows_side_by_side_give_the_plain_outputs(case in cases(150, 5)) {
        case.check_forward();
    }
}

/// Every remainder of every block: of the lanes, of the registers side by side, of the rows done together.
#[test]
fn every_width_up_to_70_columns_and_outputs() {
    for n in 1..=70 {
        for layers in [&[n, 2, 1][..], &[2, n, 1], &[3, 2, n], &[n, 3], &[1, n]] {
            let case = Case::of(layers, n as u64);
            case.check_incremental(1 + n % 4);
            case.check_backprop();
            case.check_forward();
        }
    }
}

/// A layer whose rows are found in several groups.
#[test]
fn wide_layers() {
    for layers in [&[300, 9][..], &[2500, 2], &[9, 200, 1]] {
        Case::of(layers, 1).check_incremental(3);
    }
    Case::of(&[1030, 70, 3], 1).check_backprop();
}

/// The method makes its memory anew for a network of other shapes.
#[test]
fn one_method_for_several_networks() {
    let mut method = Incremental::new(0.1, 0.01, 2);
    for layers in [&[5, 4, 3][..], &[9, 9, 9, 2], &[4, 5, 3]] {
        let case = Case::of(layers, 5);
        assert_same(&case.train(&mut Naive::new(0.1, 0.01)), &case.train(&mut method), "reused");
    }
}

/// Far more threads than there are to be had.
#[test]
fn any_number_of_threads() {
    let case = Case::of(&[20, 20, 20, 1], 5);
    let expected = case.train(&mut Naive::new(0.1, 0.01));
    assert_same(&expected, &case.train(&mut Incremental::new(0.1, 0.01, u64::MAX)), "threads");
}

/// The slope is the central difference of the plain loss.
#[test]
fn naive_is_the_central_difference() {
    let mut network = Network::new(&[3, 2], &mut Random::new(8)).expect("it is small");
    let (x, target) = ([0.5, -0.25, 2.0], [1.0, -1.0]);
    let before = network.parameters.clone();
    let mut loss = |change: f64| {
        network.parameters.clone_from(&before);
        network.parameters[4] += change;
        sample_loss(&target, network.forward(&x, 0, &mut Scratch::default()))
    };
    let slope = (loss(0.1) - loss(-0.1)) / (2.0 * 0.1);
    network.parameters.clone_from(&before);
    Naive::new(0.1, 0.01).training_step(&mut network, &x, &target);
    assert_eq!(network.parameters[4], before[4] - 0.01 * slope);
}
