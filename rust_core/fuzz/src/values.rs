//! Random register values, those at the edges as likely as any.

use crate::random::Random;

/// For an integer register.
pub fn integer(random: &mut Random) -> u64 {
    let edges =
        [0, 1, 2, u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 31, (1 << 31) - 1, 0xffff_ffff, 1 << 32];
    match random.below(4) {
        0 => random.pick(&edges),
        1 => random.bits() as i32 as u64,
        2 => random.bits() >> random.below(64),
        _ => random.bits(),
    }
}

/// For a floating-point register: a double or a single.
pub fn float(random: &mut Random) -> u64 {
    if random.once_in(2) {
        return double(random);
    }
    let boxed = 0xffff_ffff_0000_0000 | u64::from(single(random));
    // Once in a while a single that is not boxed right, which counts as NaN.
    if random.once_in(16) { boxed & !(1 << 40) } else { boxed }
}

/// A double with an exponent near the middle, near an end, or of a special value.
fn double(random: &mut Random) -> u64 {
    let exponent = match random.below(8) {
        0 => 0,
        1 => 0x7ff,
        2 => 1 + random.below(54),
        3 => 0x7fe - random.below(54),
        _ => 0x3ff - 40 + random.below(80),
    };
    let sparse = random.bits() & random.bits() & random.bits();
    let mantissa = if random.once_in(3) { 0 } else { sparse } & ((1 << 52) - 1);
    random.below(2) << 63 | exponent << 52 | mantissa
}

fn single(random: &mut Random) -> u32 {
    let exponent = match random.below(8) {
        0 => 0,
        1 => 0xff,
        2 => 1 + random.below(25),
        3 => 0xfe - random.below(25),
        _ => 0x7f - 20 + random.below(40),
    };
    let sparse = random.bits() & random.bits() & random.bits();
    let mantissa = if random.once_in(3) { 0 } else { sparse } & ((1 << 23) - 1);
    (random.below(2) << 31 | exponent << 23 | mantissa) as u32
}

/// Any flags and mostly a valid rounding mode.
pub fn fcsr(random: &mut Random) -> u64 {
    let mode = if random.once_in(32) { 5 + random.below(3) } else { random.below(5) };
    mode << 5 | random.below(32)
}
