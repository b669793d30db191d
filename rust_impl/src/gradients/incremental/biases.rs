//! The part of a training step that every thread's share needs first: the forward pass and the biases.

use pulp::{Simd, WithSimd};

use super::lanes::{self, Pair};
use super::panels::{layer_outputs, squares};
use super::sums::LayerSums;
use crate::network::Network;
use crate::wide::Aligned;

/// Run the network on `x`, then find the slopes of the biases and update them.
pub struct RunAndUpdateBiases<'a> {
    pub layers: &'a mut [LayerSums],
    pub network: &'a mut Network,
    pub x: &'a [f64],
    pub target: &'a [f64],
    pub step: f64,
    pub learning_rate: f64,
    pub panels: &'a mut [Aligned; 2],
}

impl WithSimd for RunAndUpdateBiases<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        self.run();
        let biases = self.network.offsets[self.layers.len()];
        for first in (0..self.layers.len()).step_by(S::F64_LANES) {
            let totals = self.losses(simd, first);
            let [slopes] = lanes::slopes(simd, totals, self.target.len(), self.step);
            let biases = &mut self.network.parameters[biases + first..];
            let biases = biases.chunks_mut(S::F64_LANES).next().unwrap_or_default();
            lanes::update(simd, biases, self.learning_rate, slopes);
        }
    }
}

impl RunAndUpdateBiases<'_> {
    #[inline(always)]
    fn run(&mut self) {
        let Network { offsets, parameters, .. } = &*self.network;
        let mut x = self.x;
        let mut rest = &mut *self.layers;
        let mut k = 0;
        while let Some((layer, others)) = rest.split_first_mut() {
            layer.run(x, &parameters[offsets[k]..offsets[k + 1]], self.network.biases()[k]);
            x = &layer.outputs;
            rest = others;
            k += 1;
        }
        if let Some(last) = self.layers.last_mut() {
            last.compare(self.target);
        }
    }

    /// The sums of squares; lane r is the network whose layer `first` + r has another bias.
    #[inline(always)]
    fn losses<S: Simd>(&mut self, simd: S, first: usize) -> Pair<S, 1> {
        let [inputs, outputs] = &mut *self.panels;
        let (mut inputs, mut outputs) = (lanes::pairs_mut::<S, 1>(inputs), lanes::pairs_mut::<S, 1>(outputs));
        for (k, layer) in self.layers.iter().enumerate() {
            let outputs_k = &mut outputs[..layer.rows];
            if k == 0 {
                for (output, &sum) in outputs_k.iter_mut().zip(&layer.sums) {
                    *output = [[simd.splat_f64s(sum)]; 2];
                }
            } else {
                let weights = &self.network.parameters[self.network.offsets[k]..self.network.offsets[k + 1]];
                layer_outputs(simd, &inputs[..layer.columns], weights, outputs_k);
            }
            let bias = lane_biases(simd, layer.bias, self.step, k.checked_sub(first));
            for output in outputs_k {
                lanes::add(simd, output, &bias);
            }
            std::mem::swap(&mut inputs, &mut outputs);
        }
        squares(simd, self.target, inputs)
    }
}

/// A layer's bias in every lane but the one where it is raised and lowered, if there is such a lane.
#[inline(always)]
fn lane_biases<S: Simd>(simd: S, bias: f64, step: f64, lane: Option<usize>) -> Pair<S, 1> {
    let unchanged = simd.splat_f64s(bias);
    let Some(lane) = lane.filter(|&lane| lane < S::F64_LANES) else { return [[unchanged]; 2] };
    let here = simd.mask_between_m64s(lane as u64, lane as u64 + 1).mask();
    let (up, down) = (simd.splat_f64s(bias + step), simd.splat_f64s(bias - step));
    [[simd.select_f64s(here, up, unchanged)], [simd.select_f64s(here, down, unchanged)]]
}
