//! Wide registers, and the forward pass with several rows side by side in them.
//!
//! Each lane of a register holds the sum of another row, never a part of one sum, so the terms of every sum
//! keep their order and the bits are those of `Network::forward`, multiplications and additions rounded one by
//! one. The instruction set is found at run time: `Arch::dispatch` calls a function that was compiled for it,
//! with everything inlined that is marked so; as a call of its own it would lose the wide registers.

use std::ops::{Deref, DerefMut};

use pulp::{Arch, Simd, WithSimd};

use crate::network::{Forward, Network};

/// The most lanes that a register has.
pub const LANES: usize = 8;

/// Values that begin where a cache line does, so that no vector at a multiple of `LANES` lies across two.
///
/// Such a vector takes twice as long to load, and much longer if it was stored just before.
pub struct Aligned {
    values: Vec<f64>,
    start: usize,
    count: usize,
}

impl Aligned {
    /// `count` times the same value.
    pub fn new(value: f64, count: usize) -> Self {
        let values = vec![value; count + LANES];
        // The most that it can be; a system that tells no addresses gives more, and gets no alignment.
        let start = values.as_ptr().align_offset(LANES * size_of::<f64>()).min(LANES);
        Self { values, start, count }
    }
}

impl Deref for Aligned {
    type Target = [f64];

    #[inline(always)]
    fn deref(&self) -> &[f64] {
        &self.values[self.start..self.start + self.count]
    }
}

impl DerefMut for Aligned {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.values[self.start..self.start + self.count]
    }
}

/// The instruction sets that this machine has, from the portable one, without wide registers, to the widest.
pub fn instruction_sets() -> Vec<Arch> {
    let mut sets = vec![Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    sets.extend(pulp::x86::V3::try_new().map(Arch::V3));
    let widest = Arch::new();
    if sets.iter().all(|set| std::mem::discriminant(set) != std::mem::discriminant(&widest)) {
        sets.push(widest);
    }
    sets
}

/// Below so many weights a layer is done before the registers are set up.
const SMALL: usize = 128;

/// The vector at the start of `values`, filled up with zeros where those end before it.
///
/// Single values are put in place within the register: copied in memory, they would have to be on their way
/// out before they could be loaded as one vector.
#[inline(always)]
pub fn load<S: Simd>(simd: S, values: &[f64]) -> S::f64s {
    if let Some(vector) = S::as_simd_f64s(values).0.first() {
        return *vector;
    }
    let mut vector = simd.splat_f64s(0.0);
    for (lane, &value) in values.iter().enumerate() {
        let here = simd.mask_between_m64s(lane as u64, lane as u64 + 1).mask();
        vector = simd.select_f64s(here, simd.splat_f64s(value), vector);
    }
    vector
}

/// Turn rows into columns, in as many vectors as a vector has lanes.
#[inline(always)]
pub fn transpose<S: Simd>(simd: S, tile: &mut [S::f64s; LANES]) {
    swap_blocks::<S, 4>(simd, tile);
    swap_blocks::<S, 2>(simd, tile);
    swap_blocks::<S, 1>(simd, tile);
}

/// In every square of 2 * `D` rows and columns, swap the two blocks of `D` that are off the diagonal.
#[inline(always)]
fn swap_blocks<S: Simd, const D: usize>(simd: S, tile: &mut [S::f64s; LANES]) {
    if D >= S::F64_LANES {
        return;
    }
    let mut sides = [1.0; LANES];
    for (lane, side) in sides.iter_mut().enumerate() {
        if lane & D == 0 {
            *side = -1.0;
        }
    }
    let left = simd.less_than_f64s(load(simd, &sides), simd.splat_f64s(0.0));
    for upper in 0..S::F64_LANES {
        if upper & D == 0 {
            let (a, b) = (tile[upper], tile[upper + D]);
            tile[upper] = simd.select_f64s(left, a, simd.rotate_right_f64s(b, D));
            tile[upper + D] = simd.select_f64s(left, simd.rotate_left_f64s(a, D), b);
        }
    }
}

/// Run layer `k` on its inputs `x` and replace `outputs` by what comes out.
#[inline(always)]
pub fn layer_forward<S: Simd>(simd: S, network: &Network, k: usize, x: &[f64], outputs: &mut Vec<f64>) {
    let (rows, columns) = network.shapes[k];
    if rows * columns < SMALL {
        return network.layer_forward(k, x, outputs);
    }
    let bias = network.biases()[k];
    // A vector at the end of a row reads on into the next one; what it finds there is not used.
    let weights = &network.parameters[network.offsets[k]..];
    outputs.resize(rows, 0.0);
    let mut first = 0;
    for outputs in outputs.chunks_mut(2 * S::F64_LANES) {
        if outputs.len() > S::F64_LANES {
            let totals = row_sums::<S, 2>(simd, x, weights, first, rows);
            let (one, other) = outputs.split_at_mut(S::F64_LANES);
            write_with_bias(simd, one, totals[0], bias);
            write_with_bias(simd, other, totals[1], bias);
        } else {
            let [totals] = row_sums::<S, 1>(simd, x, weights, first, rows);
            write_with_bias(simd, outputs, totals, bias);
        }
        first += 2 * S::F64_LANES;
    }
}

/// Write as many sums, plus the bias, as there are outputs.
#[inline(always)]
fn write_with_bias<S: Simd>(simd: S, outputs: &mut [f64], totals: S::f64s, bias: f64) {
    let mut lanes = [0.0; LANES];
    S::as_mut_simd_f64s(&mut lanes).0[0] = simd.add_f64s(totals, simd.splat_f64s(bias));
    for (output, lane) in outputs.iter_mut().zip(lanes) {
        *output = lane;
    }
}

/// The sums over j of `x_j * w_ij` for G vectors of rows from row `first` on.
///
/// Lanes beyond the last row repeat that one.
#[inline(always)]
fn row_sums<S: Simd, const G: usize>(
    simd: S,
    x: &[f64],
    weights: &[f64],
    first: usize,
    rows: usize,
) -> [S::f64s; G] {
    let whole = x.len() / S::F64_LANES;
    let (chunks, rest) = x.split_at(whole * S::F64_LANES);
    let mut starts = [[0; LANES]; G];
    let mut vectors: [[&[S::f64s]; LANES]; G] = [[&[]; LANES]; G];
    for (g, (starts, vectors)) in starts.iter_mut().zip(&mut vectors).enumerate() {
        for r in 0..S::F64_LANES {
            starts[r] = (first + g * S::F64_LANES + r).min(rows - 1) * x.len();
            vectors[r] = &S::as_simd_f64s(&weights[starts[r]..]).0[..whole];
        }
    }
    let mut totals = [simd.splat_f64s(0.0); G];
    let mut tile = [simd.splat_f64s(0.0); LANES];
    for (n, x) in chunks.chunks_exact(S::F64_LANES).enumerate() {
        for (total, vectors) in totals.iter_mut().zip(&vectors) {
            for r in 0..S::F64_LANES {
                tile[r] = vectors[r][n];
            }
            transpose(simd, &mut tile);
            add_columns(simd, total, x, &tile);
        }
    }
    if !rest.is_empty() {
        for (total, starts) in totals.iter_mut().zip(&starts) {
            for r in 0..S::F64_LANES {
                tile[r] = load(simd, &weights[starts[r] + chunks.len()..]);
            }
            transpose(simd, &mut tile);
            add_columns(simd, total, rest, &tile);
        }
    }
    totals
}

/// Add `x_j` times column j of the tile, one column after the other.
#[inline(always)]
fn add_columns<S: Simd>(simd: S, total: &mut S::f64s, x: &[f64], tile: &[S::f64s; LANES]) {
    for (&x_j, column) in x.iter().zip(tile) {
        *total = simd.add_f64s(*total, simd.mul_f64s(simd.splat_f64s(x_j), *column));
    }
}

/// The forward pass of `incremental` and `backprop`, with the two buffers between which it swaps the values.
pub struct SideBySide {
    arch: Arch,
    inputs: Vec<f64>,
    outputs: Vec<f64>,
}

impl SideBySide {
    /// The pass on an instruction set.
    pub fn new(arch: Arch) -> Self {
        Self { arch, inputs: Vec::new(), outputs: Vec::new() }
    }
}

impl Forward for SideBySide {
    fn outputs(&mut self, network: &Network, x: &[f64]) -> &[f64] {
        self.arch.dispatch(Outputs { pass: self, network, x });
        &self.inputs
    }
}

/// One pass.
struct Outputs<'a> {
    pass: &'a mut SideBySide,
    network: &'a Network,
    x: &'a [f64],
}

impl WithSimd for Outputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let SideBySide { inputs, outputs, .. } = self.pass;
        inputs.clear();
        inputs.extend_from_slice(self.x);
        for k in 0..self.network.shapes.len() {
            layer_forward(simd, self.network, k, inputs, outputs);
            std::mem::swap(inputs, outputs);
        }
    }
}
