//! Sum, product, quotient and square root of unpacked values, not yet rounded.
//!
//! An outcome is exact, or correct with a sticky last bit (see [`number`](super::number)). A
//! product of operands is exact, and a sum takes an exact product as well as an operand; that is
//! all that a fused multiply-add needs.

use super::environment::{Flags, RoundingMode};
use super::number::{Number, Value, shift_right_sticky};

/// `a + b`; an exact zero takes its sign from the rounding mode.
#[inline]
pub(super) fn sum(a: Value, b: Value, rounding: RoundingMode) -> Value {
    use Value::{Finite, Infinity, Nan, Zero};
    match (a, b) {
        (Finite(x), Finite(y)) => sum_of_numbers(x, y, rounding),
        (Nan { .. }, _) | (_, Nan { .. }) => Value::nan_of(a, b).unwrap_or(a),
        (Infinity { negative: x }, Infinity { negative: y }) if x != y => Nan { invalid: true },
        (Infinity { .. }, _) => a,
        (Zero { negative: x }, Zero { negative: y }) if x != y => {
            Zero { negative: rounding.zero_sum_is_negative() }
        }
        (_, Infinity { .. }) | (Zero { .. }, _) => b,
        (_, Zero { .. }) => a,
    }
}

#[inline]
fn sum_of_numbers(x: Number, y: Number, rounding: RoundingMode) -> Value {
    let (large, small) = if x.exponent >= y.exponent { (x, y) } else { (y, x) };
    let distance = (large.exponent - small.exponent) as u32;
    // One place down makes room for a carry. Neither an operand nor a product of operands uses
    // its last bit, so only the further shift of the smaller one can lose anything, and then the
    // difference has at most one leading zero: the sticky bit stays below the rounding position.
    let upper = large.significand >> 1;
    let lower = shift_right_sticky(small.significand, distance + 1);
    let (negative, magnitude) = if large.negative == small.negative {
        (large.negative, upper + lower)
    } else if upper >= lower {
        (large.negative, upper - lower)
    } else {
        (small.negative, lower - upper)
    };
    if magnitude == 0 {
        return Value::Zero { negative: rounding.zero_sum_is_negative() };
    }
    Value::Finite(Number::normalised(negative, large.exponent + 1, magnitude))
}

/// `a * b`, exact for operands as they were unpacked.
#[inline]
pub(super) fn product(a: Value, b: Value) -> Value {
    use Value::{Finite, Infinity, Nan, Zero};
    match (a, b) {
        (Finite(x), Finite(y)) => {
            let significand = u128::from(x.upper()) * u128::from(y.upper());
            let exponent = x.exponent + y.exponent + 1;
            Finite(Number::normalised(x.negative != y.negative, exponent, significand))
        }
        (Nan { .. }, _) | (_, Nan { .. }) => Value::nan_of(a, b).unwrap_or(a),
        (Infinity { .. }, Zero { .. }) | (Zero { .. }, Infinity { .. }) => Nan { invalid: true },
        (Infinity { .. }, _) | (_, Infinity { .. }) => {
            Infinity { negative: a.is_negative() != b.is_negative() }
        }
        (Zero { .. }, _) | (_, Zero { .. }) => {
            Zero { negative: a.is_negative() != b.is_negative() }
        }
    }
}

/// `a / b`; raises the division-by-zero flag.
#[inline]
pub(super) fn quotient(a: Value, b: Value, flags: &mut Flags) -> Value {
    use Value::{Finite, Infinity, Nan, Zero};
    let negative = a.is_negative() != b.is_negative();
    match (a, b) {
        (Finite(x), Finite(y)) => Finite(quotient_of_numbers(x, y)),
        (Nan { .. }, _) | (_, Nan { .. }) => Value::nan_of(a, b).unwrap_or(a),
        (Infinity { .. }, Infinity { .. }) | (Zero { .. }, Zero { .. }) => Nan { invalid: true },
        (Infinity { .. }, _) => Infinity { negative },
        (Finite(_), Zero { .. }) => {
            flags.raise(Flags::DIVIDE_BY_ZERO);
            Infinity { negative }
        }
        (Zero { .. }, _) | (_, Infinity { .. }) => Zero { negative },
    }
}

#[inline]
fn quotient_of_numbers(x: Number, y: Number) -> Number {
    // Both significands lie in [2^63, 2^64): 2^62 times their ratio fits 64 bits.
    let dividend = u128::from(x.upper()) << 62;
    let divisor = u128::from(y.upper());
    let (whole, remainder) = (dividend / divisor, dividend % divisor);
    let significand = (whole << 2) | u128::from(remainder != 0);
    Number::normalised(x.negative != y.negative, x.exponent - y.exponent + 63, significand)
}

/// The square root of `a`.
#[inline]
pub(super) fn root(a: Value) -> Value {
    match a {
        Value::Finite(Number { negative: true, .. }) | Value::Infinity { negative: true } => {
            Value::Nan { invalid: true }
        }
        Value::Finite(x) => Value::Finite(root_of_number(x)),
        _ => a,
    }
}

#[inline]
fn root_of_number(x: Number) -> Number {
    // The exponent is halved, so an odd one lends the significand a factor of two.
    let radicand = if x.exponent & 1 == 0 { x.significand >> 1 } else { x.significand };
    let whole = radicand.isqrt();
    let significand = (whole << 64) | u128::from(whole * whole != radicand);
    Number { negative: false, exponent: x.exponent >> 1, significand }
}
