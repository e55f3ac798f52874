//! What loads make of the bytes that they read, given zero-extended.

/// LB: a signed byte.
#[inline(always)]
pub(crate) fn lb(raw: u64) -> u64 {
    raw as i8 as u64
}

/// LH: a signed halfword.
#[inline(always)]
pub(crate) fn lh(raw: u64) -> u64 {
    raw as i16 as u64
}

/// LW, LR.W: a signed word.
#[inline(always)]
pub(crate) fn lw(raw: u64) -> u64 {
    raw as i32 as u64
}

/// LD, LBU, LHU, LWU, LR.D, FLD: the bytes as they are.
#[inline(always)]
pub(crate) fn plain(raw: u64) -> u64 {
    raw
}

/// FLW: a single-precision value, boxed.
#[inline(always)]
pub(crate) fn flw(raw: u64) -> u64 {
    crate::float::box_single(raw as u32)
}
