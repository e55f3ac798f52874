//! Zba, Zbb and Zbs: address generation, bit counting and shuffling, single bits.

use super::integer::word;

/// The zero-extended low word.
#[inline(always)]
fn unsigned_word(value: u64) -> u64 {
    u64::from(value as u32)
}

/// ADD.UW: the unsigned low word plus a doubleword.
#[inline(always)]
pub(crate) fn add_uw(a: u64, b: u64) -> u64 {
    b.wrapping_add(unsigned_word(a))
}

/// SH1ADD: the second plus twice the first.
#[inline(always)]
pub(crate) fn sh1add(a: u64, b: u64) -> u64 {
    b.wrapping_add(a << 1)
}

/// SH2ADD: the second plus four times the first.
#[inline(always)]
pub(crate) fn sh2add(a: u64, b: u64) -> u64 {
    b.wrapping_add(a << 2)
}

/// SH3ADD: the second plus eight times the first.
#[inline(always)]
pub(crate) fn sh3add(a: u64, b: u64) -> u64 {
    b.wrapping_add(a << 3)
}

/// SH1ADD.UW: the same with the unsigned low word of the first.
#[inline(always)]
pub(crate) fn sh1add_uw(a: u64, b: u64) -> u64 {
    sh1add(unsigned_word(a), b)
}

/// SH2ADD.UW.
#[inline(always)]
pub(crate) fn sh2add_uw(a: u64, b: u64) -> u64 {
    sh2add(unsigned_word(a), b)
}

/// SH3ADD.UW.
#[inline(always)]
pub(crate) fn sh3add_uw(a: u64, b: u64) -> u64 {
    sh3add(unsigned_word(a), b)
}

/// SLLI.UW: the unsigned low word shifted left.
#[inline(always)]
pub(crate) fn slli_uw(a: u64, b: u64) -> u64 {
    unsigned_word(a) << (b & 63)
}

/// ANDN: and with the complement of the second.
#[inline(always)]
pub(crate) fn andn(a: u64, b: u64) -> u64 {
    a & !b
}

/// ORN: or with the complement of the second.
#[inline(always)]
pub(crate) fn orn(a: u64, b: u64) -> u64 {
    a | !b
}

/// XNOR: the complement of exclusive or.
#[inline(always)]
pub(crate) fn xnor(a: u64, b: u64) -> u64 {
    !(a ^ b)
}

/// CLZ: zeros above the highest one; 64 if there is none.
#[inline(always)]
pub(crate) fn clz(a: u64) -> u64 {
    u64::from(a.leading_zeros())
}

/// CTZ: zeros below the lowest one; 64 if there is none.
#[inline(always)]
pub(crate) fn ctz(a: u64) -> u64 {
    u64::from(a.trailing_zeros())
}

/// CPOP: the number of ones.
#[inline(always)]
pub(crate) fn cpop(a: u64) -> u64 {
    u64::from(a.count_ones())
}

/// CLZW: CLZ of the low word; 32 if it is zero.
#[inline(always)]
pub(crate) fn clzw(a: u64) -> u64 {
    u64::from((a as u32).leading_zeros())
}

/// CTZW: CTZ of the low word; 32 if it is zero.
#[inline(always)]
pub(crate) fn ctzw(a: u64) -> u64 {
    u64::from((a as u32).trailing_zeros())
}

/// CPOPW: the number of ones in the low word.
#[inline(always)]
pub(crate) fn cpopw(a: u64) -> u64 {
    u64::from((a as u32).count_ones())
}

/// MIN: the lesser, as signed numbers.
#[inline(always)]
pub(crate) fn min(a: u64, b: u64) -> u64 {
    (a as i64).min(b as i64) as u64
}

/// MINU: the lesser, as unsigned numbers.
#[inline(always)]
pub(crate) fn minu(a: u64, b: u64) -> u64 {
    a.min(b)
}

/// MAX: the greater, as signed numbers.
#[inline(always)]
pub(crate) fn max(a: u64, b: u64) -> u64 {
    (a as i64).max(b as i64) as u64
}

/// MAXU: the greater, as unsigned numbers.
#[inline(always)]
pub(crate) fn maxu(a: u64, b: u64) -> u64 {
    a.max(b)
}

/// SEXT.B: the sign-extended low byte.
#[inline(always)]
pub(crate) fn sext_b(a: u64) -> u64 {
    a as i8 as u64
}

/// SEXT.H: the sign-extended low halfword.
#[inline(always)]
pub(crate) fn sext_h(a: u64) -> u64 {
    a as i16 as u64
}

/// ZEXT.H: the zero-extended low halfword.
#[inline(always)]
pub(crate) fn zext_h(a: u64) -> u64 {
    u64::from(a as u16)
}

/// ROL: rotated left by the low six bits.
#[inline(always)]
pub(crate) fn rol(a: u64, b: u64) -> u64 {
    a.rotate_left((b & 63) as u32)
}

/// ROR, RORI: rotated right by the low six bits.
#[inline(always)]
pub(crate) fn ror(a: u64, b: u64) -> u64 {
    a.rotate_right((b & 63) as u32)
}

/// ROLW: the low word rotated left by the low five bits.
#[inline(always)]
pub(crate) fn rolw(a: u64, b: u64) -> u64 {
    word((a as u32).rotate_left((b & 31) as u32).into())
}

/// RORW, RORIW: the low word rotated right by the low five bits.
#[inline(always)]
pub(crate) fn rorw(a: u64, b: u64) -> u64 {
    word((a as u32).rotate_right((b & 31) as u32).into())
}

/// ORC.B: each byte that is not zero becomes all ones.
#[inline(always)]
pub(crate) fn orc_b(a: u64) -> u64 {
    u64::from_ne_bytes(a.to_ne_bytes().map(|byte| if byte == 0 { 0 } else { 0xff }))
}

/// REV8: the bytes in opposite order.
#[inline(always)]
pub(crate) fn rev8(a: u64) -> u64 {
    a.swap_bytes()
}

/// The bit that the low six bits number.
#[inline(always)]
fn bit(b: u64) -> u64 {
    1 << (b & 63)
}

/// BCLR, BCLRI: with one bit cleared.
#[inline(always)]
pub(crate) fn bclr(a: u64, b: u64) -> u64 {
    a & !bit(b)
}

/// BEXT, BEXTI: one bit.
#[inline(always)]
pub(crate) fn bext(a: u64, b: u64) -> u64 {
    a >> (b & 63) & 1
}

/// BINV, BINVI: with one bit inverted.
#[inline(always)]
pub(crate) fn binv(a: u64, b: u64) -> u64 {
    a ^ bit(b)
}

/// BSET, BSETI: with one bit set.
#[inline(always)]
pub(crate) fn bset(a: u64, b: u64) -> u64 {
    a | bit(b)
}
