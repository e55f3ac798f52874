//! The cycle clock of a hart and its conversions to nanoseconds and to the `time` counter.
//!
//! Cumulative cycles are the truth; nanoseconds and timer ticks are the floor of the cumulative
//! count, so that no rounding error ever accumulates. The inverse conversions give the *first*
//! cycle at which a moment has been reached, hence `ns_at(cycles_at_ns(t)) >= t`, and one cycle
//! earlier it is not.

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The clock of one hart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Clock {
    /// Cumulative cycles since power-on, idle cycles included.
    pub cycles: u64,
    hz: u64,
    timebase_hz: u64,
}

impl Clock {
    /// A clock at cycle 0 that runs at `hz`, its `time` counter at `timebase_hz`. A frequency of
    /// zero counts as one hertz.
    pub fn new(hz: u64, timebase_hz: u64) -> Self {
        Self { cycles: 0, hz: hz.max(1), timebase_hz: timebase_hz.max(1) }
    }

    /// Cycles per second.
    pub fn hz(&self) -> u64 {
        self.hz
    }

    /// Ticks of the `time` counter per second.
    pub fn timebase_hz(&self) -> u64 {
        self.timebase_hz
    }

    /// Nanoseconds since power-on.
    pub fn ns(&self) -> u64 {
        scale_down(self.cycles, NANOSECONDS_PER_SECOND, self.hz)
    }

    /// The value of the `time` counter.
    pub fn time(&self) -> u64 {
        scale_down(self.cycles, self.timebase_hz, self.hz)
    }

    /// The first cycle at which [`Clock::ns`] is at least `ns`; `u64::MAX` if never.
    pub fn cycles_at_ns(&self, ns: u64) -> u64 {
        scale_up(ns, self.hz, NANOSECONDS_PER_SECOND)
    }

    /// The first cycle at which [`Clock::time`] is at least `time`; `u64::MAX` if never.
    pub fn cycles_at_time(&self, time: u64) -> u64 {
        scale_up(time, self.hz, self.timebase_hz)
    }
}

/// `floor(value * multiplier / divisor)`, saturating.
fn scale_down(value: u64, multiplier: u64, divisor: u64) -> u64 {
    let product = u128::from(value) * u128::from(multiplier);
    u64::try_from(product / u128::from(divisor)).unwrap_or(u64::MAX)
}

/// `ceil(value * multiplier / divisor)`, saturating.
fn scale_up(value: u64, multiplier: u64, divisor: u64) -> u64 {
    let product = u128::from(value) * u128::from(multiplier);
    u64::try_from(product.div_ceil(u128::from(divisor))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cycles: u64, hz: u64, timebase_hz: u64) -> Clock {
        Clock { cycles, ..Clock::new(hz, timebase_hz) }
    }

    #[test]
    fn nanoseconds_are_the_floor_of_the_cumulative_count() {
        assert_eq!(at(2, 3_000_000_000, 10_000_000).ns(), 0);
        assert_eq!(at(3, 3_000_000_000, 10_000_000).ns(), 1);
        assert_eq!(at(u64::MAX, 1_000_000_000, 1).ns(), u64::MAX);
    }

    #[test]
    fn the_time_counter_ticks_at_the_timebase() {
        assert_eq!(at(99, 1_000_000_000, 10_000_000).time(), 0);
        assert_eq!(at(100, 1_000_000_000, 10_000_000).time(), 1);
    }

    #[test]
    fn the_inverse_is_the_first_cycle_that_has_reached_the_moment() {
        for hz in [1_000_000_000, 3_000_000_000, 2_899_999_999, 7] {
            let clock = Clock::new(hz, 10_000_000);
            for moment in [0, 1, 2, 3, 999, 1_000_000_007] {
                let by_ns = clock.cycles_at_ns(moment);
                assert!(at(by_ns, hz, 10_000_000).ns() >= moment);
                assert!(by_ns == 0 || at(by_ns - 1, hz, 10_000_000).ns() < moment);
                let by_time = clock.cycles_at_time(moment);
                assert!(at(by_time, hz, 10_000_000).time() >= moment);
                assert!(by_time == 0 || at(by_time - 1, hz, 10_000_000).time() < moment);
            }
        }
    }

    #[test]
    fn a_moment_beyond_the_clock_is_never() {
        assert_eq!(Clock::new(1_000_000_000, 10_000_000).cycles_at_time(u64::MAX), u64::MAX);
    }
}
