//! Finite operands, all rounding modes: encoding and flags against exact arithmetic.

#[path = "float_support/natural.rs"]
mod natural;
#[path = "float_support/operands.rs"]
mod operands;
#[path = "float_support/oracle.rs"]
mod oracle;

use dcsim_hart::float::{self, Double, Flags, Format, RoundingMode, Single};
use natural::Dyadic;
use operands::Operands;
use oracle::{Exact, round, round_to_integer, value_of};

const CASES: u32 = 3_000;

/// The rounded dyadic number; an exact zero has the sign given.
fn rounded<F: Format>(value: &Dyadic, zero_sign: bool, mode: RoundingMode) -> (u64, Flags) {
    if value.is_zero() {
        return (if zero_sign { F::SIGN } else { 0 }, Flags::NONE);
    }
    let compare = |other: &Dyadic| value.compare_magnitude(other);
    round::<F>(&Exact { negative: value.negative, compare: &compare }, mode)
}

/// The sign of a sum that is exactly zero (IEEE 754-2019, 6.3).
fn zero_sum_sign(a: &Dyadic, b: &Dyadic, mode: RoundingMode) -> bool {
    if a.negative == b.negative { a.negative } else { mode == RoundingMode::Down }
}

/// Runs an operation from clear flags.
fn outcome<B: Into<u64>>(operation: impl FnOnce(&mut Flags) -> B) -> (u64, Flags) {
    let mut flags = Flags::NONE;
    (operation(&mut flags).into(), flags)
}

/// Calls `check` with operands that are likely to interact, and every mode.
fn for_each_case<F: Format>(seed: u64, mut check: impl FnMut([u64; 3], RoundingMode)) {
    let mut operands = Operands::new(seed);
    for _ in 0..CASES {
        let a = operands.finite::<F>();
        let b = operands.finite_near::<F>(a);
        let c = operands.finite_near::<F>(b);
        for mode in RoundingMode::ALL {
            check([a, b, c], mode);
        }
    }
}

fn check_sums<F: Format>() {
    for_each_case::<F>(1, |[a, b, _], mode| {
        let (x, y) = (value_of::<F>(a), value_of::<F>(b));
        let sum = rounded::<F>(&x.plus(&y), zero_sum_sign(&x, &y, mode), mode);
        let (a_bits, b_bits) = (F::from_raw(a), F::from_raw(b));
        let got = outcome(|flags| float::add::<F>(a_bits, b_bits, mode, flags));
        assert_eq!(got, sum, "{a:x} + {b:x} {mode:?}");

        let minus_y = y.negated();
        let zero_sign = zero_sum_sign(&x, &minus_y, mode);
        let difference = rounded::<F>(&x.plus(&minus_y), zero_sign, mode);
        let got = outcome(|flags| float::sub::<F>(a_bits, b_bits, mode, flags));
        assert_eq!(got, difference, "{a:x} - {b:x} {mode:?}");
    });
}

fn check_products<F: Format>() {
    for_each_case::<F>(2, |[a, b, _], mode| {
        let product = value_of::<F>(a).times(&value_of::<F>(b));
        let expected = rounded::<F>(&product, product.negative, mode);
        let got = outcome(|flags| float::mul::<F>(F::from_raw(a), F::from_raw(b), mode, flags));
        assert_eq!(got, expected, "{a:x} * {b:x} {mode:?}");
    });
}

/// The outcome of a fused multiply-add, checked.
fn check_fused_case<F: Format>(operands: [u64; 3], mode: RoundingMode) {
    let [multiplicand, multiplier, addend] = operands.map(value_of::<F>);
    let product = multiplicand.times(&multiplier);
    let zero_sign = zero_sum_sign(&product, &addend, mode);
    let expected = rounded::<F>(&product.plus(&addend), zero_sign, mode);
    let [a, b, c] = operands.map(F::from_raw);
    let got = outcome(|flags| float::mul_add::<F>(a, b, c, mode, flags));
    assert_eq!(got, expected, "{operands:x?} {mode:?}");
}

fn check_fused<F: Format>() {
    for_each_case::<F>(3, check_fused_case::<F>);
    // Addends that cancel the rounded product leave just its rounding error.
    for_each_case::<F>(4, |[a, b, _], mode| {
        let mut flags = Flags::NONE;
        let nearest = RoundingMode::NearestEven;
        let product: u64 =
            float::mul::<F>(F::from_raw(a), F::from_raw(b), nearest, &mut flags).into();
        if product & F::INFINITY != F::INFINITY {
            check_fused_case::<F>([a, b, product ^ F::SIGN], mode);
        }
    });
}

fn check_quotients<F: Format>() {
    for_each_case::<F>(5, |[a, b, _], mode| {
        let (x, y) = (value_of::<F>(a), value_of::<F>(b));
        if y.is_zero() {
            return;
        }
        let negative = x.negative != y.negative;
        let compare = |quotient: &Dyadic| x.compare_magnitude(&quotient.times(&y));
        let expected = if x.is_zero() {
            rounded::<F>(&x, negative, mode)
        } else {
            round::<F>(&Exact { negative, compare: &compare }, mode)
        };
        let got = outcome(|flags| float::div::<F>(F::from_raw(a), F::from_raw(b), mode, flags));
        assert_eq!(got, expected, "{a:x} / {b:x} {mode:?}");
    });
}

fn check_roots<F: Format>() {
    for_each_case::<F>(6, |[a, ..], mode| {
        let a = a & !F::SIGN;
        let radicand = value_of::<F>(a);
        let compare = |root: &Dyadic| radicand.compare_magnitude(&root.times(root));
        let expected = if radicand.is_zero() {
            (0, Flags::NONE)
        } else {
            round::<F>(&Exact { negative: false, compare: &compare }, mode)
        };
        let got = outcome(|flags| float::sqrt::<F>(F::from_raw(a), mode, flags));
        assert_eq!(got, expected, "sqrt {a:x} {mode:?}");
    });
}

/// An integer conversion's outcome: in range it may be inexact, out of range it is invalid only.
fn bounded(value: &Dyadic, least: i128, greatest: i128, mode: RoundingMode) -> (i128, Flags) {
    let compare = |other: &Dyadic| value.compare_magnitude(other);
    let exact = Exact { negative: value.negative, compare: &compare };
    let far = if value.negative { i128::MIN } else { i128::MAX };
    let (integer, inexact) = round_to_integer(&exact, mode).unwrap_or((far, true));
    if integer < least || integer > greatest {
        return (integer.clamp(least, greatest), Flags::INVALID);
    }
    (integer, if inexact { Flags::INEXACT } else { Flags::NONE })
}

/// Checks one integer type's conversions from and to a format.
macro_rules! check_integer {
    ($format:ty, $a:expr, $mode:expr, $integer:ty, $to:path, $from:path) => {{
        let (a, mode) = ($a, $mode);
        let mut flags = Flags::NONE;
        let integer = $to(<$format>::from_raw(a), mode, &mut flags);
        let value = value_of::<$format>(a);
        let (least, greatest) = (<$integer>::MIN.into(), <$integer>::MAX.into());
        let expected = bounded(&value, least, greatest, mode);
        assert_eq!((i128::from(integer), flags), expected, "{a:x} {mode:?}");

        // Any pattern of bits will do for the way back.
        let integer = (a ^ a >> 17) as $integer;
        let magnitude = i128::from(integer).unsigned_abs();
        let value = Dyadic::new(i128::from(integer) < 0, magnitude, 0);
        let expected = rounded::<$format>(&value, false, mode);
        let got = outcome(|flags| $from(integer, mode, flags));
        assert_eq!(got, expected, "{integer} {mode:?}");
    }};
}

fn check_integers<F: Format>() {
    for_each_case::<F>(7, |[a, ..], mode| {
        check_integer!(F, a, mode, i32, float::to_i32::<F>, float::from_i32::<F>);
        check_integer!(F, a, mode, u32, float::to_u32::<F>, float::from_u32::<F>);
        check_integer!(F, a, mode, i64, float::to_i64::<F>, float::from_i64::<F>);
        check_integer!(F, a, mode, u64, float::to_u64::<F>, float::from_u64::<F>);
    });
}

#[test]
fn sums_are_exactly_rounded() {
    check_sums::<Single>();
    check_sums::<Double>();
}

#[test]
fn products_are_exactly_rounded() {
    check_products::<Single>();
    check_products::<Double>();
}

#[test]
fn fused_multiply_add_rounds_once() {
    check_fused::<Single>();
    check_fused::<Double>();
}

#[test]
fn quotients_are_exactly_rounded() {
    check_quotients::<Single>();
    check_quotients::<Double>();
}

#[test]
fn square_roots_are_exactly_rounded() {
    check_roots::<Single>();
    check_roots::<Double>();
}

#[test]
fn integer_conversions_round_and_saturate() {
    check_integers::<Single>();
    check_integers::<Double>();
}

#[test]
fn every_single_is_a_double() {
    for_each_case::<Single>(8, |[a, ..], _| {
        let value = value_of::<Single>(a);
        let expected = rounded::<Double>(&value, value.negative, RoundingMode::NearestEven);
        let got = outcome(|flags| float::single_to_double(a as u32, flags));
        assert_eq!(got, expected, "{a:x}");
    });
}

#[test]
fn doubles_round_to_single() {
    let mut operands = Operands::new(9);
    for_each_case::<Double>(10, |[a, ..], mode| {
        // Half of them in single precision's range, where something is left to round.
        let near_exponent = (900 + operands.below(260)) << 52;
        for a in [a, (a & !Double::INFINITY) | near_exponent] {
            let value = value_of::<Double>(a);
            let expected = rounded::<Single>(&value, value.negative, mode);
            let got = outcome(|flags| float::double_to_single(a, mode, flags));
            assert_eq!(got, expected, "{a:x} {mode:?}");
        }
    });
}
