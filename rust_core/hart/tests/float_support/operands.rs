//! Reproducible operands that favour the edges of the formats.

use dcsim_hart::float::Format;

/// A generator of operands (the splitmix64 sequence).
pub struct Operands(u64);

impl Operands {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// Any encoding, infinities and NaNs among them.
    pub fn any<F: Format>(&mut self) -> u64 {
        let greatest_exponent = F::INFINITY >> (F::PRECISION - 1);
        let middle = F::BIAS as u64;
        let exponent = match self.below(8) {
            0 => self.below(greatest_exponent + 1),
            1 => self.below(4),
            2 => greatest_exponent - self.below(4),
            3 => self.below(2 * u64::from(F::PRECISION)),
            _ => middle - u64::from(F::PRECISION) + self.below(2 * u64::from(F::PRECISION)),
        };
        let sign = if self.bits() & 1 == 0 { 0 } else { F::SIGN };
        sign | exponent << (F::PRECISION - 1) | self.fraction::<F>()
    }

    /// A finite encoding.
    pub fn finite<F: Format>(&mut self) -> u64 {
        loop {
            let raw = self.any::<F>();
            if raw & F::INFINITY != F::INFINITY {
                return raw;
            }
        }
    }

    /// A finite encoding that is apt to cancel, double or tie with `other`.
    pub fn finite_near<F: Format>(&mut self, other: u64) -> u64 {
        let step = self.below(6) << (F::PRECISION - 1);
        let candidate = match self.below(4) {
            0 => (other ^ F::SIGN).wrapping_add(self.below(3)),
            1 => (other ^ F::SIGN).wrapping_add(step),
            2 => (other & !F::FRACTION).wrapping_sub(step) | self.fraction::<F>(),
            _ => return self.finite::<F>(),
        } & (F::SIGN | (F::SIGN - 1));
        if candidate & F::INFINITY == F::INFINITY { self.finite::<F>() } else { candidate }
    }

    fn fraction<F: Format>(&mut self) -> u64 {
        let pattern = match self.below(6) {
            0 => 0,
            1 => 1 << self.below(u64::from(F::PRECISION)),
            2 => F::FRACTION << self.below(u64::from(F::PRECISION)),
            3 => F::FRACTION >> self.below(u64::from(F::PRECISION)),
            4 => self.bits() << self.below(u64::from(F::PRECISION)),
            _ => self.bits(),
        };
        pattern & F::FRACTION
    }
}
