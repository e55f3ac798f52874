//! The M extension.
//!
//! Division never traps: by zero the quotient has all bits set and the remainder is the dividend;
//! the one overflow, the most negative number by -1, gives the dividend and remainder 0
//! (unprivileged specification, "Division Operations").

use super::integer::word;

/// MUL: the low half of the product.
#[inline(always)]
pub(crate) fn mul(a: u64, b: u64) -> u64 {
    a.wrapping_mul(b)
}

/// MULH: the high half of the signed product.
#[inline(always)]
pub(crate) fn mulh(a: u64, b: u64) -> u64 {
    ((i128::from(a as i64) * i128::from(b as i64)) >> 64) as u64
}

/// MULHSU: the high half of a signed by an unsigned number.
#[inline(always)]
pub(crate) fn mulhsu(a: u64, b: u64) -> u64 {
    ((i128::from(a as i64) * i128::from(b)) >> 64) as u64
}

/// MULHU: the high half of the unsigned product.
#[inline(always)]
pub(crate) fn mulhu(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> 64) as u64
}

/// DIV: the signed quotient, rounded towards zero.
#[inline(always)]
pub(crate) fn div(a: u64, b: u64) -> u64 {
    if b == 0 { u64::MAX } else { (a as i64).wrapping_div(b as i64) as u64 }
}

/// DIVU: the unsigned quotient.
#[inline(always)]
pub(crate) fn divu(a: u64, b: u64) -> u64 {
    a.checked_div(b).unwrap_or(u64::MAX)
}

/// REM: the signed remainder, with the sign of the dividend.
#[inline(always)]
pub(crate) fn rem(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { (a as i64).wrapping_rem(b as i64) as u64 }
}

/// REMU: the unsigned remainder.
#[inline(always)]
pub(crate) fn remu(a: u64, b: u64) -> u64 {
    a.checked_rem(b).unwrap_or(a)
}

/// MULW.
#[inline(always)]
pub(crate) fn mulw(a: u64, b: u64) -> u64 {
    word(a.wrapping_mul(b))
}

/// DIVW.
#[inline(always)]
pub(crate) fn divw(a: u64, b: u64) -> u64 {
    if b as i32 == 0 { u64::MAX } else { (a as i32).wrapping_div(b as i32) as u64 }
}

/// DIVUW.
#[inline(always)]
pub(crate) fn divuw(a: u64, b: u64) -> u64 {
    (a as u32).checked_div(b as u32).map_or(u64::MAX, |quotient| word(quotient.into()))
}

/// REMW.
#[inline(always)]
pub(crate) fn remw(a: u64, b: u64) -> u64 {
    if b as i32 == 0 { word(a) } else { (a as i32).wrapping_rem(b as i32) as u64 }
}

/// REMUW.
#[inline(always)]
pub(crate) fn remuw(a: u64, b: u64) -> u64 {
    word((a as u32).checked_rem(b as u32).unwrap_or(a as u32).into())
}
