//! Register numbers.

use std::fmt;

macro_rules! registers {
    ($($variant:ident $integer:literal $float:literal)*) => {
        /// The number of an integer or floating-point register.
        ///
        /// An enum, not an integer, so that the compiler knows the index to be in range of a
        /// register file of 32.
        #[allow(missing_docs, reason = "the names say it all")]
        #[derive(Copy, Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        pub enum Register { #[default] $($variant),* }

        impl Register {
            /// All registers, in order.
            pub const ALL: [Self; 32] = [$(Self::$variant),*];
            const INTEGER_NAMES: [&'static str; 32] = [$($integer),*];
            const FLOAT_NAMES: [&'static str; 32] = [$($float),*];
        }
    };
}

registers! {
    R0 "zero" "ft0"
    R1 "ra" "ft1"
    R2 "sp" "ft2"
    R3 "gp" "ft3"
    R4 "tp" "ft4"
    R5 "t0" "ft5"
    R6 "t1" "ft6"
    R7 "t2" "ft7"
    R8 "s0" "fs0"
    R9 "s1" "fs1"
    R10 "a0" "fa0"
    R11 "a1" "fa1"
    R12 "a2" "fa2"
    R13 "a3" "fa3"
    R14 "a4" "fa4"
    R15 "a5" "fa5"
    R16 "a6" "fa6"
    R17 "a7" "fa7"
    R18 "s2" "fs2"
    R19 "s3" "fs3"
    R20 "s4" "fs4"
    R21 "s5" "fs5"
    R22 "s6" "fs6"
    R23 "s7" "fs7"
    R24 "s8" "fs8"
    R25 "s9" "fs9"
    R26 "s10" "fs10"
    R27 "s11" "fs11"
    R28 "t3" "ft8"
    R29 "t4" "ft9"
    R30 "t5" "ft10"
    R31 "t6" "ft11"
}

impl Register {
    /// The register with the number in the five lowest bits.
    #[inline]
    pub const fn from_bits(bits: u32) -> Self {
        Self::ALL[(bits & 31) as usize]
    }

    /// The register that the three-bit field of a compressed instruction names: x8 to x15.
    #[inline]
    pub const fn from_short_bits(bits: u32) -> Self {
        Self::ALL[(8 + (bits & 7)) as usize]
    }

    /// The position in a register file.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The number, as it stands in an encoding.
    #[inline]
    pub const fn bits(self) -> u32 {
        self as u32
    }

    /// Whether a three-bit field can name the register.
    pub const fn is_short(self) -> bool {
        self.bits() >= 8 && self.bits() < 16
    }

    /// The name of the floating-point register in the standard calling convention.
    pub const fn float_name(self) -> &'static str {
        Self::FLOAT_NAMES[self.index()]
    }

    /// The name of the integer register in the standard calling convention.
    pub const fn integer_name(self) -> &'static str {
        Self::INTEGER_NAMES[self.index()]
    }
}

impl fmt::Display for Register {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.integer_name())
    }
}
