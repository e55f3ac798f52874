//! Time per floating-point operation in nanoseconds: with the host's help once inexactness is
//! flagged, with its help from clear flags, and from the definition.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use dcsim_hart::float::{self, Double, Flags, Format, RoundingMode, Single, software};

const OPERANDS: u32 = 1024;
const ROUNDS: u32 = 2000;
const NEAREST: RoundingMode = RoundingMode::NearestEven;

type Operation<F> = fn([<F as Format>::Bits; 3], &mut Flags) -> u64;

fn nanoseconds<F: Format>(
    operands: &[[F::Bits; 3]],
    before: Flags,
    operation: impl Fn([F::Bits; 3], &mut Flags) -> u64,
) -> f64 {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for operand in operands {
            let mut flags = black_box(before);
            black_box(operation(*operand, &mut flags));
            black_box(flags);
        }
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS * OPERANDS)
}

fn report<F: Format>(
    name: &str,
    operands: &[[F::Bits; 3]],
    fast: impl Fn([F::Bits; 3], &mut Flags) -> u64,
    definition: Operation<F>,
) {
    println!(
        "{name:<16} {:>6.2} {:>6.2} {:>6.2}",
        nanoseconds::<F>(operands, Flags::INEXACT, &fast),
        nanoseconds::<F>(operands, Flags::NONE, &fast),
        nanoseconds::<F>(operands, Flags::NONE, definition),
    );
}

/// Numbers between a thousandth and a thousand, as programs have them.
fn operands<F: Format>() -> Vec<[F::Bits; 3]> {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let exponent = (F::BIAS as u64 - 10 + (state >> 60)) << (F::PRECISION - 1);
        F::from_raw(exponent | (state >> 7) & F::FRACTION)
    };
    (0..OPERANDS).map(|_| [next(), next(), next()]).collect()
}

fn report_format<F: Format>(format: &str) {
    let x = operands::<F>();
    report::<F>(
        &format!("{format} add"),
        &x,
        |[a, b, _], flags| float::add::<F>(a, b, NEAREST, flags).into(),
        |[a, b, _], flags| software::add::<F>(a, b, NEAREST, flags).into(),
    );
    report::<F>(
        &format!("{format} mul"),
        &x,
        |[a, b, _], flags| float::mul::<F>(a, b, NEAREST, flags).into(),
        |[a, b, _], flags| software::mul::<F>(a, b, NEAREST, flags).into(),
    );
    report::<F>(
        &format!("{format} div"),
        &x,
        |[a, b, _], flags| float::div::<F>(a, b, NEAREST, flags).into(),
        |[a, b, _], flags| software::div::<F>(a, b, NEAREST, flags).into(),
    );
    report::<F>(
        &format!("{format} sqrt"),
        &x,
        |[a, ..], flags| float::sqrt::<F>(a, NEAREST, flags).into(),
        |[a, ..], flags| software::sqrt::<F>(a, NEAREST, flags).into(),
    );
    report::<F>(
        &format!("{format} mul_add"),
        &x,
        |[a, b, c], flags| float::mul_add::<F>(a, b, c, NEAREST, flags).into(),
        |[a, b, c], flags| software::mul_add::<F>(a, b, c, NEAREST, flags).into(),
    );
    report_unassisted::<F>(format, &x);
}

/// The operations that have but one way.
fn report_unassisted<F: Format>(format: &str, x: &[[F::Bits; 3]]) {
    let report = |name: &str, operation: Operation<F>| {
        println!("{format} {name:<12} {:>6.2}", nanoseconds::<F>(x, Flags::NONE, operation));
    };
    report("less", |[a, b, _], flags| float::less::<F>(a, b, flags).into());
    report("minimum", |[a, b, _], flags| float::minimum::<F>(a, b, flags).into());
    report("to_i64", |[a, ..], flags| {
        float::to_i64::<F>(a, RoundingMode::TowardZero, flags) as u64
    });
    report("to_i32", |[a, ..], flags| {
        float::to_i32::<F>(a, RoundingMode::TowardZero, flags) as u64
    });
    report("from_i64", |[a, ..], flags| {
        float::from_i64::<F>(a.into() as i64 >> 20, NEAREST, flags).into()
    });
    report("from_i32", |[a, ..], flags| {
        float::from_i32::<F>(a.into() as i32, NEAREST, flags).into()
    });
}

fn main() {
    println!("{:<16} {:>6} {:>6} {:>6}", "ns", "host", "clear", "definition");
    report_format::<Single>("single");
    report_format::<Double>("double");
    let doubles = operands::<Double>();
    let narrow = nanoseconds::<Double>(&doubles, Flags::NONE, |[a, ..], flags| {
        float::double_to_single(a, NEAREST, flags).into()
    });
    let singles = operands::<Single>();
    let widen = nanoseconds::<Single>(&singles, Flags::NONE, |[a, ..], flags| {
        float::single_to_double(a, flags)
    });
    println!("double_to_single {narrow:>6.2}");
    println!("single_to_double {widen:>6.2}");
}
