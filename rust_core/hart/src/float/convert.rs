//! Conversion between the formats, and from and to integers.

use super::environment::{Flags, RoundingMode};
use super::format::{Double, Format, Single};
use super::number::{Number, Value, shift_right_sticky};
use super::round::pack;

/// The double with the value of a single; always exact.
#[inline]
pub fn single_to_double(a: u32, flags: &mut Flags) -> u64 {
    pack::<Double>(Value::unpack::<Single>(a), RoundingMode::NearestEven, flags)
}

/// A double rounded to single precision.
#[inline]
pub fn double_to_single(a: u64, rounding: RoundingMode, flags: &mut Flags) -> u32 {
    pack::<Single>(Value::unpack::<Double>(a), rounding, flags)
}

/// `a` rounded to a signed 32-bit integer.
///
/// As with all of these conversions: outside the range, and for a NaN, the result is the nearest
/// bound (for a NaN the upper one) and the only flag raised is invalid.
#[inline]
pub fn to_i32<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> i32 {
    to_integer::<F>(a, i128::from(i32::MIN), i128::from(i32::MAX), rounding, flags) as i32
}

/// `a` rounded to an unsigned 32-bit integer.
#[inline]
pub fn to_u32<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> u32 {
    to_integer::<F>(a, 0, i128::from(u32::MAX), rounding, flags) as u32
}

/// `a` rounded to a signed 64-bit integer.
#[inline]
pub fn to_i64<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> i64 {
    to_integer::<F>(a, i128::from(i64::MIN), i128::from(i64::MAX), rounding, flags) as i64
}

/// `a` rounded to an unsigned 64-bit integer.
#[inline]
pub fn to_u64<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> u64 {
    to_integer::<F>(a, 0, i128::from(u64::MAX), rounding, flags) as u64
}

/// The number nearest to a signed 32-bit integer.
#[inline]
pub fn from_i32<F: Format>(value: i32, rounding: RoundingMode, flags: &mut Flags) -> F::Bits {
    from_i64::<F>(i64::from(value), rounding, flags)
}

/// The number nearest to an unsigned 32-bit integer.
#[inline]
pub fn from_u32<F: Format>(value: u32, rounding: RoundingMode, flags: &mut Flags) -> F::Bits {
    from_u64::<F>(u64::from(value), rounding, flags)
}

/// The number nearest to a signed 64-bit integer.
#[inline]
pub fn from_i64<F: Format>(value: i64, rounding: RoundingMode, flags: &mut Flags) -> F::Bits {
    pack::<F>(Value::from_integer(value < 0, value.unsigned_abs()), rounding, flags)
}

/// The number nearest to an unsigned 64-bit integer.
#[inline]
pub fn from_u64<F: Format>(value: u64, rounding: RoundingMode, flags: &mut Flags) -> F::Bits {
    pack::<F>(Value::from_integer(false, value), rounding, flags)
}

fn to_integer<F: Format>(
    a: F::Bits,
    least: i128,
    greatest: i128,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> i128 {
    let (integer, inexact) = match Value::unpack::<F>(a) {
        Value::Zero { .. } => return 0,
        Value::Finite(number) => round_to_integer(number, rounding),
        Value::Infinity { negative: true } => (i128::MIN, false),
        Value::Infinity { negative: false } | Value::Nan { .. } => (i128::MAX, false),
    };
    if integer < least || integer > greatest {
        flags.raise(Flags::INVALID);
        return integer.clamp(least, greatest);
    }
    if inexact {
        flags.raise(Flags::INEXACT);
    }
    integer
}

/// The integer that `number` rounds to, or one as far outside 64 bits, and whether it differs.
fn round_to_integer(number: Number, rounding: RoundingMode) -> (i128, bool) {
    const FRACTION_BITS: u32 = 64;
    if number.exponent >= 64 {
        return (if number.negative { i128::MIN } else { i128::MAX }, false);
    }
    let fixed_point = shift_right_sticky(number.significand, (63 - number.exponent) as u32);
    let whole = fixed_point >> FRACTION_BITS;
    let remainder = fixed_point & ((1 << FRACTION_BITS) - 1);
    let up =
        rounding.increments(number.negative, whole & 1 != 0, remainder, 1 << (FRACTION_BITS - 1));
    let magnitude = (whole + u128::from(up)) as i128;
    (if number.negative { -magnitude } else { magnitude }, remainder != 0)
}
