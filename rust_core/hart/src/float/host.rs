//! Arithmetic by the host's own floating-point unit, where that provably gives the same encoding
//! and the same flags as the definition.
//!
//! Under the default control word the host rounds to nearest, ties to even, and IEEE 754 leaves
//! it no choice of a finite result. So only the rounding mode, the flags and NaN results need
//! care, and every function here declines (`None`) unless
//!
//! - the mode is [`RoundingMode::NearestEven`];
//! - the result is finite, which excludes overflow, division by zero, invalid operations and NaN;
//! - the result is above the least normal number in magnitude, which excludes underflow, or is a
//!   kind of result that cannot underflow;
//! - inexactness is known: it is already flagged, or an exact check tells.

// The lint warns of rounding and of comparing for equality: both are the purpose here.
#![allow(clippy::cast_precision_loss, clippy::float_cmp)]

use std::ops::RangeInclusive;

use super::environment::{Flags, RoundingMode};
use super::format::{Double, Format, Single};
use super::host_control;

/// The host's operations on encodings widened to `u64`.
pub trait HostFloat {
    /// `a + b`.
    fn host_add(a: u64, b: u64) -> u64;
    /// `a * b`.
    fn host_mul(a: u64, b: u64) -> u64;
    /// `a / b`.
    fn host_div(a: u64, b: u64) -> u64;
    /// The square root of `a`.
    fn host_sqrt(a: u64) -> u64;
    /// `a * b + c` rounded once; `None` if the host has no such instruction.
    fn host_mul_add(a: u64, b: u64, c: u64) -> Option<u64>;
    /// `a` without its fraction, and whether it had none; `None` from 2^63 in magnitude, and for a
    /// NaN.
    fn host_truncate(a: u64) -> Option<(i64, bool)>;
    /// The number nearest to `value`.
    fn host_from_i64(value: i64) -> u64;
    /// Whether the finite `sum` is `a + b` exactly; `None` if the check itself overflows.
    fn host_sum_is_exact(a: u64, b: u64, sum: u64) -> Option<bool>;
}

macro_rules! host_float {
    ($format:ty, $host:ty, $bits:ty, $fused:path) => {
        impl HostFloat for $format {
            #[inline]
            fn host_add(a: u64, b: u64) -> u64 {
                (<$host>::from_bits(a as $bits) + <$host>::from_bits(b as $bits)).to_bits().into()
            }

            #[inline]
            fn host_mul(a: u64, b: u64) -> u64 {
                (<$host>::from_bits(a as $bits) * <$host>::from_bits(b as $bits)).to_bits().into()
            }

            #[inline]
            fn host_div(a: u64, b: u64) -> u64 {
                (<$host>::from_bits(a as $bits) / <$host>::from_bits(b as $bits)).to_bits().into()
            }

            #[inline]
            fn host_sqrt(a: u64) -> u64 {
                <$host>::from_bits(a as $bits).sqrt().to_bits().into()
            }

            #[inline]
            fn host_mul_add(a: u64, b: u64, c: u64) -> Option<u64> {
                let operand = |raw: u64| <$host>::from_bits(raw as $bits);
                $fused(operand(a), operand(b), operand(c)).map(|r| r.to_bits().into())
            }

            #[inline]
            fn host_truncate(a: u64) -> Option<(i64, bool)> {
                const BOUND: $host = (1_u64 << 63) as $host;
                let a = <$host>::from_bits(a as $bits);
                let whole = a as i64;
                // What is cut off an integral number is nothing, so the way back is exact.
                (a.abs() < BOUND).then_some((whole, whole as $host == a))
            }

            #[inline]
            fn host_from_i64(value: i64) -> u64 {
                (value as $host).to_bits().into()
            }

            #[inline]
            fn host_sum_is_exact(a: u64, b: u64, sum: u64) -> Option<bool> {
                let operand = |raw: u64| <$host>::from_bits(raw as $bits);
                let (a, b, sum) = (operand(a), operand(b), operand(sum));
                // Knuth's error-free transformation: the sum of the two differences is the
                // rounding error of `sum`, itself without error unless something overflows.
                let b_rounded = sum - a;
                let error = (a - (sum - b_rounded)) + (b - b_rounded);
                error.is_finite().then_some(error == 0.0)
            }
        }
    };
}

host_float!(Single, f32, u32, host_control::fused_single);
host_float!(Double, f64, u64, host_control::fused_double);

/// `a + b`.
#[inline]
pub(super) fn add<F: Format>(
    a: u64,
    b: u64,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> Option<u64> {
    if !is_usable(rounding) {
        return None;
    }
    let sum = F::host_add(a, b);
    // A sum below the normal range is exact: it is a multiple of the least subnormal.
    if !is_finite::<F>(sum) {
        return None;
    }
    if !flags.contains(Flags::INEXACT) && !F::host_sum_is_exact(a, b, sum)? {
        flags.raise(Flags::INEXACT);
    }
    Some(sum)
}

/// `a * b`.
#[inline]
pub(super) fn mul<F: Format>(
    a: u64,
    b: u64,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> Option<u64> {
    if !is_usable(rounding) {
        return None;
    }
    let product = F::host_mul(a, b);
    if !is_safely_normal::<F>(product) {
        // Zero is either what underflow left or, with a zero factor, exact.
        let is_exact = is_zero::<F>(product) && (is_zero::<F>(a) || is_zero::<F>(b));
        return is_exact.then_some(product);
    }
    if !flags.contains(Flags::INEXACT) && !product_is_exact::<F>(a, b, product)? {
        flags.raise(Flags::INEXACT);
    }
    Some(product)
}

/// `a / b`.
#[inline]
pub(super) fn div<F: Format>(
    a: u64,
    b: u64,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> Option<u64> {
    if !is_usable(rounding) {
        return None;
    }
    let quotient = F::host_div(a, b);
    if !is_safely_normal::<F>(quotient) {
        return (is_zero::<F>(quotient) && is_zero::<F>(a)).then_some(quotient);
    }
    if !flags.contains(Flags::INEXACT) && !product_is_exact::<F>(quotient, b, a)? {
        flags.raise(Flags::INEXACT);
    }
    Some(quotient)
}

/// The square root of `a`.
#[inline]
pub(super) fn sqrt<F: Format>(a: u64, rounding: RoundingMode, flags: &mut Flags) -> Option<u64> {
    if !is_usable(rounding) {
        return None;
    }
    let root = F::host_sqrt(a);
    if !is_safely_normal::<F>(root) {
        return None;
    }
    if !flags.contains(Flags::INEXACT) && !product_is_exact::<F>(root, root, a)? {
        flags.raise(Flags::INEXACT);
    }
    Some(root)
}

/// `a * b + c`, rounded once.
#[inline]
pub(super) fn mul_add<F: Format>(
    a: u64,
    b: u64,
    c: u64,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> Option<u64> {
    if !is_usable(rounding) {
        return None;
    }
    let result = F::host_mul_add(a, b, c)?;
    if !is_safely_normal::<F>(result) {
        let is_exact = is_zero::<F>(c) && (is_zero::<F>(a) || is_zero::<F>(b));
        return (is_zero::<F>(result) && is_exact).then_some(result);
    }
    if !flags.contains(Flags::INEXACT) && !fused_is_exact::<F>(a, b, c, result)? {
        flags.raise(Flags::INEXACT);
    }
    Some(result)
}

/// `a` truncated to an integer of the given range.
#[inline]
pub(super) fn to_integer<F: Format>(
    a: u64,
    range: &RangeInclusive<i128>,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> Option<i128> {
    if !host_control::IS_CONTROLLED || rounding != RoundingMode::TowardZero {
        return None;
    }
    let (whole, is_exact) = F::host_truncate(a)?;
    if !range.contains(&whole.into()) {
        return None;
    }
    if !is_exact {
        flags.raise(Flags::INEXACT);
    }
    Some(whole.into())
}

/// The number nearest to `value`.
#[inline]
pub(super) fn from_i64<F: Format>(
    value: i64,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> Option<u64> {
    let magnitude = value.unsigned_abs();
    let significant_bits = 64 - (magnitude | 1).leading_zeros() - magnitude.trailing_zeros() % 64;
    if significant_bits > F::PRECISION {
        if !is_usable(rounding) {
            return None;
        }
        flags.raise(Flags::INEXACT);
    }
    host_control::IS_CONTROLLED.then(|| F::host_from_i64(value))
}

/// The double with the value of a single.
#[inline]
pub(super) fn single_to_double(a: u32) -> Option<u64> {
    let single = f32::from_bits(a);
    let usable = host_control::IS_CONTROLLED && !single.is_nan();
    usable.then(|| f64::from(single).to_bits())
}

/// A double rounded to single precision.
#[inline]
pub(super) fn double_to_single(a: u64, rounding: RoundingMode, flags: &mut Flags) -> Option<u32> {
    let double = f64::from_bits(a);
    let single = double as f32;
    if !is_usable(rounding) || !is_safely_normal::<Single>(single.to_bits().into()) {
        return None;
    }
    if f64::from(single).to_bits() != a {
        flags.raise(Flags::INEXACT);
    }
    Some(single.to_bits())
}

#[inline]
fn is_usable(rounding: RoundingMode) -> bool {
    host_control::IS_CONTROLLED && rounding == RoundingMode::NearestEven
}

#[inline]
fn is_finite<F: Format>(raw: u64) -> bool {
    raw & F::INFINITY != F::INFINITY
}

/// Finite, and so large that the unrounded result was not tiny. The least normal number itself
/// may be the rounded form of a tiny result.
#[inline]
fn is_safely_normal<F: Format>(raw: u64) -> bool {
    let magnitude = raw & !F::SIGN;
    magnitude > F::LEADING_ONE && magnitude < F::INFINITY
}

#[inline]
fn is_zero<F: Format>(raw: u64) -> bool {
    raw & !F::SIGN == 0
}

/// The exponent field. A significand's last place is worth `2^(stored_exponent - constant)`.
#[inline]
fn stored_exponent<F: Format>(raw: u64) -> i32 {
    ((raw & F::INFINITY) >> (F::PRECISION - 1)) as i32
}

/// The integer significand of a normal number.
#[inline]
fn significand<F: Format>(raw: u64) -> u64 {
    (raw & F::FRACTION) | F::LEADING_ONE
}

/// The stored exponent of the last place of a product of two significands.
#[inline]
fn product_exponent<F: Format>(x: u64, y: u64) -> i32 {
    stored_exponent::<F>(x) + stored_exponent::<F>(y) - F::BIAS - (F::PRECISION as i32 - 1)
}

/// Whether `x * y == z` exactly, given that one of the three is the correctly rounded outcome of
/// that equation; `None` unless all three are normal numbers.
///
/// With integer significands `X * Y == Z << k` must hold, with `k` from the exponents. The two
/// sides differ by at most half a unit in the last place of the rounded one times the other
/// factor, less than `2^PRECISION`, so it is enough to compare them modulo `2^64`.
#[inline]
fn product_is_exact<F: Format>(x: u64, y: u64, z: u64) -> Option<bool> {
    if [x, y, z].iter().any(|&raw| stored_exponent::<F>(raw) == 0) {
        return None;
    }
    let scale = stored_exponent::<F>(z) - product_exponent::<F>(x, y);
    let product = significand::<F>(x).wrapping_mul(significand::<F>(y));
    Some(product == significand::<F>(z) << scale)
}

/// Whether `a * b + c == result` exactly, given that `result` is correctly rounded; `None` unless
/// all are normal numbers, and of magnitudes not too far apart.
///
/// In units of the least last place among the three terms this is an equation of integers. Its
/// sides differ by at most half a last place of the result; if that is less than `2^128` units,
/// it is enough to compare them modulo `2^128`.
fn fused_is_exact<F: Format>(a: u64, b: u64, c: u64, result: u64) -> Option<bool> {
    if [a, b, c].iter().any(|&raw| stored_exponent::<F>(raw) == 0) {
        return None;
    }
    let exponents =
        [product_exponent::<F>(a, b), stored_exponent::<F>(c), stored_exponent::<F>(result)];
    let least = exponents[0].min(exponents[1]).min(exponents[2]);
    let [product_shift, addend_shift, result_shift] = exponents.map(|e| (e - least) as u32);
    if result_shift > 128 {
        return None;
    }
    let term = |magnitude: u128, shift: u32, sign: u64| {
        let integer = magnitude.checked_shl(shift).unwrap_or(0);
        if sign & F::SIGN == 0 { integer } else { integer.wrapping_neg() }
    };
    let product = u128::from(significand::<F>(a)) * u128::from(significand::<F>(b));
    let sum = term(product, product_shift, a ^ b).wrapping_add(term(
        significand::<F>(c).into(),
        addend_shift,
        c,
    ));
    Some(sum == term(significand::<F>(result).into(), result_shift, result))
}
