//! Natural numbers of any size, and those times a power of two: the exact values of the oracle.

use std::cmp::Ordering;

/// A natural number: base 2^64 digits, least first, the last one not zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Natural(Vec<u64>);

impl Natural {
    pub fn new(value: u128) -> Self {
        Self::trimmed(vec![value as u64, (value >> 64) as u64])
    }

    fn trimmed(mut digits: Vec<u64>) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Self(digits)
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn bit_length(&self) -> i64 {
        self.0.last().map_or(0, |top| self.0.len() as i64 * 64 - i64::from(top.leading_zeros()))
    }

    fn digit(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }

    fn shifted_left(&self, bits: u32) -> Self {
        self.times(&Self::trimmed([vec![0; bits as usize / 64], vec![1 << (bits % 64)]].concat()))
    }

    fn plus(&self, other: &Self) -> Self {
        let mut carry = 0;
        let sum = (0..=self.0.len().max(other.0.len())).map(|index| {
            let total = u128::from(self.digit(index)) + u128::from(other.digit(index)) + carry;
            carry = total >> 64;
            total as u64
        });
        Self::trimmed(sum.collect())
    }

    /// The difference; `other` must not be larger.
    fn minus(&self, other: &Self) -> Self {
        let mut borrow = false;
        let difference = (0..self.0.len()).map(|index| {
            let (partial, first) = self.digit(index).overflowing_sub(other.digit(index));
            let (digit, second) = partial.overflowing_sub(borrow.into());
            borrow = first || second;
            digit
        });
        Self::trimmed(difference.collect())
    }

    fn times(&self, other: &Self) -> Self {
        let mut digits = vec![0_u64; self.0.len() + other.0.len() + 1];
        for (i, x) in self.0.iter().enumerate() {
            let mut carry = 0;
            for j in 0..=other.0.len() {
                let total =
                    u128::from(*x) * u128::from(other.digit(j)) + u128::from(digits[i + j]) + carry;
                digits[i + j] = total as u64;
                carry = total >> 64;
            }
        }
        Self::trimmed(digits)
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

/// `significand * 2^exponent`, negated if `negative`; zero keeps a sign, as in a format.
#[derive(Clone, Debug)]
pub struct Dyadic {
    pub negative: bool,
    significand: Natural,
    exponent: i32,
}

impl Dyadic {
    pub fn new(negative: bool, significand: u128, exponent: i32) -> Self {
        Self { negative, significand: Natural::new(significand), exponent }
    }

    pub fn is_zero(&self) -> bool {
        self.significand.is_zero()
    }

    pub fn negated(&self) -> Self {
        Self { negative: !self.negative, ..self.clone() }
    }

    pub fn times(&self, other: &Self) -> Self {
        Self {
            negative: self.negative != other.negative,
            significand: self.significand.times(&other.significand),
            exponent: self.exponent + other.exponent,
        }
    }

    /// The sum; if it is zero, its sign means nothing.
    pub fn plus(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        let (x, y) = (self.scaled_to(exponent), other.scaled_to(exponent));
        let (negative, significand) = if self.negative == other.negative {
            (self.negative, x.plus(&y))
        } else if x >= y {
            (self.negative, x.minus(&y))
        } else {
            (other.negative, y.minus(&x))
        };
        Self { negative, significand, exponent }
    }

    fn scaled_to(&self, exponent: i32) -> Natural {
        self.significand.shifted_left((self.exponent - exponent) as u32)
    }

    /// The order of the magnitudes.
    pub fn compare_magnitude(&self, other: &Self) -> Ordering {
        if self.is_zero() || other.is_zero() {
            return self.significand.cmp(&other.significand);
        }
        let top = |x: &Self| x.significand.bit_length() + i64::from(x.exponent);
        top(self).cmp(&top(other)).then_with(|| {
            let exponent = self.exponent.min(other.exponent);
            self.scaled_to(exponent).cmp(&other.scaled_to(exponent))
        })
    }
}
