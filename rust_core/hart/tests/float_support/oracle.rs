//! What IEEE 754-2019 asks for, told by comparison alone: a result is found by bisection over the
//! format's encodings, given only how the exact value compares with any dyadic number.

use std::cmp::Ordering;

use dcsim_hart::float::{Flags, Format, RoundingMode};

use super::natural::Dyadic;

/// The exact, non-zero outcome of an operation.
pub struct Exact<'a> {
    pub negative: bool,
    /// How the magnitude compares with that of the argument.
    pub compare: &'a dyn Fn(&Dyadic) -> Ordering,
}

/// The value of a finite encoding. Infinity's encoding stands for the power of two that would
/// follow the largest finite number.
pub fn value_of<F: Format>(raw: u64) -> Dyadic {
    let negative = raw & F::SIGN != 0;
    let stored = ((raw & F::INFINITY) >> (F::PRECISION - 1)) as i32;
    let fraction = raw & F::FRACTION;
    let significand = if stored == 0 { fraction } else { fraction | F::LEADING_ONE };
    Dyadic::new(negative, significand.into(), stored.max(1) - F::BIAS - F::PRECISION as i32 + 1)
}

/// The encoding and the flags of the rounded outcome.
pub fn round<F: Format>(exact: &Exact<'_>, mode: RoundingMode) -> (u64, Flags) {
    let sign = if exact.negative { F::SIGN } else { 0 };
    let below = bisect(F::INFINITY, |raw| (exact.compare)(&value_of::<F>(raw)).is_ge());
    let mut flags = Flags::NONE;
    if (exact.compare)(&value_of::<F>(below)).is_eq() && below < F::INFINITY {
        return (sign | below, flags);
    }
    flags.raise(Flags::INEXACT);
    let up = below < F::INFINITY && {
        let between = halved(&value_of::<F>(below).plus(&value_of::<F>(below + 1)));
        rounds_up(mode, exact.negative, (exact.compare)(&between), below & 1 != 0)
    };
    let rounded = below + u64::from(up);
    if rounded >= F::INFINITY {
        flags.raise(Flags::OVERFLOW);
        // Beyond the range nothing is nearer to the largest number than infinity is.
        let to_infinity = rounds_up(mode, exact.negative, Ordering::Greater, true);
        return (sign | (F::INFINITY - u64::from(!to_infinity)), flags);
    }
    if is_tiny::<F>(exact, mode) {
        flags.raise(Flags::UNDERFLOW);
    }
    (sign | rounded, flags)
}

/// The integer next to the exact outcome in the given direction and whether it differs; `None`
/// if its magnitude exceeds 2^65.
pub fn round_to_integer(exact: &Exact<'_>, mode: RoundingMode) -> Option<(i128, bool)> {
    let compare = |halves: u128| (exact.compare)(&Dyadic::new(false, halves, -1));
    if compare(1 << 66).is_gt() {
        return None;
    }
    let below = (0..66)
        .rev()
        .map(|bit| 1_u128 << bit)
        .fold(0, |found, bit| if compare((found + bit) * 2).is_ge() { found + bit } else { found });
    let inexact = compare(below * 2).is_ne();
    let up = inexact && rounds_up(mode, exact.negative, compare(below * 2 + 1), below & 1 != 0);
    let magnitude = (below + u128::from(up)) as i128;
    Some((if exact.negative { -magnitude } else { magnitude }, inexact))
}

/// The largest number up to `greatest` for which the monotonic `holds` holds; it does for 0.
fn bisect(greatest: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut good, mut bad) = (0, greatest + 1);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if holds(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

/// Whether an inexact magnitude goes to the upper neighbour, given how it compares with the
/// middle and whether the lower neighbour is odd.
fn rounds_up(mode: RoundingMode, negative: bool, to_middle: Ordering, odd: bool) -> bool {
    match mode {
        RoundingMode::NearestEven => to_middle.is_gt() || (to_middle.is_eq() && odd),
        RoundingMode::NearestMaxMagnitude => to_middle.is_ge(),
        RoundingMode::TowardZero => false,
        RoundingMode::Down => negative,
        RoundingMode::Up => !negative,
    }
}

/// Whether the outcome, rounded as if the exponent had no lower bound, is below the least normal
/// number (IEEE 754-2019, 7.5, "after rounding").
fn is_tiny<F: Format>(exact: &Exact<'_>, mode: RoundingMode) -> bool {
    if (exact.compare)(&value_of::<F>(F::LEADING_ONE)).is_ge() {
        return false;
    }
    let units = (1_u128 << F::PRECISION) - 1;
    let last_place = 1 - F::BIAS - F::PRECISION as i32;
    let predecessor = Dyadic::new(false, units, last_place);
    let middle = Dyadic::new(false, 2 * units + 1, last_place - 1);
    let reaches_normal = (exact.compare)(&predecessor).is_gt()
        && rounds_up(mode, exact.negative, (exact.compare)(&middle), true);
    !reaches_normal
}

fn halved(value: &Dyadic) -> Dyadic {
    value.times(&Dyadic::new(false, 1, -1))
}
