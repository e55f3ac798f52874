//! The two interchange formats of the F and D extensions, as constants.
//!
//! Everything below the public functions works on encodings widened to `u64`, so that one piece
//! of code serves both formats; [`Format`] tells it where the fields are (IEEE 754-2019, 3.4).

use std::fmt::{Debug, LowerHex};

use super::host::HostFloat;

/// A binary interchange format: [`Single`] or [`Double`].
///
/// The trait is sealed; RISC-V's other formats have their own extensions.
pub trait Format: HostFloat + Copy + Debug + 'static {
    /// The encoding, an unsigned integer as wide as the format.
    type Bits: Copy + Eq + Debug + LowerHex + Into<u64>;
    /// Bits of the encoding.
    const WIDTH: u32;
    /// Bits of the significand, the implicit leading one included.
    const PRECISION: u32;

    /// The sign bit.
    const SIGN: u64 = 1 << (Self::WIDTH - 1);
    /// What the stored exponent adds to the true one; the largest true exponent as well.
    const BIAS: i32 = (1 << (Self::WIDTH - Self::PRECISION - 1)) - 1;
    /// The implicit leading one, which is also the smallest normal number's encoding.
    const LEADING_ONE: u64 = 1 << (Self::PRECISION - 1);
    /// The stored bits of the significand.
    const FRACTION: u64 = Self::LEADING_ONE - 1;
    /// Positive infinity; its set bits are the exponent field.
    const INFINITY: u64 = (Self::SIGN - 1) & !Self::FRACTION;
    /// The fraction bit that makes a NaN quiet.
    const QUIET: u64 = Self::LEADING_ONE >> 1;
    /// The only NaN that an operation delivers.
    const CANONICAL_NAN: u64 = Self::INFINITY | Self::QUIET;

    /// The encoding in the low bits of `raw`, whose other bits are zero.
    fn from_raw(raw: u64) -> Self::Bits;

    /// Whether `raw` encodes a NaN.
    #[inline]
    fn is_nan(raw: u64) -> bool {
        raw & !Self::SIGN > Self::INFINITY
    }

    /// Whether `raw` encodes a signalling NaN.
    #[inline]
    fn is_signaling(raw: u64) -> bool {
        Self::is_nan(raw) && raw & Self::QUIET == 0
    }
}

/// binary32.
#[derive(Clone, Copy, Debug)]
pub struct Single;

/// binary64.
#[derive(Clone, Copy, Debug)]
pub struct Double;

impl Format for Single {
    type Bits = u32;
    const WIDTH: u32 = 32;
    const PRECISION: u32 = 24;

    #[inline]
    fn from_raw(raw: u64) -> u32 {
        raw as u32
    }
}

impl Format for Double {
    type Bits = u64;
    const WIDTH: u32 = 64;
    const PRECISION: u32 = 53;

    #[inline]
    fn from_raw(raw: u64) -> u64 {
        raw
    }
}

/// A single-precision value as it is kept in a 64-bit register: the upper half all ones.
#[inline]
pub fn box_single(single: u32) -> u64 {
    0xffff_ffff_0000_0000 | u64::from(single)
}

/// The single-precision value in a 64-bit register; one that is not boxed reads as the canonical
/// NaN (RISC-V unprivileged manual, "NaN Boxing of Narrower Values").
#[inline]
pub fn unbox_single(register: u64) -> u32 {
    if register >> 32 == 0xffff_ffff { register as u32 } else { Single::CANONICAL_NAN as u32 }
}
