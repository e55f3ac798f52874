//! What an operation takes from and leaves in `fcsr`: a rounding mode and exception flags.

/// How an inexact result is rounded, with the values of the `frm` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RoundingMode {
    /// RNE: to nearest, ties to even.
    NearestEven = 0,
    /// RTZ: towards zero.
    TowardZero = 1,
    /// RDN: towards negative infinity.
    Down = 2,
    /// RUP: towards positive infinity.
    Up = 3,
    /// RMM: to nearest, ties away from zero.
    NearestMaxMagnitude = 4,
}

impl RoundingMode {
    /// Every mode, in the order of the encoding.
    pub const ALL: [Self; 5] =
        [Self::NearestEven, Self::TowardZero, Self::Down, Self::Up, Self::NearestMaxMagnitude];

    /// The mode with this `frm` value; `None` for the reserved values and for DYN.
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::NearestEven),
            1 => Some(Self::TowardZero),
            2 => Some(Self::Down),
            3 => Some(Self::Up),
            4 => Some(Self::NearestMaxMagnitude),
            _ => None,
        }
    }

    /// Whether a value is rounded away from zero.
    ///
    /// `odd` is the last kept bit; `remainder` is what is cut off, with `half` the weight of half
    /// a unit in that last place.
    #[inline]
    pub(super) fn increments(self, negative: bool, odd: bool, remainder: u64, half: u64) -> bool {
        match self {
            Self::NearestEven => remainder > half || (remainder == half && odd),
            Self::TowardZero => false,
            Self::Down => negative && remainder != 0,
            Self::Up => !negative && remainder != 0,
            Self::NearestMaxMagnitude => remainder >= half,
        }
    }

    /// The sign of an exact zero that is the sum of two non-zero or oppositely signed numbers
    /// (IEEE 754-2019, 6.3).
    #[inline]
    pub(super) fn zero_sum_is_negative(self) -> bool {
        self == Self::Down
    }
}

/// Accrued exceptions, with the bit positions of the `fflags` field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// No exception.
    pub const NONE: Self = Self(0);
    /// NX: the result was rounded.
    pub const INEXACT: Self = Self(1);
    /// UF: the result was tiny after rounding, and inexact.
    pub const UNDERFLOW: Self = Self(2);
    /// OF: the rounded result exceeded the largest finite number.
    pub const OVERFLOW: Self = Self(4);
    /// DZ: a finite number was divided by zero.
    pub const DIVIDE_BY_ZERO: Self = Self(8);
    /// NV: the operation has no usefully definable result.
    pub const INVALID: Self = Self(16);

    /// The flags in the low five bits of `bits`.
    #[inline]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x1f)
    }

    /// The value of the `fflags` field.
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether every flag of `other` is set.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets the flags of `other`.
    #[inline]
    pub const fn raise(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
