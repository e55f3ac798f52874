//! Special values and the edges of the formats, with the results that IEEE 754-2019 (clauses 6
//! and 7) and the RISC-V unprivileged manual (chapters "F" and "D") give for them.

use dcsim_hart::float::{self, Double, Flags, Format, RoundingMode, Single};

use RoundingMode::{Down, NearestEven, NearestMaxMagnitude, TowardZero, Up};

const NONE: u8 = 0;
const NX: u8 = 1;
const UF: u8 = 2;
const OF: u8 = 4;
const DZ: u8 = 8;
const NV: u8 = 16;

/// The values of one format that the tables are made of.
struct Values {
    sign: u64,
    one: u64,
    two: u64,
    four: u64,
    half: u64,
    infinity: u64,
    greatest: u64,
    least_normal: u64,
    least: u64,
    nan: u64,
    quiet: u64,
    signaling: u64,
}

fn values<F: Format>() -> Values {
    let one = (F::BIAS as u64) << (F::PRECISION - 1);
    Values {
        sign: F::SIGN,
        one,
        two: one + F::LEADING_ONE,
        four: one + 2 * F::LEADING_ONE,
        half: one - F::LEADING_ONE,
        infinity: F::INFINITY,
        greatest: F::INFINITY - 1,
        least_normal: F::LEADING_ONE,
        least: 1,
        nan: F::CANONICAL_NAN,
        quiet: F::SIGN | F::CANONICAL_NAN | 5,
        signaling: F::INFINITY | 5,
    }
}

type Operation<const N: usize> = fn([u64; N], RoundingMode, &mut Flags) -> u64;
type Row<const N: usize> = ([u64; N], u64, u8);

/// Checks rows of operands, result and flags, in one mode.
#[track_caller]
fn check<const N: usize>(operation: Operation<N>, mode: RoundingMode, rows: &[Row<N>]) {
    for (operands, result, flags) in rows {
        let mut raised = Flags::NONE;
        let got = operation(*operands, mode, &mut raised);
        assert_eq!((got, raised.bits()), (*result, *flags), "{operands:x?} {mode:?}: {got:x}");
    }
}

/// Checks rows whose outcome is the same in every mode.
#[track_caller]
fn check_all_modes<const N: usize>(operation: Operation<N>, rows: &[Row<N>]) {
    for mode in RoundingMode::ALL {
        check(operation, mode, rows);
    }
}

fn add<F: Format>([a, b]: [u64; 2], mode: RoundingMode, flags: &mut Flags) -> u64 {
    float::add::<F>(F::from_raw(a), F::from_raw(b), mode, flags).into()
}

fn sub<F: Format>([a, b]: [u64; 2], mode: RoundingMode, flags: &mut Flags) -> u64 {
    float::sub::<F>(F::from_raw(a), F::from_raw(b), mode, flags).into()
}

fn mul<F: Format>([a, b]: [u64; 2], mode: RoundingMode, flags: &mut Flags) -> u64 {
    float::mul::<F>(F::from_raw(a), F::from_raw(b), mode, flags).into()
}

fn div<F: Format>([a, b]: [u64; 2], mode: RoundingMode, flags: &mut Flags) -> u64 {
    float::div::<F>(F::from_raw(a), F::from_raw(b), mode, flags).into()
}

fn sqrt<F: Format>([a]: [u64; 1], mode: RoundingMode, flags: &mut Flags) -> u64 {
    float::sqrt::<F>(F::from_raw(a), mode, flags).into()
}

fn mul_add<F: Format>(operands: [u64; 3], mode: RoundingMode, flags: &mut Flags) -> u64 {
    let [a, b, c] = operands.map(F::from_raw);
    float::mul_add::<F>(a, b, c, mode, flags).into()
}

fn minimum<F: Format>([a, b]: [u64; 2], _: RoundingMode, flags: &mut Flags) -> u64 {
    float::minimum::<F>(F::from_raw(a), F::from_raw(b), flags).into()
}

fn maximum<F: Format>([a, b]: [u64; 2], _: RoundingMode, flags: &mut Flags) -> u64 {
    float::maximum::<F>(F::from_raw(a), F::from_raw(b), flags).into()
}

fn equal<F: Format>([a, b]: [u64; 2], _: RoundingMode, flags: &mut Flags) -> u64 {
    float::equal::<F>(F::from_raw(a), F::from_raw(b), flags).into()
}

fn less<F: Format>([a, b]: [u64; 2], _: RoundingMode, flags: &mut Flags) -> u64 {
    float::less::<F>(F::from_raw(a), F::from_raw(b), flags).into()
}

fn less_equal<F: Format>([a, b]: [u64; 2], _: RoundingMode, flags: &mut Flags) -> u64 {
    float::less_equal::<F>(F::from_raw(a), F::from_raw(b), flags).into()
}

fn sums<F: Format>() {
    let v = values::<F>();
    check_all_modes(
        add::<F>,
        &[
            ([v.one, v.one], v.two, NONE),
            ([v.infinity, v.one], v.infinity, NONE),
            ([v.one, v.sign | v.infinity], v.sign | v.infinity, NONE),
            ([v.infinity, v.infinity], v.infinity, NONE),
            ([v.infinity, v.sign | v.infinity], v.nan, NV),
            ([v.quiet, v.one], v.nan, NONE),
            ([v.one, v.signaling], v.nan, NV),
            ([v.quiet, v.signaling], v.nan, NV),
            ([v.infinity, v.quiet], v.nan, NONE),
            ([v.sign, v.sign], v.sign, NONE),
            ([0, 0], 0, NONE),
            ([v.sign, v.one], v.one, NONE),
            ([v.least, 0], v.least, NONE),
            // Sums below the normal range are exact.
            ([v.least_normal, v.sign | v.least], v.least_normal - 1, NONE),
        ],
    );
    check_all_modes(
        sub::<F>,
        &[
            ([v.infinity, v.infinity], v.nan, NV),
            ([v.infinity, v.sign | v.infinity], v.infinity, NONE),
            ([v.one, v.quiet], v.nan, NONE),
            ([v.two, v.one], v.one, NONE),
        ],
    );
    for mode in RoundingMode::ALL {
        let zero = if mode == Down { v.sign } else { 0 };
        check(add::<F>, mode, &[([v.one, v.sign | v.one], zero, NONE), ([0, v.sign], zero, NONE)]);
        check(sub::<F>, mode, &[([v.one, v.one], zero, NONE), ([v.sign, v.sign], zero, NONE)]);
    }
}

/// The infinity or the greatest number, as the mode has it for either sign.
fn overflows<F: Format>() {
    let v = values::<F>();
    let to_infinity = [
        (NearestEven, true, true),
        (TowardZero, false, false),
        (Down, false, true),
        (Up, true, false),
        (NearestMaxMagnitude, true, true),
    ];
    for (mode, positive, negative) in to_infinity {
        let result = |goes_up: bool| if goes_up { v.infinity } else { v.greatest };
        let (above, below) = (result(positive), v.sign | result(negative));
        let most_negative = v.sign | v.greatest;
        check(add::<F>, mode, &[([v.greatest, v.greatest], above, OF | NX)]);
        check(add::<F>, mode, &[([most_negative, most_negative], below, OF | NX)]);
        check(mul::<F>, mode, &[([v.greatest, v.two], above, OF | NX)]);
        check(mul::<F>, mode, &[([most_negative, v.two], below, OF | NX)]);
        check(div::<F>, mode, &[([v.greatest, v.half], above, OF | NX)]);
        check(mul_add::<F>, mode, &[([v.greatest, v.greatest, v.one], above, OF | NX)]);
    }
}

fn products<F: Format>() {
    let v = values::<F>();
    check_all_modes(
        mul::<F>,
        &[
            ([v.two, v.half], v.one, NONE),
            ([v.infinity, v.sign | v.two], v.sign | v.infinity, NONE),
            ([v.infinity, 0], v.nan, NV),
            ([v.sign, v.infinity], v.nan, NV),
            ([v.sign, v.two], v.sign, NONE),
            ([v.sign, v.sign | v.two], 0, NONE),
            ([v.quiet, 0], v.nan, NONE),
            ([v.signaling, v.quiet], v.nan, NV),
            // An exact result raises no underflow however small.
            ([v.least_normal, v.half], v.least_normal >> 1, NONE),
            ([v.least, v.two], 2, NONE),
        ],
    );
    for (mode, magnitude) in
        [(NearestEven, 0), (TowardZero, 0), (Down, 0), (Up, 1), (NearestMaxMagnitude, 1)]
    {
        check(mul::<F>, mode, &[([v.least, v.half], magnitude, UF | NX)]);
    }
    check(mul::<F>, Down, &[([v.sign | v.least, v.half], v.sign | v.least, UF | NX)]);
}

/// Tininess is judged after rounding. With precision P, `2^emin * (1 - 2^-(P+1))` rounds up to
/// `2^emin` even when the exponent is unbounded, so it is not tiny; `2^emin * (1 - 2^-P)` would be
/// a number then, so it is, although the format has no choice but to deliver `2^emin`.
fn tininess<F: Format>() {
    let v = values::<F>();
    let quarter = v.half - F::LEADING_ONE;
    let barely_below = [v.sign | v.least, quarter, v.least_normal];
    let clearly_below = [v.sign | v.least, v.half, v.least_normal];
    for mode in [NearestEven, Up, NearestMaxMagnitude] {
        check(mul_add::<F>, mode, &[(barely_below, v.least_normal, NX)]);
        check(mul_add::<F>, mode, &[(clearly_below, v.least_normal, UF | NX)]);
        check(mul::<F>, mode, &[([v.least_normal, v.one - 1], v.least_normal, UF | NX)]);
    }
    for mode in [TowardZero, Down] {
        check(mul_add::<F>, mode, &[(barely_below, v.least_normal - 1, UF | NX)]);
        check(mul_add::<F>, mode, &[(clearly_below, v.least_normal - 1, UF | NX)]);
    }
    // 2^emin * (1 + e) * (1 - e) with e * e just small enough.
    let k = F::PRECISION.div_ceil(2) + 1;
    let factors =
        [v.least_normal + (1 << (F::PRECISION - 1 - k)), v.one - (1 << (F::PRECISION - k))];
    check(mul::<F>, NearestEven, &[(factors, v.least_normal, NX)]);
    check(mul::<F>, TowardZero, &[(factors, v.least_normal - 1, UF | NX)]);
}

fn quotients<F: Format>() {
    let v = values::<F>();
    check_all_modes(
        div::<F>,
        &[
            ([v.one, v.two], v.half, NONE),
            ([v.one, 0], v.infinity, DZ),
            ([v.one, v.sign], v.sign | v.infinity, DZ),
            ([v.least, 0], v.infinity, DZ),
            ([v.infinity, 0], v.infinity, NONE),
            ([0, 0], v.nan, NV),
            ([0, v.sign], v.nan, NV),
            ([v.infinity, v.sign | v.infinity], v.nan, NV),
            ([v.one, v.sign | v.infinity], v.sign, NONE),
            ([v.sign, v.two], v.sign, NONE),
            ([v.quiet, 0], v.nan, NONE),
            ([v.signaling, 0], v.nan, NV),
            ([v.least_normal, v.two], v.least_normal >> 1, NONE),
        ],
    );
}

fn roots<F: Format>() {
    let v = values::<F>();
    check_all_modes(
        sqrt::<F>,
        &[
            ([v.four], v.two, NONE),
            ([0], 0, NONE),
            ([v.sign], v.sign, NONE),
            ([v.infinity], v.infinity, NONE),
            ([v.sign | v.infinity], v.nan, NV),
            ([v.sign | v.one], v.nan, NV),
            ([v.sign | v.least], v.nan, NV),
            ([v.quiet], v.nan, NONE),
            ([v.signaling], v.nan, NV),
        ],
    );
}

fn fused<F: Format>() {
    let v = values::<F>();
    check_all_modes(
        mul_add::<F>,
        &[
            ([v.two, v.half, v.one], v.two, NONE),
            ([v.infinity, v.one, v.sign | v.infinity], v.nan, NV),
            ([v.infinity, v.two, v.infinity], v.infinity, NONE),
            ([v.one, v.one, v.sign | v.infinity], v.sign | v.infinity, NONE),
            // Infinity times zero is invalid even with a quiet NaN as the addend.
            ([v.infinity, 0, v.quiet], v.nan, NV),
            ([0, v.sign | v.infinity, v.one], v.nan, NV),
            ([v.one, v.one, v.quiet], v.nan, NONE),
            ([v.quiet, v.infinity, 0], v.nan, NONE),
            ([v.one, v.one, v.signaling], v.nan, NV),
            ([v.one, 0, v.one], v.one, NONE),
            ([v.sign, v.one, v.sign], v.sign, NONE),
            ([v.one, 0, 0], 0, NONE),
            // The product alone would overflow.
            ([v.greatest, v.two, v.sign | v.greatest], v.greatest, NONE),
        ],
    );
    for mode in RoundingMode::ALL {
        let zero = if mode == Down { v.sign } else { 0 };
        check(mul_add::<F>, mode, &[([v.one, v.one, v.sign | v.one], zero, NONE)]);
        check(mul_add::<F>, mode, &[([v.one, 0, v.sign], zero, NONE)]);
    }
}

fn extremes<F: Format>() {
    let v = values::<F>();
    check_all_modes(
        minimum::<F>,
        &[
            ([v.one, v.two], v.one, NONE),
            ([v.sign | v.one, v.sign | v.two], v.sign | v.two, NONE),
            ([0, v.sign], v.sign, NONE),
            ([v.sign, 0], v.sign, NONE),
            ([v.quiet, v.one], v.one, NONE),
            ([v.one, v.signaling], v.one, NV),
            ([v.quiet, v.quiet], v.nan, NONE),
            ([v.signaling, v.quiet], v.nan, NV),
            ([v.infinity, v.sign | v.infinity], v.sign | v.infinity, NONE),
        ],
    );
    check_all_modes(
        maximum::<F>,
        &[
            ([v.one, v.two], v.two, NONE),
            ([v.sign | v.one, v.sign | v.two], v.sign | v.one, NONE),
            ([0, v.sign], 0, NONE),
            ([v.sign, 0], 0, NONE),
            ([v.one, v.quiet], v.one, NONE),
            ([v.signaling, v.one], v.one, NV),
            ([v.quiet, v.quiet], v.nan, NONE),
            ([v.sign | v.infinity, v.least], v.least, NONE),
        ],
    );
}

fn comparisons<F: Format>() {
    let v = values::<F>();
    check_all_modes(
        equal::<F>,
        &[
            ([v.one, v.one], 1, NONE),
            ([0, v.sign], 1, NONE),
            ([v.one, v.sign | v.one], 0, NONE),
            ([v.quiet, v.quiet], 0, NONE),
            ([v.one, v.signaling], 0, NV),
        ],
    );
    check_all_modes(
        less::<F>,
        &[
            ([v.one, v.two], 1, NONE),
            ([v.two, v.one], 0, NONE),
            ([v.sign, 0], 0, NONE),
            ([v.sign | v.two, v.sign | v.one], 1, NONE),
            ([v.sign | v.infinity, v.sign | v.greatest], 1, NONE),
            ([v.one, v.quiet], 0, NV),
            ([v.signaling, v.one], 0, NV),
        ],
    );
    check_all_modes(
        less_equal::<F>,
        &[
            ([v.one, v.one], 1, NONE),
            ([0, v.sign], 1, NONE),
            ([v.two, v.one], 0, NONE),
            ([v.quiet, v.quiet], 0, NV),
        ],
    );
}

fn classes<F: Format>() {
    let v = values::<F>();
    let in_order_of_bits = [
        v.sign | v.infinity,
        v.sign | v.least_normal,
        v.sign | (v.least_normal - 1),
        v.sign,
        0,
        v.least,
        v.greatest,
        v.infinity,
        v.signaling,
        v.quiet,
    ];
    for (bit, raw) in in_order_of_bits.into_iter().enumerate() {
        assert_eq!(float::classify::<F>(F::from_raw(raw)), 1 << bit, "{raw:x}");
    }
}

fn integers<F: Format>() {
    let v = values::<F>();
    let invalid_rows = [
        (v.infinity, i32::MAX, u32::MAX, i64::MAX, u64::MAX),
        (v.sign | v.infinity, i32::MIN, 0, i64::MIN, 0),
        (v.quiet, i32::MAX, u32::MAX, i64::MAX, u64::MAX),
        (v.sign | v.signaling, i32::MAX, u32::MAX, i64::MAX, u64::MAX),
    ];
    for (raw, i32_bound, u32_bound, i64_bound, u64_bound) in invalid_rows {
        let (a, mode) = (F::from_raw(raw), NearestEven);
        let mut flags = [Flags::NONE; 4];
        assert_eq!(float::to_i32::<F>(a, mode, &mut flags[0]), i32_bound);
        assert_eq!(float::to_u32::<F>(a, mode, &mut flags[1]), u32_bound);
        assert_eq!(float::to_i64::<F>(a, mode, &mut flags[2]), i64_bound);
        assert_eq!(float::to_u64::<F>(a, mode, &mut flags[3]), u64_bound);
        assert_eq!(flags, [Flags::INVALID; 4], "{raw:x}");
    }
    // Half of one, of either sign: up to what integer, if any, the mode says.
    let halves = [
        (NearestEven, 0, 0),
        (TowardZero, 0, 0),
        (Down, 0, -1),
        (Up, 1, 0),
        (NearestMaxMagnitude, 1, -1),
    ];
    for (mode, positive, negative) in halves {
        let [above, below] = [v.half, v.sign | v.half].map(F::from_raw);
        let mut flags = Flags::NONE;
        assert_eq!(float::to_i32::<F>(above, mode, &mut flags), positive);
        assert_eq!(float::to_i64::<F>(below, mode, &mut flags), negative);
        assert_eq!(flags, Flags::INEXACT);
        // An unsigned type has no -1: then it is invalid, and not inexact.
        let mut flags = Flags::NONE;
        assert_eq!(float::to_u64::<F>(below, mode, &mut flags), 0);
        let expected = if negative < 0 { Flags::INVALID } else { Flags::INEXACT };
        assert_eq!(flags, expected);
    }
}

/// Runs a check for both formats.
macro_rules! both_formats {
    ($($test:ident => $check:ident;)+) => {
        $(
            #[test]
            fn $test() {
                $check::<Single>();
                $check::<Double>();
            }
        )+
    };
}

both_formats! {
    sums_of_special_values => sums;
    overflow_follows_the_mode => overflows;
    products_of_special_values => products;
    tininess_is_judged_after_rounding => tininess;
    quotients_of_special_values => quotients;
    roots_of_special_values => roots;
    fused_multiply_add_of_special_values => fused;
    minimum_and_maximum_prefer_numbers => extremes;
    comparisons_signal_as_specified => comparisons;
    classification_sets_one_bit => classes;
    integer_conversions_saturate => integers;
}

#[test]
fn formats_have_the_specified_constants() {
    assert_eq!(Single::CANONICAL_NAN, 0x7fc0_0000);
    assert_eq!(Double::CANONICAL_NAN, 0x7ff8_0000_0000_0000);
    assert_eq!(Single::INFINITY, u64::from(f32::INFINITY.to_bits()));
    assert_eq!(Double::LEADING_ONE, f64::MIN_POSITIVE.to_bits());
}

#[test]
fn signs_change_without_exception() {
    assert_eq!(float::negate::<Single>(0x7f80_0001), 0xff80_0001);
    assert_eq!(float::negate::<Double>(0), 1 << 63);
}

#[test]
fn nan_conversions_are_canonical() {
    let mut flags = Flags::NONE;
    assert_eq!(float::single_to_double(0xffc0_0001, &mut flags), 0x7ff8_0000_0000_0000);
    assert_eq!(
        float::double_to_single(0xfff8_0000_0000_0001, NearestEven, &mut flags),
        0x7fc0_0000
    );
    assert_eq!(flags, Flags::NONE);
    assert_eq!(float::single_to_double(0x7f80_0001, &mut flags), 0x7ff8_0000_0000_0000);
    assert_eq!(flags, Flags::INVALID);
}

#[test]
fn narrow_values_are_boxed() {
    assert_eq!(float::box_single(0x3f80_0000), 0xffff_ffff_3f80_0000);
    assert_eq!(float::unbox_single(0xffff_ffff_3f80_0000), 0x3f80_0000);
    assert_eq!(float::unbox_single(0x0000_0000_3f80_0000), 0x7fc0_0000);
}

#[test]
fn reserved_rounding_modes_have_no_name() {
    for mode in RoundingMode::ALL {
        assert_eq!(RoundingMode::from_bits(mode as u8), Some(mode));
    }
    assert!((5..8).all(|bits| RoundingMode::from_bits(bits).is_none()));
}

#[test]
fn flags_accrue() {
    let mut flags = Flags::DIVIDE_BY_ZERO;
    let third = float::div::<Double>(1.0_f64.to_bits(), 3.0_f64.to_bits(), NearestEven, &mut flags);
    assert_eq!(third, 0x3fd5_5555_5555_5555);
    assert_eq!(flags.bits(), DZ | NX);
}
