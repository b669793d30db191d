//! The first layer's weights in an order of their own, in which one pass updates them for one sample and runs
//! the next sample on them.
//!
//! The inputs of that layer depend on no weight, so the next sample can be run on a weight as soon as that is
//! updated, while it still is in a register: weights are read and written once a step, and no more. They stand in
//! panels of a few vectors of rows, in each of which all rows' first weights come first, then all second
//! ones. So a lane holds a row, nothing is transposed in a step, and every sum keeps its order.

use pulp::{Arch, Simd, WithSimd};

use crate::threads::Threads;
use crate::wide::{Aligned, FREE_ORDER, LANES, add_product, descend, load, store, transpose};

/// The weights of the first layer, and room for its sums.
///
/// Rows fill whole vectors; what the lanes after the last row hold is in no sum of another lane and never used.
pub struct FirstLayer {
    panels: Aligned,
    sums: Aligned,
    columns: usize,
    is_packed: bool,
}

/// What a pass does: the update for a sample (its inputs, and the learning rate), the next sample's sums.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// The inputs for which the weights are updated, none before the first sample.
    pub update: Option<&'a [f64]>,
    /// The inputs that are run on the updated weights, none after the last sample.
    pub next: Option<&'a [f64]>,
    /// The factor on the gradient.
    pub learning_rate: f64,
}

impl FirstLayer {
    /// The most vectors of rows in a panel: with them the additions of a pass hide one another's latency.
    pub const PANEL: usize = 4;

    /// Without memory, until the first `pack`.
    pub fn new() -> Self {
        let none = || Aligned::new(0.0, 0);
        Self { panels: none(), sums: none(), columns: 0, is_packed: false }
    }

    /// How many values its memory holds.
    pub fn values(layers: &[usize]) -> usize {
        layers[1].next_multiple_of(LANES) * (layers[0] + 2)
    }

    /// Whether the weights are here and not in the network.
    pub fn is_packed(&self) -> bool {
        self.is_packed
    }

    /// Take the weights over, of so many rows.
    #[inline(always)]
    pub fn pack<S: Simd>(&mut self, simd: S, weights: &[f64], rows: usize) {
        self.is_packed = true;
        let (columns, padded) = (weights.len() / rows, rows.next_multiple_of(S::F64_LANES));
        if self.panels.len() != padded * columns || self.sums.len() != padded {
            self.panels = Aligned::new(0.0, padded * columns);
            self.sums = Aligned::new(0.0, padded);
            self.columns = columns;
        }
        let mut tile = [simd.splat_f64s(0.0); LANES];
        for (first, panel) in
            (0..rows).step_by(FirstLayer::PANEL * S::F64_LANES).zip(panels::<S>(&mut self.panels, columns))
        {
            let vectors = panel.len() / columns;
            for v in 0..vectors {
                let rows = &weights[(first + v * S::F64_LANES) * columns..];
                for j in (0..columns).step_by(S::F64_LANES) {
                    for (vector, row) in tile.iter_mut().zip(rows.chunks_exact(columns)).take(S::F64_LANES) {
                        *vector = load(simd, &row[j..]);
                    }
                    transpose(simd, &mut tile);
                    for (values, vector) in
                        panel[j * vectors + v..].iter_mut().step_by(vectors).zip(tile).take(S::F64_LANES)
                    {
                        *values = vector;
                    }
                }
            }
        }
    }

    /// Give the weights back.
    #[inline(always)]
    pub fn unpack<S: Simd>(&mut self, simd: S, weights: &mut [f64]) {
        self.is_packed = false;
        let columns = self.columns;
        let mut tile = [simd.splat_f64s(0.0); LANES];
        for (first, panel) in
            (0..).step_by(FirstLayer::PANEL * S::F64_LANES).zip(panels::<S>(&mut self.panels, columns))
        {
            let vectors = panel.len() / columns;
            for v in 0..vectors {
                let rows = &mut weights[(first + v * S::F64_LANES) * columns..];
                for j in (0..columns).step_by(S::F64_LANES) {
                    for (vector, values) in tile
                        .iter_mut()
                        .zip(panel[j * vectors + v..].iter().step_by(vectors))
                        .take(S::F64_LANES)
                    {
                        *vector = *values;
                    }
                    transpose(simd, &mut tile);
                    for (row, vector) in rows.chunks_exact_mut(columns).zip(&tile).take(S::F64_LANES) {
                        store::<S>(&mut row[j..], *vector);
                    }
                }
            }
        }
    }

    /// The weights of up to `FirstLayer::PANEL` vectors of rows.
    pub fn panel<S: Simd>(&mut self) -> &mut [S::f64s] {
        S::as_mut_simd_f64s(&mut self.panels).0
    }

    /// The panels, each with how many vectors of rows it has.
    #[inline(always)]
    pub fn panels<S: Simd>(&self) -> impl Iterator<Item = (&[S::f64s], usize)> {
        let columns = self.columns;
        let panels = S::as_simd_f64s(&self.panels).0.chunks(FirstLayer::PANEL * columns);
        panels.map(move |panel| (panel, panel.len() / columns))
    }

    /// The sums of the last pass, which fill whole vectors.
    pub fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// Make a pass. The slopes of the loss in the layer's outputs, `deltas`, fill whole vectors.
    #[inline(always)]
    pub fn pass<S: Simd>(&mut self, simd: S, arch: Arch, threads: &mut Threads, deltas: &[f64], pass: Pass) {
        let columns = self.columns;
        if threads.worth_sharing((WEIGHT * self.panels.len()) as u128) {
            let panel = FirstLayer::PANEL * S::F64_LANES;
            let share = self.sums.len().div_ceil(panel).div_ceil(threads.count()) * panel;
            let panels = self.panels.chunks_mut(share * columns);
            let ends = deltas.chunks(share).zip(self.sums.chunks_mut(share));
            let runs =
                panels.zip(ends).map(|(panels, (deltas, sums))| Run { panels, columns, deltas, sums, pass });
            threads.share(&mut runs.collect::<Vec<_>>(), |run| arch.dispatch(run));
        } else {
            let Self { panels, sums, .. } = self;
            (&mut Run { panels, columns, deltas, sums, pass }).with_simd(simd);
        }
    }
}

/// How many additions a weight in a pass is worth, when it comes from memory.
const WEIGHT: usize = 8;

/// The part of a pass that a thread makes.
struct Run<'a> {
    panels: &'a mut [f64],
    columns: usize,
    deltas: &'a [f64],
    sums: &'a mut [f64],
    pass: Pass<'a>,
}

impl WithSimd for &mut Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let panels = panels::<S>(self.panels, self.columns);
        let deltas = S::as_simd_f64s(self.deltas).0.chunks(FirstLayer::PANEL);
        let sums = S::as_mut_simd_f64s(self.sums).0.chunks_mut(FirstLayer::PANEL);
        for ((panel, deltas), sums) in panels.zip(deltas).zip(sums) {
            match sums.len() {
                1 => panel_pass::<S, 1>(simd, panel, deltas, self.pass, sums),
                2 => panel_pass::<S, 2>(simd, panel, deltas, self.pass, sums),
                3 => panel_pass::<S, 3>(simd, panel, deltas, self.pass, sums),
                _ => panel_pass::<S, { FirstLayer::PANEL }>(simd, panel, deltas, self.pass, sums),
            }
        }
    }
}

/// The panels, as vectors.
fn panels<S: Simd>(values: &mut [f64], columns: usize) -> impl Iterator<Item = &mut [S::f64s]> {
    S::as_mut_simd_f64s(values).0.chunks_mut(FirstLayer::PANEL * columns)
}

/// The pass over a panel of N vectors of rows.
#[inline(always)]
pub fn panel_pass<S: Simd, const N: usize>(
    simd: S,
    panel: &mut [S::f64s],
    deltas: &[S::f64s],
    pass: Pass,
    sums: &mut [S::f64s],
) {
    let panel = panel.as_chunks_mut::<N>().0;
    let (Some(&deltas), Some(sums)) = (deltas.first_chunk::<N>(), sums.first_chunk_mut::<N>()) else {
        return;
    };
    let rate = simd.splat_f64s(pass.learning_rate);
    let [mut totals, mut others] = [[simd.splat_f64s(0.0); N]; 2];
    match (pass.update, pass.next) {
        (Some(x), Some(next)) => {
            for ((weights, &x_j), &next_j) in panel.iter_mut().zip(x).zip(next) {
                update(simd, weights, &deltas, x_j, rate);
                add_products(simd, &mut totals, weights, next_j);
                split(&mut totals, &mut others);
            }
        }
        (Some(x), None) => {
            for (weights, &x_j) in panel.iter_mut().zip(x) {
                update(simd, weights, &deltas, x_j, rate);
            }
        }
        (None, Some(next)) => {
            for (weights, &next_j) in panel.iter().zip(next) {
                add_products(simd, &mut totals, weights, next_j);
                split(&mut totals, &mut others);
            }
        }
        (None, None) => {}
    }
    join(simd, &mut totals, others);
    *sums = totals;
}

/// Take `learning_rate * (delta_i * x_j)` off the weights of input j.
#[inline(always)]
pub fn update<S: Simd, const N: usize>(
    simd: S,
    weights: &mut [S::f64s; N],
    deltas: &[S::f64s; N],
    x_j: f64,
    rate: S::f64s,
) {
    let x_j = simd.splat_f64s(x_j);
    for (w_ij, delta) in weights.iter_mut().zip(deltas) {
        *w_ij = descend(simd, *w_ij, rate, *delta, x_j);
    }
}

/// Add `x_j * w_ij` to the sum of each row i.
#[inline(always)]
pub fn add_products<S: Simd, const N: usize>(
    simd: S,
    totals: &mut [S::f64s; N],
    weights: &[S::f64s; N],
    x_j: f64,
) {
    let x_j = simd.splat_f64s(x_j);
    for (total, w_ij) in totals.iter_mut().zip(weights) {
        *total = add_product(simd, *total, x_j, *w_ij);
    }
}

/// Let the next terms go to another part of the sums, if these may have parts and too few are under way at once.
#[inline(always)]
pub fn split<T, const N: usize>(totals: &mut [T; N], others: &mut [T; N]) {
    if FREE_ORDER && N == 1 {
        std::mem::swap(totals, others);
    }
}

/// Add the other parts of the sums, if these may have parts.
#[inline(always)]
pub fn join<S: Simd, const N: usize>(simd: S, totals: &mut [S::f64s; N], others: [S::f64s; N]) {
    if FREE_ORDER {
        for (total, other) in totals.iter_mut().zip(others) {
            *total = simd.add_f64s(*total, other);
        }
    }
}
