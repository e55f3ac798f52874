//! The arithmetic operations from their definition, with integers only.
//!
//! Each one unpacks its operands, computes in `arithmetic` and packs the
//! outcome with a single rounding. Public so that the host path can be compared with it.

use super::arithmetic::{product, quotient, root, sum};
use super::environment::{Flags, RoundingMode};
use super::format::Format;
use super::number::Value;
use super::round::pack;

/// `a + b`.
#[inline(never)]
pub fn add<F: Format>(
    a: F::Bits,
    b: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let total = sum(Value::unpack::<F>(a), Value::unpack::<F>(b), rounding);
    pack::<F>(total, rounding, flags)
}

/// `a * b`.
#[inline(never)]
pub fn mul<F: Format>(
    a: F::Bits,
    b: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let value = product(Value::unpack::<F>(a), Value::unpack::<F>(b));
    pack::<F>(value, rounding, flags)
}

/// `a / b`.
#[inline(never)]
pub fn div<F: Format>(
    a: F::Bits,
    b: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let value = quotient(Value::unpack::<F>(a), Value::unpack::<F>(b), flags);
    pack::<F>(value, rounding, flags)
}

/// The square root of `a`.
#[inline(never)]
pub fn sqrt<F: Format>(a: F::Bits, rounding: RoundingMode, flags: &mut Flags) -> F::Bits {
    pack::<F>(root(Value::unpack::<F>(a)), rounding, flags)
}

/// `a * b + c`, rounded once.
#[inline(never)]
pub fn mul_add<F: Format>(
    a: F::Bits,
    b: F::Bits,
    c: F::Bits,
    rounding: RoundingMode,
    flags: &mut Flags,
) -> F::Bits {
    let exact_product = product(Value::unpack::<F>(a), Value::unpack::<F>(b));
    let total = sum(exact_product, Value::unpack::<F>(c), rounding);
    pack::<F>(total, rounding, flags)
}
