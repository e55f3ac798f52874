//! Conditions of branches.

/// BEQ: equal.
#[inline(always)]
pub(crate) fn beq(a: u64, b: u64) -> bool {
    a == b
}

/// BNE: not equal.
#[inline(always)]
pub(crate) fn bne(a: u64, b: u64) -> bool {
    a != b
}

/// BLT: less, as signed numbers.
#[inline(always)]
pub(crate) fn blt(a: u64, b: u64) -> bool {
    (a as i64) < b as i64
}

/// BGE: greater or equal, as signed numbers.
#[inline(always)]
pub(crate) fn bge(a: u64, b: u64) -> bool {
    a as i64 >= b as i64
}

/// BLTU: less, as unsigned numbers.
#[inline(always)]
pub(crate) fn bltu(a: u64, b: u64) -> bool {
    a < b
}

/// BGEU: greater or equal, as unsigned numbers.
#[inline(always)]
pub(crate) fn bgeu(a: u64, b: u64) -> bool {
    a >= b
}
