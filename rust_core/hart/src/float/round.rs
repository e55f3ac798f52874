//! The one rounding step that ends every operation (IEEE 754-2019, 4.3 and 7.4-7.6).

use super::environment::{Flags, RoundingMode};
use super::format::Format;
use super::number::{Number, Value, shift_right_sticky};

/// The encoding of `value`, rounded to the format.
#[inline]
pub(super) fn pack<F: Format>(value: Value, rounding: RoundingMode, flags: &mut Flags) -> F::Bits {
    let signed = |negative: bool, magnitude: u64| magnitude | if negative { F::SIGN } else { 0 };
    F::from_raw(match value {
        Value::Finite(number) => signed(number.negative, pack_number::<F>(number, rounding, flags)),
        Value::Zero { negative } => signed(negative, 0),
        Value::Infinity { negative } => signed(negative, F::INFINITY),
        Value::Nan { invalid } => {
            if invalid {
                flags.raise(Flags::INVALID);
            }
            F::CANONICAL_NAN
        }
    })
}

/// The encoding of the number's magnitude.
#[inline]
fn pack_number<F: Format>(number: Number, rounding: RoundingMode, flags: &mut Flags) -> u64 {
    let stored_exponent = number.exponent + F::BIAS;
    if stored_exponent <= 0 {
        return pack_tiny::<F>(number, rounding, flags);
    }
    let rounded = Rounded::new::<F>(number.upper_sticky(), number.negative, rounding);
    if rounded.inexact {
        flags.raise(Flags::INEXACT);
    }
    // The leading one, and a carry out of the rounding, add one to the exponent below it.
    let exponent_below = (stored_exponent as u64 - 1) << (F::PRECISION - 1);
    if stored_exponent > 2 * F::BIAS || exponent_below + rounded.significand >= F::INFINITY {
        return overflow::<F>(number.negative, rounding, flags);
    }
    exponent_below + rounded.significand
}

/// Packs a number below the normal range; rounding may bring it up to the least normal number.
#[inline]
fn pack_tiny<F: Format>(number: Number, rounding: RoundingMode, flags: &mut Flags) -> u64 {
    let below = (1 - F::BIAS - number.exponent) as u32;
    let aligned = Number { significand: shift_right_sticky(number.significand, below), ..number };
    let rounded = Rounded::new::<F>(aligned.upper_sticky(), number.negative, rounding);
    if rounded.inexact {
        flags.raise(Flags::INEXACT);
        // Tininess is judged after rounding to full precision with an unbounded exponent.
        let unbounded = Rounded::new::<F>(number.upper_sticky(), number.negative, rounding);
        if below > 1 || unbounded.significand >> F::PRECISION == 0 {
            flags.raise(Flags::UNDERFLOW);
        }
    }
    rounded.significand
}

#[inline]
fn overflow<F: Format>(negative: bool, rounding: RoundingMode, flags: &mut Flags) -> u64 {
    flags.raise(Flags::OVERFLOW);
    flags.raise(Flags::INEXACT);
    let to_infinity = match rounding {
        RoundingMode::NearestEven | RoundingMode::NearestMaxMagnitude => true,
        RoundingMode::TowardZero => false,
        RoundingMode::Down => negative,
        RoundingMode::Up => !negative,
    };
    if to_infinity { F::INFINITY } else { F::INFINITY - 1 }
}

/// The integer that `number` rounds to, or one as far outside 64 bits, and whether it differs.
#[inline]
pub(super) fn round_to_integer(number: Number, rounding: RoundingMode) -> (i128, bool) {
    if number.exponent >= 64 {
        return (if number.negative { i128::MIN } else { i128::MAX }, false);
    }
    // Fixed point: 64 bits of integer, 64 of fraction.
    let fixed = shift_right_sticky(number.significand, (63 - number.exponent) as u32);
    let (whole, remainder) = (fixed >> 64, fixed as u64);
    let up = rounding.increments(number.negative, whole & 1 != 0, remainder, 1 << 63);
    let magnitude = (whole + u128::from(up)) as i128;
    (if number.negative { -magnitude } else { magnitude }, remainder != 0)
}

/// A 64-bit significand rounded to the format's precision.
struct Rounded {
    /// With the leading one, of a normalised significand, at bit `PRECISION - 1`; or one above,
    /// after a carry.
    significand: u64,
    inexact: bool,
}

impl Rounded {
    #[inline]
    fn new<F: Format>(significand: u64, negative: bool, rounding: RoundingMode) -> Self {
        let cut = 64 - F::PRECISION;
        let kept = significand >> cut;
        let remainder = significand & ((1 << cut) - 1);
        let up = rounding.increments(negative, kept & 1 != 0, remainder, 1 << (cut - 1));
        Self { significand: kept + u64::from(up), inexact: remainder != 0 }
    }
}
