//! What atomic operations put in place of the old value.
//!
//! The word forms are given the zero-extended old word and the whole source register; only the
//! low word of the result is stored.

/// AMOSWAP.
#[inline(always)]
pub(crate) fn swap(_old: u64, source: u64) -> u64 {
    source
}

/// AMOADD.
#[inline(always)]
pub(crate) fn add(old: u64, source: u64) -> u64 {
    old.wrapping_add(source)
}

/// AMOXOR.
#[inline(always)]
pub(crate) fn xor(old: u64, source: u64) -> u64 {
    old ^ source
}

/// AMOAND.
#[inline(always)]
pub(crate) fn and(old: u64, source: u64) -> u64 {
    old & source
}

/// AMOOR.
#[inline(always)]
pub(crate) fn or(old: u64, source: u64) -> u64 {
    old | source
}

/// AMOMIN.D.
#[inline(always)]
pub(crate) fn min_d(old: u64, source: u64) -> u64 {
    (old as i64).min(source as i64) as u64
}

/// AMOMAX.D.
#[inline(always)]
pub(crate) fn max_d(old: u64, source: u64) -> u64 {
    (old as i64).max(source as i64) as u64
}

/// AMOMINU.D.
#[inline(always)]
pub(crate) fn minu_d(old: u64, source: u64) -> u64 {
    old.min(source)
}

/// AMOMAXU.D.
#[inline(always)]
pub(crate) fn maxu_d(old: u64, source: u64) -> u64 {
    old.max(source)
}

/// AMOMIN.W.
#[inline(always)]
pub(crate) fn min_w(old: u64, source: u64) -> u64 {
    (old as i32).min(source as i32) as u64
}

/// AMOMAX.W.
#[inline(always)]
pub(crate) fn max_w(old: u64, source: u64) -> u64 {
    (old as i32).max(source as i32) as u64
}

/// AMOMINU.W.
#[inline(always)]
pub(crate) fn minu_w(old: u64, source: u64) -> u64 {
    u64::from((old as u32).min(source as u32))
}

/// AMOMAXU.W.
#[inline(always)]
pub(crate) fn maxu_w(old: u64, source: u64) -> u64 {
    u64::from((old as u32).max(source as u32))
}
