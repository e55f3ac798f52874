//! The host's arithmetic and the definition agree, whatever is flagged already.

#[path = "float_support/operands.rs"]
mod operands;

use dcsim_hart::float::{self, Double, Flags, Format, RoundingMode, Single, software};
use operands::Operands;

const CASES: u32 = 500_000;

const NEAREST: RoundingMode = RoundingMode::NearestEven;

type Binary<F> =
    fn(<F as Format>::Bits, <F as Format>::Bits, RoundingMode, &mut Flags) -> <F as Format>::Bits;

fn check_binary<F: Format>(seed: u64, fast: Binary<F>, definition: Binary<F>) {
    let mut operands = Operands::new(seed);
    for case in 0..CASES {
        let a = operands.any::<F>();
        let b = if case % 2 == 0 { operands.any::<F>() } else { operands.finite_near::<F>(a) };
        for before in [Flags::NONE, Flags::INEXACT] {
            let (mut got_flags, mut expected_flags) = (before, before);
            let got = fast(F::from_raw(a), F::from_raw(b), NEAREST, &mut got_flags);
            let expected = definition(F::from_raw(a), F::from_raw(b), NEAREST, &mut expected_flags);
            assert_eq!((got, got_flags), (expected, expected_flags), "{a:x} {b:x} {before:?}");
        }
    }
}

fn check_roots<F: Format>() {
    let mut operands = Operands::new(7);
    for _ in 0..CASES {
        let a = F::from_raw(operands.any::<F>());
        for before in [Flags::NONE, Flags::INEXACT] {
            let (mut got_flags, mut expected_flags) = (before, before);
            let got = float::sqrt::<F>(a, NEAREST, &mut got_flags);
            let expected = software::sqrt::<F>(a, NEAREST, &mut expected_flags);
            assert_eq!((got, got_flags), (expected, expected_flags), "{a:x} {before:?}");
        }
    }
}

/// Exact products, quotients and roots of small integers, and what comes next to them.
fn check_exact_cases<F: Format>() {
    let mut operands = Operands::new(8);
    let half_precision = (1 << (F::PRECISION / 2)) - 1;
    for _ in 0..CASES {
        let mut ignored = Flags::NONE;
        let [a, b] = [(); 2].map(|()| {
            float::from_u64::<F>(operands.bits() & half_precision, NEAREST, &mut ignored)
        });
        let product: u64 = float::mul::<F>(a, b, NEAREST, &mut ignored).into();
        let square: u64 = float::mul::<F>(a, a, NEAREST, &mut ignored).into();
        for nudge in [0, 1, u64::MAX] {
            let product = F::from_raw(product.wrapping_add(nudge));
            let square = F::from_raw(square.wrapping_add(nudge));
            assert_same(
                |flags| float::div::<F>(product, a, NEAREST, flags),
                |flags| software::div::<F>(product, a, NEAREST, flags),
            );
            assert_same(
                |flags| float::sqrt::<F>(square, NEAREST, flags),
                |flags| software::sqrt::<F>(square, NEAREST, flags),
            );
            assert_same(
                |flags| float::mul_add::<F>(a, b, square, NEAREST, flags),
                |flags| software::mul_add::<F>(a, b, square, NEAREST, flags),
            );
        }
    }
}

fn check_fused<F: Format>() {
    let mut operands = Operands::new(9);
    for case in 0..CASES {
        let [a, b] = [(); 2].map(|()| F::from_raw(operands.any::<F>()));
        let product = software::mul::<F>(a, b, NEAREST, &mut Flags::default());
        let addend = match case % 2 {
            0 => operands.any::<F>(),
            _ => operands.finite_near::<F>(product.into()),
        };
        let c = F::from_raw(addend);
        for before in [Flags::NONE, Flags::INEXACT] {
            let (mut got_flags, mut expected_flags) = (before, before);
            let got = float::mul_add::<F>(a, b, c, NEAREST, &mut got_flags);
            let expected = software::mul_add::<F>(a, b, c, NEAREST, &mut expected_flags);
            assert_eq!((got, got_flags), (expected, expected_flags), "{a:x} {b:x} {c:x}");
        }
    }
}

/// Runs both ways from clear flags.
#[track_caller]
fn assert_same<T: PartialEq + std::fmt::Debug>(
    fast: impl FnOnce(&mut Flags) -> T,
    definition: impl FnOnce(&mut Flags) -> T,
) {
    let (mut got_flags, mut expected_flags) = (Flags::NONE, Flags::NONE);
    let (got, expected) = (fast(&mut got_flags), definition(&mut expected_flags));
    assert_eq!((got, got_flags), (expected, expected_flags));
}

fn check_integers<F: Format>() {
    let mut operands = Operands::new(10);
    for case in 0..CASES {
        let mode = RoundingMode::ALL[case as usize % 5];
        let a = F::from_raw(operands.any::<F>());
        assert_same(
            |flags| float::to_i64::<F>(a, mode, flags).into(),
            |flags| software::to_integer::<F>(a, &(i64::MIN.into()..=i64::MAX.into()), mode, flags),
        );
        assert_same(
            |flags| float::to_u32::<F>(a, mode, flags).into(),
            |flags| software::to_integer::<F>(a, &(0..=u32::MAX.into()), mode, flags),
        );
        let integer = operands.bits() as i64 >> operands.below(64);
        let (negative, magnitude) = (integer < 0, integer.unsigned_abs());
        assert_same(
            |flags| float::from_i64::<F>(integer, mode, flags),
            |flags| software::from_integer::<F>(negative, magnitude, mode, flags),
        );
    }
}

fn check_formats() {
    let mut operands = Operands::new(11);
    for case in 0..CASES {
        let mode = RoundingMode::ALL[case as usize % 5];
        let (double, single) = (operands.any::<Double>(), operands.any::<Single>() as u32);
        assert_same(
            |flags| float::double_to_single(double, mode, flags),
            |flags| software::convert::<Double, Single>(double, mode, flags),
        );
        assert_same(
            |flags| float::single_to_double(single, flags),
            |flags| software::convert::<Single, Double>(single, mode, flags),
        );
    }
}

#[test]
fn sums_agree() {
    check_binary::<Single>(1, float::add::<Single>, software::add::<Single>);
    check_binary::<Double>(2, float::add::<Double>, software::add::<Double>);
}

#[test]
fn products_agree() {
    check_binary::<Single>(3, float::mul::<Single>, software::mul::<Single>);
    check_binary::<Double>(4, float::mul::<Double>, software::mul::<Double>);
}

#[test]
fn quotients_agree() {
    check_binary::<Single>(5, float::div::<Single>, software::div::<Single>);
    check_binary::<Double>(6, float::div::<Double>, software::div::<Double>);
}

#[test]
fn square_roots_agree() {
    check_roots::<Single>();
    check_roots::<Double>();
}

#[test]
fn exactness_is_told_alike() {
    check_exact_cases::<Single>();
    check_exact_cases::<Double>();
}

#[test]
fn fused_multiply_adds_agree() {
    check_fused::<Single>();
    check_fused::<Double>();
}

#[test]
fn integer_conversions_agree() {
    check_integers::<Single>();
    check_integers::<Double>();
}

#[test]
fn format_conversions_agree() {
    check_formats();
}
