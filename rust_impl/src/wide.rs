//! Tools for wide registers: which there are, values that are aligned for them, loading and transposing.
//!
//! The instruction set is found at run time: `Arch::dispatch` calls a function that was compiled for it, with
//! everything inlined that is marked so; as a call of its own it would lose the wide registers.

use std::ops::{Deref, DerefMut};

use pulp::{Arch, Simd};

/// Whether sums may be split over lanes, and products fused with the addition that follows.
///
/// Only the feature `free-order` says so: a build that shows what it costs to have the same bits as Python. Its losses
/// agree with those of the contract to a few roundings.
pub const FREE_ORDER: bool = cfg!(feature = "free-order");

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

/// The mask of the first `count` lanes.
///
/// For the last lanes take its opposite: a mask that begins behind the last lane makes pulp 0.22 panic on AVX-512.
#[inline(always)]
pub fn first_lanes<S: Simd>(simd: S, count: usize) -> S::m64s {
    simd.mask_between_m64s(0, count as u64).mask()
}

/// Write the vector to the start of `values`, as much of it as has room there.
#[inline(always)]
pub fn store<S: Simd>(values: &mut [f64], vector: S::f64s) {
    if let Some(place) = S::as_mut_simd_f64s(values).0.first_mut() {
        *place = vector;
        return;
    }
    let mut lanes = [0.0; LANES];
    S::as_mut_simd_f64s(&mut lanes).0[0] = vector;
    values.copy_from_slice(&lanes[..values.len()]);
}

/// `sum + x * y`.
#[inline(always)]
pub fn add_product<S: Simd>(simd: S, sum: S::f64s, x: S::f64s, y: S::f64s) -> S::f64s {
    if FREE_ORDER { simd.mul_add_f64s(x, y, sum) } else { simd.add_f64s(sum, simd.mul_f64s(x, y)) }
}

/// `w - rate * (delta * x)`.
#[inline(always)]
pub fn descend<S: Simd>(simd: S, w: S::f64s, rate: S::f64s, delta: S::f64s, x: S::f64s) -> S::f64s {
    if FREE_ORDER {
        return simd.mul_add_f64s(simd.neg_f64s(simd.mul_f64s(rate, delta)), x, w);
    }
    simd.sub_f64s(w, simd.mul_f64s(rate, simd.mul_f64s(delta, x)))
}

/// The sum of the first `rows` lanes, in their order.
#[inline(always)]
pub fn add_lanes<S: Simd, const V: usize>(simd: S, vectors: [S::f64s; V], rows: usize) -> f64 {
    if FREE_ORDER {
        let last = first_lanes(simd, rows - (V - 1) * S::F64_LANES);
        let mut total = simd.select_f64s(last, vectors[V - 1], simd.splat_f64s(0.0));
        for vector in &vectors[..V - 1] {
            total = simd.add_f64s(total, *vector);
        }
        return simd.reduce_sum_f64s(total);
    }
    let mut total = 0.0;
    // Lanes that are named one by one are taken out of the register, others would be stored and loaded.
    for (v, vector) in vectors.into_iter().enumerate() {
        let mut lanes = [0.0; LANES];
        S::as_mut_simd_f64s(&mut lanes).0[0] = vector;
        for (i, lane) in lanes[..S::F64_LANES].iter().enumerate() {
            if v == V - 1 && v * S::F64_LANES + i == rows {
                return total;
            }
            total += lane;
        }
    }
    total
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
