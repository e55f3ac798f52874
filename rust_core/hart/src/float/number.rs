//! Operands and outcomes, freed from their encoding.
//!
//! A finite non-zero [`Number`] keeps 128 bits of significand, enough for the exact product of
//! two doubles. Where even that is not enough, the last bit is *sticky*: it is set when anything
//! non-zero was cut off below it. Rounding looks at no more than "nothing, less than half, half,
//! more than half", so an operation need only keep the sticky bit below the rounding position.

use super::format::Format;

/// A finite non-zero number: `significand * 2^(exponent - 127)`, the significand's top bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub negative: bool,
    pub exponent: i32,
    pub significand: u128,
}

impl Number {
    /// The number with the given non-zero significand, whose leading one may be anywhere.
    #[inline]
    pub fn normalised(negative: bool, exponent: i32, significand: u128) -> Self {
        let shift = significand.leading_zeros();
        Self { negative, exponent: exponent - shift as i32, significand: significand << shift }
    }

    /// The upper half of the significand: all of it, for an operand as it was unpacked.
    #[inline]
    pub fn upper(self) -> u64 {
        (self.significand >> 64) as u64
    }

    /// The upper half of the significand, its last bit sticky: ten bits more than a double has,
    /// so enough to round from.
    #[inline]
    pub fn upper_sticky(self) -> u64 {
        self.upper() | u64::from(self.significand as u64 != 0)
    }
}

/// An operand, or an outcome before rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Zero {
        negative: bool,
    },
    Finite(Number),
    Infinity {
        negative: bool,
    },
    /// A NaN: `invalid` when it is a signalling operand or the outcome of an invalid operation,
    /// which therefore are the same thing to whatever comes next.
    Nan {
        invalid: bool,
    },
}

impl Value {
    /// The value that `bits` encodes.
    #[inline]
    pub fn unpack<F: Format>(bits: F::Bits) -> Self {
        let raw: u64 = bits.into();
        let negative = raw & F::SIGN != 0;
        let fraction = raw & F::FRACTION;
        let stored_exponent = ((raw & F::INFINITY) >> (F::PRECISION - 1)) as i32;
        if raw & F::INFINITY == F::INFINITY {
            return match fraction {
                0 => Self::Infinity { negative },
                _ => Self::Nan { invalid: raw & F::QUIET == 0 },
            };
        }
        if stored_exponent == 0 {
            return Self::unpack_subnormal::<F>(negative, fraction);
        }
        let significand = u128::from(fraction | F::LEADING_ONE) << (128 - F::PRECISION);
        Self::Finite(Number { negative, exponent: stored_exponent - F::BIAS, significand })
    }

    #[inline]
    fn unpack_subnormal<F: Format>(negative: bool, fraction: u64) -> Self {
        if fraction == 0 {
            return Self::Zero { negative };
        }
        // The fraction counts units of the least exponent's last place.
        let last_place = 1 - F::BIAS - (F::PRECISION as i32 - 1);
        Self::Finite(Number::normalised(negative, last_place + 127, u128::from(fraction)))
    }

    /// Zero or a finite number of this magnitude.
    #[inline]
    pub fn from_integer(negative: bool, magnitude: u64) -> Self {
        match magnitude {
            0 => Self::Zero { negative: false },
            _ => Self::Finite(Number::normalised(negative, 127, u128::from(magnitude))),
        }
    }

    /// The sign; a NaN's is never looked at.
    #[inline]
    pub fn is_negative(self) -> bool {
        match self {
            Self::Zero { negative } | Self::Infinity { negative } => negative,
            Self::Finite(number) => number.negative,
            Self::Nan { .. } => false,
        }
    }

    /// What an operation on operands of which one is a NaN delivers; `None` if neither is.
    #[inline]
    pub fn nan_of(a: Self, b: Self) -> Option<Self> {
        match (a, b) {
            (Self::Nan { invalid: x }, Self::Nan { invalid: y }) => {
                Some(Self::Nan { invalid: x || y })
            }
            (Self::Nan { .. }, _) => Some(a),
            (_, Self::Nan { .. }) => Some(b),
            _ => None,
        }
    }
}

/// `value >> distance` with the bits that fall off gathered in the sticky last bit.
#[inline]
pub(super) fn shift_right_sticky(value: u128, distance: u32) -> u128 {
    if distance >= 128 {
        return u128::from(value != 0);
    }
    let kept = value >> distance;
    kept | u128::from(kept << distance != value)
}
