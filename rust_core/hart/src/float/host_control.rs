//! The host's floating-point control word, and its fused multiply-add.
//!
//! A library that was built for speed over accuracy may have told this thread's processor to
//! flush subnormal numbers to zero, or to round otherwise than to nearest. [`HostControl`] sets
//! the defaults while guest code runs and puts back what was there.
//!
//! This is the one file of the core with `unsafe` code: the control word and the optional
//! instruction cannot be reached without it.

#![allow(unsafe_code)]

/// Whether this host's control word is known to [`HostControl`]; elsewhere there is no host path.
pub(super) const IS_CONTROLLED: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// While it lives, this thread's floating-point control word is the default one: rounding to
/// nearest even, subnormal numbers respected, no exception trapped.
///
/// The floating-point work under its protection must read its operands from memory, and write its
/// results there, during that life; as everything reached through a reference does.
#[derive(Debug)]
pub struct HostControl {
    saved: ControlWord,
    /// The word belongs to a thread, and so does this guard.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl HostControl {
    /// Saves the control word and sets the default.
    #[must_use = "the control word goes back when the guard is dropped"]
    pub fn establish() -> Self {
        let saved = ControlWord::read();
        if saved != ControlWord::DEFAULT {
            ControlWord::DEFAULT.write();
        }
        Self { saved, _not_send: std::marker::PhantomData }
    }
}

impl Drop for HostControl {
    fn drop(&mut self) {
        self.saved.write();
    }
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use std::arch::asm;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// The MXCSR register, with the sticky exception flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ControlWord(u32);

    impl ControlWord {
        /// All exceptions masked, nothing else set.
        pub const DEFAULT: Self = Self(0x1f80);

        #[cfg(test)]
        pub const fn from_bits(bits: u32) -> Self {
            Self(bits)
        }

        #[inline]
        pub fn read() -> Self {
            let mut word = 0_u32;
            // SAFETY: stores four bytes to a local variable; SSE is part of x86-64.
            unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack)) };
            Self(word)
        }

        #[inline]
        pub fn write(self) {
            let word = self.0;
            // SAFETY: loads four bytes from a local variable. They are either the default word or
            // one that was read from this register, so no reserved bit is set.
            unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack)) };
        }
    }

    const UNKNOWN: u8 = 0;
    const ABSENT: u8 = 1;
    const PRESENT: u8 = 2;
    static FUSED: AtomicU8 = AtomicU8::new(UNKNOWN);

    #[inline]
    fn has_fused() -> bool {
        match FUSED.load(Ordering::Relaxed) {
            UNKNOWN => detect_fused(),
            state => state == PRESENT,
        }
    }

    #[cold]
    fn detect_fused() -> bool {
        let present = is_x86_feature_detected!("fma");
        FUSED.store(if present { PRESENT } else { ABSENT }, Ordering::Relaxed);
        present
    }

    #[target_feature(enable = "fma")]
    fn single_with_fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    #[target_feature(enable = "fma")]
    fn double_with_fma(a: f64, b: f64, c: f64) -> f64 {
        a.mul_add(b, c)
    }

    #[inline]
    pub fn fused_single(a: f32, b: f32, c: f32) -> Option<f32> {
        // SAFETY: called only where the processor has the instruction.
        has_fused().then(|| unsafe { single_with_fma(a, b, c) })
    }

    #[inline]
    pub fn fused_double(a: f64, b: f64, c: f64) -> Option<f64> {
        // SAFETY: called only where the processor has the instruction.
        has_fused().then(|| unsafe { double_with_fma(a, b, c) })
    }
}

// Signatures are those of hosts that may lack the instruction.
#[cfg(target_arch = "aarch64")]
#[allow(clippy::unnecessary_wraps)]
mod arch {
    use std::arch::asm;

    /// The FPCR register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ControlWord(u64);

    impl ControlWord {
        /// No trap, no flushing, round to nearest even.
        pub const DEFAULT: Self = Self(0);

        #[inline]
        pub fn read() -> Self {
            let word: u64;
            // SAFETY: reads a register that user code may read.
            unsafe { asm!("mrs {}, fpcr", out(reg) word, options(nostack)) };
            Self(word)
        }

        #[inline]
        pub fn write(self) {
            // SAFETY: writes zero or what was read from the same register.
            unsafe { asm!("msr fpcr, {}", in(reg) self.0, options(nostack)) };
        }
    }

    #[inline]
    pub fn fused_single(a: f32, b: f32, c: f32) -> Option<f32> {
        Some(a.mul_add(b, c))
    }

    #[inline]
    pub fn fused_double(a: f64, b: f64, c: f64) -> Option<f64> {
        Some(a.mul_add(b, c))
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[allow(clippy::unused_self)]
mod arch {
    /// No known control word; nothing depends on it because there is no host path.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ControlWord;

    impl ControlWord {
        pub const DEFAULT: Self = Self;

        pub fn read() -> Self {
            Self
        }

        pub fn write(self) {}
    }

    pub fn fused_single(_: f32, _: f32, _: f32) -> Option<f32> {
        None
    }

    pub fn fused_double(_: f64, _: f64, _: f64) -> Option<f64> {
        None
    }
}

use arch::ControlWord;
pub(super) use arch::{fused_double, fused_single};

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::hint::black_box;

    use super::{ControlWord, HostControl};
    use crate::float::{Double, Flags, RoundingMode, add, mul};

    const LEAST_SUBNORMAL: u64 = 1;
    const LEAST_NORMAL: u64 = 1 << 52;
    const ONE: u64 = 0x3ff0_0000_0000_0000;

    /// Rounding up, results flushed to zero, subnormal operands taken as zero.
    const HOSTILE: u32 = 0x1f80 | 0x4000 | 0x8000 | 0x0040;

    #[test]
    fn results_do_not_depend_on_the_thread() {
        let original = ControlWord::read();
        ControlWord::from_bits(HOSTILE).write();
        let guard = HostControl::establish();
        let during = ControlWord::read();
        let (nearest, mut flags) = (RoundingMode::NearestEven, Flags::NONE);
        let sum = add::<Double>(
            black_box(LEAST_SUBNORMAL),
            black_box(LEAST_SUBNORMAL),
            nearest,
            &mut flags,
        );
        let scaled =
            mul::<Double>(black_box(LEAST_NORMAL | 1), black_box(ONE), nearest, &mut flags);
        let exact = flags;
        let rounded =
            add::<Double>(black_box(ONE), black_box(LEAST_SUBNORMAL), nearest, &mut flags);
        let (sum, scaled, rounded) = black_box((sum, scaled, rounded));
        drop(guard);
        let after = ControlWord::read();
        original.write();

        assert_eq!(during, ControlWord::DEFAULT);
        assert_eq!(after, ControlWord::from_bits(HOSTILE));
        assert_eq!((sum, scaled, exact), (2 * LEAST_SUBNORMAL, LEAST_NORMAL | 1, Flags::NONE));
        assert_eq!((rounded, flags), (ONE, Flags::INEXACT));
    }
}
