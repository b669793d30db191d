//! The same bits from `incremental` as from its plain form, from that as from `naive`, and from `backprop` as
//! from a plain loop, on every instruction set of this machine and for any number of threads.

use std::sync::Arc;

use flatnet::batch::Batch;
use flatnet::gradients::{Backprop, Gradient, Incremental, Naive, PlainBackprop, PlainIncremental};
use flatnet::network::{Network, Scratch, overall_loss, sample_loss};
use flatnet::rng::Random;
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

/// Samples of the epochs: the last is one in which `backprop` lays the first layer out anew.
const SAMPLES: [usize; 2] = [1, 2];
const MORE_SAMPLES: [usize; 2] = [2, 7];

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

    /// Train an epoch of one sample and one of a few, and return the parameters after each.
    fn train(&self, method: &mut dyn Gradient) -> Vec<f64> {
        self.train_epochs(method, SAMPLES)
    }

    /// Train epochs of so many samples, and return the parameters after each.
    fn train_epochs(&self, method: &mut dyn Gradient, epochs: [usize; 2]) -> Vec<f64> {
        let mut rng = Random::new(self.seed);
        let mut network = Network::new(&self.layers, &mut rng).expect("it is small");
        network.parameters = self.values(network.parameters.len(), &mut rng);
        let mut seen = Vec::new();
        for samples in epochs {
            let inputs = self.values(samples * self.layers[0], &mut rng);
            let targets = self.values(samples * self.layers[self.layers.len() - 1], &mut rng);
            method.epoch(&mut network, &inputs, &targets);
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
        let mut plain = PlainIncremental::new(self.step, self.learning_rate);
        let expected = self.train_epochs(&mut plain, MORE_SAMPLES);
        for arch in instruction_sets() {
            let threads = Threads::exactly(threads);
            let mut method = Incremental::on(arch, threads, self.step, self.learning_rate);
            let found = self.train_epochs(&mut method, MORE_SAMPLES);
            assert_same(&expected, &found, &format!("{arch:?} {self:?}"));
        }
    }

    fn check_backprop(&self, threads: usize) {
        let expected = self.train_epochs(&mut PlainBackprop::new(self.learning_rate), MORE_SAMPLES);
        for arch in instruction_sets() {
            let mut method = Backprop::on(arch, Threads::exactly(threads), self.learning_rate);
            let found = self.train_epochs(&mut method, MORE_SAMPLES);
            assert_same(&expected, &found, &format!("{arch:?} {self:?}"));
        }
    }

    /// Train for three epochs at once; return their losses and the parameters after them.
    fn train_at_once(&self, method: &mut dyn Gradient, samples: usize) -> Vec<f64> {
        self.train_until(method, samples, 3)
    }

    /// As [`Self::train_at_once`], but ask for the losses of `taken` epochs only.
    fn train_until(&self, method: &mut dyn Gradient, samples: usize, taken: usize) -> Vec<f64> {
        let mut rng = Random::new(self.seed);
        let mut network = Network::new(&self.layers, &mut rng).expect("it is small");
        network.parameters = self.values(network.parameters.len(), &mut rng);
        let inputs = Arc::new(self.values(samples * self.layers[0], &mut rng));
        let targets = Arc::new(self.values(samples * self.layers[self.layers.len() - 1], &mut rng));
        let mut seen: Vec<_> = method.train(&mut network, &inputs, &targets, 3).take(taken).collect();
        seen.extend_from_slice(&network.parameters);
        seen
    }

    fn check_training(&self, samples: usize) {
        let expected = self.train_at_once(&mut PlainBackprop::new(self.learning_rate), samples);
        for arch in instruction_sets() {
            let mut method = Backprop::on(arch, Threads::exactly(1 + samples % 4), self.learning_rate);
            // The second time with the memory of the first.
            for _ in 0..2 {
                let found = self.train_at_once(&mut method, samples);
                assert_same(&expected, &found, &format!("{arch:?} {samples} {self:?}"));
            }
        }
    }

    fn check_loss(&self, samples: usize) {
        let mut rng = Random::new(self.seed);
        let mut network = Network::new(&self.layers, &mut rng).expect("it is small");
        network.parameters = self.values(network.parameters.len(), &mut rng);
        let inputs = self.values(samples * self.layers[0], &mut rng);
        let targets = self.values(samples * self.layers[self.layers.len() - 1], &mut rng);
        let expected = overall_loss(&network, &inputs, &targets, &mut Scratch::default());
        for arch in instruction_sets() {
            let mut loss =
                Batch::new(arch, &Arc::new(inputs.clone()), &Arc::new(targets.clone())).into_loss();
            // The second time with what was made ready the first time.
            let found = [loss(&network), loss(&network)];
            assert_same(&[expected; 2], &found, &format!("{arch:?} {samples} {self:?}"));
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
    fn incremental_in_small_networks_is_the_plain_one_to_the_bit(case in cases(40, 3)) {
        let ends = [case.layers[0], case.layers[1], 1];
        Case { layers: ends.to_vec(), ..case }.check_incremental(1);
    }

    #[test]
    fn backprop_is_the_plain_loop_to_the_bit(case in cases(150, 5), threads in 1_usize..=4) {
        case.check_backprop(threads);
    }

    #[test]
    fn backprop_in_registers_is_the_plain_loop_to_the_bit(case in cases(40, 3), samples in 1_usize..=50) {
        let ends = [case.layers[0], case.layers[1], 1];
        let case = Case { layers: ends.to_vec(), ..case };
        case.check_backprop(1);
        case.check_training(samples);
    }

    #[test]
    fn epochs_of_backprop_are_those_of_the_plain_loop_to_the_bit(case in cases(90, 4), samples in 1_usize..=50) {
        case.check_training(samples);
    }

    #[test]
    fn samples_side_by_side_have_the_plain_loss(case in cases(50, 5), samples in 1_usize..=70) {
        case.check_loss(samples);
    }
}

/// Every remainder of every block: of the lanes, of the registers side by side, of the rows done together.
#[test]
fn every_width_up_to_70_columns_and_outputs() {
    for n in 1..=70 {
        for layers in [&[n, 2, 1][..], &[2, n, 1], &[3, 2, n], &[n, 3], &[1, n]] {
            let case = Case::of(layers, n as u64);
            case.check_incremental(1);
            case.check_incremental(2 + n % 3);
            case.check_backprop(1 + n % 4);
            case.check_loss(n);
            case.check_training(n);
        }
    }
}

/// A layer whose rows are found in several groups.
#[test]
fn wide_layers() {
    for layers in [&[300, 9][..], &[2500, 2], &[9, 200, 1]] {
        Case::of(layers, 1).check_incremental(3);
    }
    Case::of(&[1030, 70, 3], 1).check_backprop(2);
}

/// The method makes its memory anew for a network of other shapes.
#[test]
fn one_method_for_several_networks() {
    let (mut incremental, mut backprop) = (Incremental::new(0.1, 0.01, 2), Backprop::new(0.01, 2));
    for layers in [&[5, 4, 3][..], &[9, 9, 9, 2], &[4, 5, 1], &[4, 5, 3], &[7, 9, 1], &[4, 5, 1]] {
        let case = Case::of(layers, 5);
        assert_same(&case.train(&mut Naive::new(0.1, 0.01)), &case.train(&mut incremental), "reused");
        for samples in [2, 9] {
            let expected = case.train_at_once(&mut PlainBackprop::new(0.01), samples);
            assert_same(&expected, &case.train_at_once(&mut backprop, samples), "reused");
        }
    }
}

/// Whoever asks for fewer losses finds the parameters of those epochs or of one more, and a method that can go on.
#[test]
fn losses_that_are_not_asked_for() {
    for layers in [&[10, 5, 1][..], &[10, 40, 1], &[4, 9, 9, 2]] {
        let (case, mut method) = (Case::of(layers, 5), Backprop::new(0.01, 1));
        for (samples, taken) in [(20, 0), (20, 1), (3, 1), (20, 2), (3, 2), (20, 3)] {
            let plain = |epochs| case.train_until(&mut PlainBackprop::new(0.01), samples, epochs);
            let (found, parameters) = (case.train_until(&mut method, samples, taken), plain(0).len());
            let (losses, after) = found.split_at(taken);
            assert_same(&plain(taken)[..taken], losses, "losses");
            let is_after = |epochs| plain(epochs)[epochs..] == *after;
            assert_eq!(after.len(), parameters);
            assert!(is_after(taken) || 0 < taken && taken < 3 && is_after(taken + 1), "{layers:?} {samples}");
        }
    }
}

/// Of no samples there is no loss, and nothing is learnt from them.
#[test]
fn no_samples() {
    for layers in [&[10, 5, 1][..], &[16, 16, 2]] {
        let case = Case::of(layers, 5);
        let methods: [&mut dyn Gradient; 4] = [
            &mut Naive::new(0.1, 0.01),
            &mut Incremental::new(0.1, 0.01, 1),
            &mut PlainBackprop::new(0.01),
            &mut Backprop::new(0.01, 1),
        ];
        for method in methods {
            let (losses, before) = (case.train_at_once(method, 0), case.train_until(method, 0, 0));
            assert!(losses[..3].iter().all(|loss| loss.is_nan()));
            assert_same(&before, &losses[3..], "parameters");
        }
    }
}

/// After many samples, whose loss is found beside the next epoch's steps, a few, whose loss is not.
#[test]
fn one_method_for_several_data_sets() {
    let (case, mut method) = (Case::of(&[10, 5, 1], 5), Backprop::new(0.01, 1));
    for samples in [20, 3, 20, 1] {
        let expected = case.train_at_once(&mut PlainBackprop::new(0.01), samples);
        assert_same(&expected, &case.train_at_once(&mut method, samples), &format!("{samples} samples"));
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
