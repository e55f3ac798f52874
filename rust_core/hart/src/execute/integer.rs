//! RV64I: arithmetic, logic and shifts.
//!
//! An immediate form is the register form with the sign-extended immediate as its second operand.
//! The `w` forms work on the low words and sign-extend the result.

/// The sign-extended low word.
#[inline(always)]
pub(crate) fn word(value: u64) -> u64 {
    value as i32 as u64
}

/// ADD, ADDI: the sum, modulo 2^64.
#[inline(always)]
pub(crate) fn add(a: u64, b: u64) -> u64 {
    a.wrapping_add(b)
}

/// SUB: the difference, modulo 2^64.
#[inline(always)]
pub(crate) fn sub(a: u64, b: u64) -> u64 {
    a.wrapping_sub(b)
}

/// SLL, SLLI: left by the low six bits.
#[inline(always)]
pub(crate) fn sll(a: u64, b: u64) -> u64 {
    a << (b & 63)
}

/// SLT, SLTI: 1 if less, as signed numbers.
#[inline(always)]
pub(crate) fn slt(a: u64, b: u64) -> u64 {
    u64::from((a as i64) < b as i64)
}

/// SLTU, SLTIU: 1 if less, as unsigned numbers.
#[inline(always)]
pub(crate) fn sltu(a: u64, b: u64) -> u64 {
    u64::from(a < b)
}

/// XOR, XORI.
#[inline(always)]
pub(crate) fn xor(a: u64, b: u64) -> u64 {
    a ^ b
}

/// SRL, SRLI: right by the low six bits, filling with zeros.
#[inline(always)]
pub(crate) fn srl(a: u64, b: u64) -> u64 {
    a >> (b & 63)
}

/// SRA, SRAI: right by the low six bits, filling with the sign.
#[inline(always)]
pub(crate) fn sra(a: u64, b: u64) -> u64 {
    (a as i64 >> (b & 63)) as u64
}

/// OR, ORI.
#[inline(always)]
pub(crate) fn or(a: u64, b: u64) -> u64 {
    a | b
}

/// AND, ANDI.
#[inline(always)]
pub(crate) fn and(a: u64, b: u64) -> u64 {
    a & b
}

/// ADDW, ADDIW.
#[inline(always)]
pub(crate) fn addw(a: u64, b: u64) -> u64 {
    word(a.wrapping_add(b))
}

/// SUBW.
#[inline(always)]
pub(crate) fn subw(a: u64, b: u64) -> u64 {
    word(a.wrapping_sub(b))
}

/// SLLW, SLLIW: left by the low five bits.
#[inline(always)]
pub(crate) fn sllw(a: u64, b: u64) -> u64 {
    word(u64::from((a as u32) << (b & 31)))
}

/// SRLW, SRLIW: right by the low five bits, filling with zeros.
#[inline(always)]
pub(crate) fn srlw(a: u64, b: u64) -> u64 {
    word(u64::from(a as u32 >> (b & 31)))
}

/// SRAW, SRAIW: right by the low five bits, filling with the sign of the word.
#[inline(always)]
pub(crate) fn sraw(a: u64, b: u64) -> u64 {
    (a as i32 >> (b & 31)) as u64
}
