//! Conversion between the formats, and from and to integers.

use super::environment::{Flags, RoundingMode};
use super::format::{Double, Format, Single};
use super::{host, software};

/// The double with the value of a single; always exact.
#[inline]
pub fn single_to_double(a: u32, flags: &mut Flags) -> u64 {
    host::single_to_double(a)
        .unwrap_or_else(|| software::convert::<Single, Double>(a, RoundingMode::NearestEven, flags))
}

/// A double rounded to single precision.
#[inline]
pub fn double_to_single(a: u64, rounding: RoundingMode, flags: &mut Flags) -> u32 {
    host::double_to_single(a, rounding, flags)
        .unwrap_or_else(|| software::convert::<Double, Single>(a, rounding, flags))
}

/// `a` rounded to a signed 32-bit integer.
///
/// As with all of these conversions: outside the range, and for a NaN, the result is the nearest
/// bound (for a NaN the upper one) and the only flag raised is invalid.
#[inline]
pub fn to_i32<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> i32 {
    to_integer::<F>(a, i32::MIN.into(), i32::MAX.into(), rounding, flags) as i32
}

/// `a` rounded to an unsigned 32-bit integer.
#[inline]
pub fn to_u32<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> u32 {
    to_integer::<F>(a, 0, u32::MAX.into(), rounding, flags) as u32
}

/// `a` rounded to a signed 64-bit integer.
#[inline]
pub fn to_i64<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> i64 {
    to_integer::<F>(a, i64::MIN.into(), i64::MAX.into(), rounding, flags) as i64
}

/// `a` rounded to an unsigned 64-bit integer.
#[inline]
pub fn to_u64<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> u64 {
    to_integer::<F>(a, 0, u64::MAX.into(), rounding, flags) as u64
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
    match host::from_i64::<F>(value, rounding, flags) {
        Some(raw) => F::from_raw(raw),
        None => software::from_integer::<F>(value < 0, value.unsigned_abs(), rounding, flags),
    }
}

/// The number nearest to an unsigned 64-bit integer.
#[inline]
pub fn from_u64<F: Format>(value: u64, rounding: RoundingMode, flags: &mut Flags) -> F::Bits {
    match i64::try_from(value) {
        Ok(value) => from_i64::<F>(value, rounding, flags),
        Err(_) => software::from_integer::<F>(false, value, rounding, flags),
    }
}

#[inline]
fn to_integer<F: Format>(
    a: F::Bits,
    least: i128,
    greatest: i128,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> i128 {
    let range = least..=greatest;
    host::to_integer::<F>(a.into(), &range, rounding, flags)
        .unwrap_or_else(|| software::to_integer::<F>(a, &range, rounding, flags))
}
