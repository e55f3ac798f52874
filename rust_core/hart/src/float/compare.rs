//! Comparison, minimum and maximum, and classification.
//!
//! An encoding is a sign and a magnitude, and for numbers the magnitude's order is the order of
//! the encodings: comparison is integer comparison, the same on every host.

use super::environment::Flags;
use super::format::Format;

/// `a == b`; quiet, so only a signalling NaN is invalid.
#[inline]
pub fn equal<F: Format>(a: F::Bits, b: F::Bits, flags: &mut Flags) -> bool {
    let (a, b) = (a.into(), b.into());
    if F::is_nan(a) || F::is_nan(b) {
        raise_if_signaling::<F>(a, b, flags);
        return false;
    }
    order_key::<F>(a) == order_key::<F>(b)
}

/// `a < b`; any NaN is invalid.
#[inline]
pub fn less<F: Format>(a: F::Bits, b: F::Bits, flags: &mut Flags) -> bool {
    ordered_keys::<F>(a, b, flags).is_some_and(|(x, y)| x < y)
}

/// `a <= b`; any NaN is invalid.
#[inline]
pub fn less_equal<F: Format>(a: F::Bits, b: F::Bits, flags: &mut Flags) -> bool {
    ordered_keys::<F>(a, b, flags).is_some_and(|(x, y)| x <= y)
}

/// The smaller operand, -0 being less than +0, or the one that is not a NaN (`fmin`).
#[inline]
pub fn minimum<F: Format>(a: F::Bits, b: F::Bits, flags: &mut Flags) -> F::Bits {
    let (x, y) = (a.into(), b.into());
    F::from_raw(match choose_number::<F>(x, y, flags) {
        Some(chosen) => chosen,
        None if order_key::<F>(x) < order_key::<F>(y) => x,
        None if order_key::<F>(y) < order_key::<F>(x) => y,
        // The same number, or two zeros: negative if either is.
        None => x | y,
    })
}

/// The larger operand, +0 being more than -0, or the one that is not a NaN (`fmax`).
#[inline]
pub fn maximum<F: Format>(a: F::Bits, b: F::Bits, flags: &mut Flags) -> F::Bits {
    let (x, y) = (a.into(), b.into());
    F::from_raw(match choose_number::<F>(x, y, flags) {
        Some(chosen) => chosen,
        None if order_key::<F>(x) > order_key::<F>(y) => x,
        None if order_key::<F>(y) > order_key::<F>(x) => y,
        None => x & y,
    })
}

/// The class of `a` as a mask with one of ten bits set (`fclass`): from bit 0, negative infinity,
/// negative normal, negative subnormal, -0, +0, positive subnormal, positive normal, positive
/// infinity, signalling NaN, quiet NaN.
#[inline]
pub fn classify<F: Format>(a: F::Bits) -> u64 {
    let raw: u64 = a.into();
    let magnitude = raw & !F::SIGN;
    let (negative_bit, positive_bit) = match magnitude {
        0 => (3, 4),
        _ if F::is_signaling(raw) => (8, 8),
        _ if F::is_nan(raw) => (9, 9),
        _ if magnitude == F::INFINITY => (0, 7),
        _ if magnitude < F::LEADING_ONE => (2, 5),
        _ => (1, 6),
    };
    1 << if raw == magnitude { positive_bit } else { negative_bit }
}

/// An integer that orders numbers as the numbers are ordered; both zeros map to 0.
#[inline]
fn order_key<F: Format>(raw: u64) -> i64 {
    let magnitude = (raw & !F::SIGN) as i64;
    if raw & F::SIGN == 0 { magnitude } else { -magnitude }
}

/// Order keys for a signalling comparison; `None`, raising invalid, if there is a NaN.
#[inline]
fn ordered_keys<F: Format>(a: F::Bits, b: F::Bits, flags: &mut Flags) -> Option<(i64, i64)> {
    let (a, b) = (a.into(), b.into());
    if F::is_nan(a) || F::is_nan(b) {
        flags.raise(Flags::INVALID);
        return None;
    }
    Some((order_key::<F>(a), order_key::<F>(b)))
}

#[inline]
fn raise_if_signaling<F: Format>(a: u64, b: u64, flags: &mut Flags) {
    if F::is_signaling(a) || F::is_signaling(b) {
        flags.raise(Flags::INVALID);
    }
}

/// What minimum and maximum deliver when there is a NaN; `None` if there is none.
#[inline]
fn choose_number<F: Format>(a: u64, b: u64, flags: &mut Flags) -> Option<u64> {
    match (F::is_nan(a), F::is_nan(b)) {
        (false, false) => return None,
        _ => raise_if_signaling::<F>(a, b, flags),
    }
    Some(match (F::is_nan(a), F::is_nan(b)) {
        (false, _) => a,
        (_, false) => b,
        _ => F::CANONICAL_NAN,
    })
}
