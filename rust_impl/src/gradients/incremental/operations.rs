//! How much work `Incremental` leaves.

use std::ops::{AddAssign, Mul};

/// Additions, subtractions among them, and multiplications; divisions are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Additions and subtractions.
    pub additions: u128,
    /// Multiplications.
    pub multiplications: u128,
}

impl Operations {
    const fn new(additions: u128, multiplications: u128) -> Self {
        Self { additions, multiplications }
    }
}

impl AddAssign for Operations {
    fn add_assign(&mut self, other: Self) {
        self.additions += other.additions;
        self.multiplications += other.multiplications;
    }
}

impl Mul<Operations> for u128 {
    type Output = Operations;

    fn mul(self, each: Operations) -> Operations {
        Operations::new(self * each.additions, self * each.multiplications)
    }
}

/// What one training step takes for layers of these sizes.
pub fn operations(layers: &[usize]) -> Operations {
    let shapes: Vec<_> = layers.windows(2).map(|pair| (pair[1], pair[0])).collect();
    let mut total = Operations::default();
    for (k, &shape) in shapes.iter().enumerate() {
        total += whole_layer(shape);
        total += weights(&shapes[k..]);
        total += bias(&shapes[k..]);
    }
    total
}

/// The weights of the first of these layers, if the others come after it.
///
/// A weight takes p + h, p - h, and of each the product and the sum with the terms before it; then the terms
/// after it, of which there are 0 to n - 1 in the n places of a row, and the bias. The one output that is
/// changed goes into each row of the next layer in the same way, and from there on nothing is shared.
pub fn weights(shapes: &[(usize, usize)]) -> Operations {
    let (rows, columns) = (shapes[0].0 as u128, shapes[0].1 as u128);
    let places = |n: u128| n * (n - 1) / 2;
    let perturbed = 2 * rows * columns;
    let mut total = perturbed * Operations::new(3, 1);
    total.additions += 2 * rows * places(columns);
    match shapes[1..] {
        [] => {
            total += perturbed * Operations::new(2, 1);
            total.additions += 2 * columns * places(rows);
        }
        [(next, _), ref after @ ..] => {
            let next = next as u128;
            total += perturbed * next * Operations::new(2, 1);
            total.additions += 2 * columns * next * places(rows);
            for &shape in after {
                total += perturbed * whole_layer(shape);
            }
            total += perturbed * loss(shapes);
        }
    }
    total += rows * columns * UPDATE;
    total
}

/// The bias of the first of these layers: its rows' sums are known, from there on nothing is shared.
fn bias(shapes: &[(usize, usize)]) -> Operations {
    let mut total = 2 * Operations::new(1 + shapes[0].0 as u128, 0);
    for &shape in &shapes[1..] {
        total += 2 * whole_layer(shape);
    }
    total += 2 * loss(shapes);
    total += UPDATE;
    total
}

/// The difference of the two losses, then the rate times the slope taken off the parameter.
const UPDATE: Operations = Operations::new(2, 1);

/// One multiply-add a weight, and the bias for each row.
fn whole_layer((rows, columns): (usize, usize)) -> Operations {
    let (rows, columns) = (rows as u128, columns as u128);
    Operations::new(rows * columns + rows, rows * columns)
}

/// One difference, square and addition an output.
fn loss(shapes: &[(usize, usize)]) -> Operations {
    shapes[shapes.len() - 1].0 as u128 * Operations::new(2, 1)
}

#[cfg(test)]
mod tests {
    use super::{Operations, operations};

    /// The table in the documentation of the method.
    #[test]
    fn counts_that_are_documented() {
        for (layers, additions, multiplications) in [
            (&[10, 5, 1][..], 1_631, 446),
            (&[64, 32, 1], 228_917, 16_646),
            (&[100, 50, 1], 828_371, 40_406),
            (&[256, 128, 1], 13_093_013, 263_174),
            (&[32, 32, 32, 1], 1_344_287, 147_785),
            (&[64, 64, 64, 1], 19_007_007, 1_114_761),
            (&[64, 32, 10], 964_010, 92_714),
        ] {
            assert_eq!(operations(layers), Operations { additions, multiplications });
        }
    }

    /// 2-1. Forward: 2 products, 2 sums, the bias. Each of 2 weights, up and down: p + h, product, sum, bias,
    /// difference, square, sum of squares; the one term after the first weight, up and down. The bias, up and
    /// down: b + h, sum, difference, square, sum of squares. 3 updates: difference, product, difference.
    #[test]
    fn one_layer_counted_by_hand() {
        let additions = (2 + 1) + 4 * (1 + 1 + 1 + 1 + 1) + 2 + 2 * (1 + 1 + 1 + 1) + 3 * 2;
        let multiplications = 2 + 4 * 2 + 2 + 3;
        assert_eq!(operations(&[2, 1]), Operations { additions, multiplications });
    }

    /// 1-2-1. Layer 1 has 2 weights, each 4 of 5 additions and the product as above without the loss, then the
    /// next layer's product, sum and bias, 1 term after the first input, and the loss.
    #[test]
    fn two_layers_counted_by_hand() {
        let forward = (2 + 2 + 2 + 1, 2 + 2);
        let first = (4 * (3 + 2 + 2) + 2, 4 * (1 + 1 + 1));
        let second = (4 * (3 + 2) + 2, 4 * (1 + 1));
        let biases = (2 * (1 + 2 + 3 + 2) + 2 * (1 + 1 + 2), 2 * (2 + 1) + 2);
        let updates = (6 * 2, 6);
        let parts = [forward, first, second, biases, updates];
        let additions = parts.iter().map(|part| part.0).sum();
        let multiplications = parts.iter().map(|part| part.1).sum();
        assert_eq!(operations(&[1, 2, 1]), Operations { additions, multiplications });
    }
}
