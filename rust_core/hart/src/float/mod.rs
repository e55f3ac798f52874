//! Floating-point arithmetic of the F and D extensions: IEEE 754-2019 binary32 and binary64.
//!
//! Every operation takes encodings, delivers an encoding and raises exception [`Flags`]; it is
//! exact in both for all five rounding modes, on every host. Tininess is detected after rounding
//! and a NaN result is always the canonical one (RISC-V unprivileged manual, chapters "F" and
//! "D"). An operation only ever sets flags.
//!
//! There are two ways to the same answer. `software` computes it from the definition with
//! integers. `host` lets the processor compute it where the answer and its flags are provably
//! those of the definition, and declines otherwise; it presumes the default control word, which
//! [`HostControl`] establishes.
//!
//! Callers negate operands themselves ([`negate`]): `fnmsub` is `mul_add` of a negated factor.

mod arithmetic;
mod compare;
mod convert;
mod environment;
mod format;
mod host;
mod host_control;
mod number;
mod round;
pub mod software;

pub use compare::{classify, equal, less, less_equal, maximum, minimum};
pub use convert::{
    double_to_single, from_i32, from_i64, from_u32, from_u64, single_to_double, to_i32, to_i64,
    to_u32, to_u64,
};
pub use environment::{Flags, RoundingMode};
pub use format::{Double, Format, Single, box_single, unbox_single};
pub use host_control::HostControl;

/// `a + b`.
#[inline]
pub fn add<F: Format>(
    a: F::Bits,
    b: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let (x, y) = (a.into(), b.into());
    match host::add::<F>(x, y, rounding, flags) {
        Some(raw) => F::from_raw(raw),
        None => software::add::<F>(a, b, rounding, flags),
    }
}

/// `a - b`.
#[inline]
pub fn sub<F: Format>(
    a: F::Bits,
    b: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    add::<F>(a, negate::<F>(b), rounding, flags)
}

/// `a * b`.
#[inline]
pub fn mul<F: Format>(
    a: F::Bits,
    b: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let (x, y) = (a.into(), b.into());
    match host::mul::<F>(x, y, rounding, flags) {
        Some(raw) => F::from_raw(raw),
        None => software::mul::<F>(a, b, rounding, flags),
    }
}

/// `a / b`.
#[inline]
pub fn div<F: Format>(
    a: F::Bits,
    b: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let (x, y) = (a.into(), b.into());
    match host::div::<F>(x, y, rounding, flags) {
        Some(raw) => F::from_raw(raw),
        None => software::div::<F>(a, b, rounding, flags),
    }
}

/// The square root of `a`.
#[inline]
pub fn sqrt<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> F::Bits {
    match host::sqrt::<F>(a.into(), rounding, flags) {
        Some(raw) => F::from_raw(raw),
        None => software::sqrt::<F>(a, rounding, flags),
    }
}

/// `a * b + c`, rounded once.
#[inline]
pub fn mul_add<F: Format>(
    a: F::Bits,
    b: F::Bits,
    c: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    match host::mul_add::<F>(a.into(), b.into(), c.into(), rounding, flags) {
        Some(raw) => F::from_raw(raw),
        None => software::mul_add::<F>(a, b, c, rounding, flags),
    }
}

/// `a` with the opposite sign, NaN or not; raises nothing.
#[inline]
pub fn negate<F: Format>(a: F::Bits) -> F::Bits {
    F::from_raw(a.into() ^ F::SIGN)
}
