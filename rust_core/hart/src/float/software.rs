//! Arithmetic and conversion from their definition, with integers only.
//!
//! Each one unpacks its operands, computes in `arithmetic` and packs the
//! outcome with a single rounding. Public so that the host path can be compared with it.

use std::ops::RangeInclusive;

use super::arithmetic::{product, quotient, root, sum};
use super::environment::{Flags, RoundingMode};
use super::format::Format;
use super::number::Value;
use super::round::{pack, round_to_integer};

/// `a + b`.
#[inline(never)]
pub fn add<F: Format>(
    a: F::Bits,
    b: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let total = sum(Value::unpack::<F>(a), Value::unpack::<F>(b), rounding);
    pack::<F>(total, rounding, flags)
}

/// `a * b`.
#[inline(never)]
pub fn mul<F: Format>(
    a: F::Bits,
    b: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let value = product(Value::unpack::<F>(a), Value::unpack::<F>(b));
    pack::<F>(value, rounding, flags)
}

/// `a / b`.
#[inline(never)]
pub fn div<F: Format>(
    a: F::Bits,
    b: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let value = quotient(Value::unpack::<F>(a), Value::unpack::<F>(b), flags);
    pack::<F>(value, rounding, flags)
}

/// The square root of `a`.
#[inline(never)]
pub fn sqrt<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> F::Bits {
    pack::<F>(root(Value::unpack::<F>(a)), rounding, flags)
}

/// `a * b + c`, rounded once.
#[inline(never)]
pub fn mul_add<F: Format>(
    a: F::Bits,
    b: F::Bits,
    c: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let exact_product = product(Value::unpack::<F>(a), Value::unpack::<F>(b));
    let total = sum(exact_product, Value::unpack::<F>(c), rounding);
    pack::<F>(total, rounding, flags)
}

/// A number of one format rounded to another.
#[inline(never)]
pub fn convert<From: Format, To: Format>(
    a: From::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> To::Bits {
    pack::<To>(Value::unpack::<From>(a), rounding, flags)
}

/// The number nearest to the integer with this sign and magnitude.
#[inline(never)]
pub fn from_integer<F: Format>(
    negative: bool,
    magnitude: u64,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    pack::<F>(Value::from_integer(negative, magnitude), rounding, flags)
}

/// The integer that `a` rounds to, or the bound of the range that it is beyond; a NaN is beyond
/// the upper one.
#[inline(never)]
pub fn to_integer<F: Format>(
    a: F::Bits,
    range: &RangeInclusive<i128>,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> i128 {
    let (integer, inexact) = match Value::unpack::<F>(a) {
        Value::Zero { .. } => (0, false),
        Value::Finite(number) => round_to_integer(number, rounding),
        Value::Infinity { negative: true } => (i128::MIN, false),
        Value::Infinity { negative: false } | Value::Nan { .. } => (i128::MAX, false),
    };
    if !range.contains(&integer) {
        flags.raise(Flags::INVALID);
        return integer.clamp(*range.start(), *range.end());
    }
    if inexact {
        flags.raise(Flags::INEXACT);
    }
    integer
}
