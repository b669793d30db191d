//! Numbers as Python writes them.

/// A number as Python's `repr` writes it: the shortest digits that read back to the same bits, of those the
/// nearest to the value, and of two equally near the even one, where Rust's own formats take the upper one.
pub fn repr(value: f64) -> String {
    let mut text = String::new();
    push_repr(&mut text, value);
    text
}

/// Append that to a text.
pub fn push_repr(line: &mut String, value: f64) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(value);
    // zmij's layout differs from Python's in these: 0.000015, 1.5e-6 and NaN.
    match value.abs() {
        0.00001..0.0001 => {
            let (sign, digits) = text.split_at(text.len() - text.trim_start_matches('-').len());
            let (first, rest) = digits["0.0000".len()..].split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            line.extend([sign, first, point, rest, "e-05"]);
        }
        0.000_000_001..0.00001 => line.push_str(&text.replace("e-", "e-0")),
        magnitude if magnitude.is_nan() => line.push_str("nan"),
        _ => line.push_str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::repr;

    /// The right column is what Python prints for `repr` of the left one.
    #[test]
    fn numbers_are_written_as_in_python() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (10.00001, "10.00001"),
            (1.5e-5, "1.5e-05"),
            (9999999999999998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.2345e123, "1.2345e+123"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            // Two shortest texts are equally near: the even one.
            (2281069052715809.0 / 4.0, "570267263178952.2"),
            (2281069052715811.0 / 4.0, "570267263178952.8"),
            (-512.0 - 2.0_f64.powi(-14), "-512.0000610351562"),
            (2.0_f64.powi(-25), "2.9802322387695312e-08"),
            (2.0_f64.powi(-44), "5.684341886080802e-14"),
            (-1.5e-5, "-1.5e-05"),
            (9.999999999999999e-5, "9.999999999999999e-05"),
            (9.999999999999999e-6, "9.999999999999999e-06"),
            (1e-9, "1e-09"),
            (9.999999999999999e-10, "9.999999999999999e-10"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
        ] {
            assert_eq!(repr(value), text);
        }
    }
}
