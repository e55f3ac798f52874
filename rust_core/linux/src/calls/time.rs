//! Time: clocks, sleeping, alarms. All clocks show simulated time since the machine's start.

use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::abi::layout::{Writer, timespec, timeval};
use crate::errno::{Errno, Stop};
use crate::process::Wait;

const NS: u64 = 1_000_000_000;
/// The highest number of a clock.
const LAST_CLOCK: u64 = 11;

/// A `struct timespec` of the program, in nanoseconds.
pub fn duration_at(caller: &mut Caller<'_>, address: u64) -> Result<u64, Stop> {
    let mut user = caller.user()?;
    let (seconds, ns) = (user.read_u64(address)?, user.read_u64(address.wrapping_add(8))?);
    if seconds >> 63 != 0 || ns >= NS {
        return Err(Errno::Invalid.into());
    }
    Ok(seconds.saturating_mul(NS).saturating_add(ns))
}

fn check_clock(clock: u64) -> Result<(), Errno> {
    if clock <= LAST_CLOCK { Ok(()) } else { Err(Errno::Invalid) }
}

/// `clock_gettime(clock, time)`.
pub fn clock(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    check_clock(arguments[0])?;
    let now = timespec(caller.now_ns());
    caller.user()?.write(arguments[1], &now)?;
    Ok(0)
}

/// `clock_getres(clock, resolution)`.
pub fn resolution(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    check_clock(arguments[0])?;
    if arguments[1] != 0 {
        caller.user()?.write(arguments[1], &timespec(1))?;
    }
    Ok(0)
}

/// `gettimeofday(time, zone)`.
pub fn time_of_day(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let now = timeval(caller.now_ns());
    if arguments[0] != 0 {
        caller.user()?.write(arguments[0], &now)?;
    }
    Ok(0)
}

/// `nanosleep(time, remaining)`.
pub fn sleep(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let wait_ns = duration_at(caller, arguments[0])?;
    let until_ns = caller.deadline_ns(wait_ns)?;
    sleep_until(caller, until_ns, arguments[1])
}

/// `clock_nanosleep(clock, flags, time, remaining)`.
pub fn sleep_by_clock(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const ABSOLUTE: u64 = 1;
    let [clock, flags, time_at, remaining_at, ..] = *arguments;
    check_clock(clock)?;
    let time_ns = duration_at(caller, time_at)?;
    if flags & ABSOLUTE != 0 {
        return sleep_until(caller, time_ns, 0);
    }
    let until_ns = caller.deadline_ns(time_ns)?;
    sleep_until(caller, until_ns, remaining_at)
}

/// Waits; if a signal ends it, the program is told how long it had yet to wait.
fn sleep_until(caller: &mut Caller<'_>, until_ns: u64, remaining_at: u64) -> Outcome {
    let now_ns = caller.now_ns();
    if until_ns <= now_ns {
        return Ok(0);
    }
    if caller.linux.deliverable(caller.thread).is_none() {
        return Err(Stop::Wait(Wait::Until(until_ns)));
    }
    if remaining_at != 0 {
        caller.user()?.write(remaining_at, &timespec(until_ns - now_ns))?;
    }
    Err(Errno::Interrupted.into())
}

/// `times(buffer)`: a hundredth of a second is a tick.
pub fn ticks(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const TICK_NS: u64 = 10_000_000;
    let now = caller.now_ns() / TICK_NS;
    if arguments[0] != 0 {
        let times = Writer::default().u64(now).pad_to(32).done();
        caller.user()?.write(arguments[0], &times)?;
    }
    Ok(now)
}

/// `getrusage(who, usage)`: the time since the start is told as used by the program.
pub fn usage(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let now_ns = caller.now_ns();
    let usage = Writer::default().bytes(&timeval(now_ns)).pad_to(144).done();
    caller.user()?.write(arguments[1], &usage)?;
    Ok(0)
}

/// The real-time timer, the only one that is offered.
const REAL: u64 = 0;

/// `setitimer(which, new, old)`.
pub fn set_timer(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [which, new_at, old_at, ..] = *arguments;
    if which != REAL {
        return Err(Errno::Invalid.into());
    }
    let (every_ns, first_ns) =
        (interval_at(caller, new_at)?, interval_at(caller, new_at.wrapping_add(16))?);
    let told = told_timer(caller)?;
    if old_at != 0 {
        caller.user()?.write(old_at, &told)?;
    }
    let now_ns = caller.now_ns();
    caller.process()?.alarm = (first_ns > 0).then_some((now_ns.saturating_add(first_ns), every_ns));
    Ok(0)
}

/// `getitimer(which, value)`.
pub fn timer(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    if arguments[0] != REAL {
        return Err(Errno::Invalid.into());
    }
    let told = told_timer(caller)?;
    caller.user()?.write(arguments[1], &told)?;
    Ok(0)
}

/// `struct itimerval`: the interval, and the time that is left.
fn told_timer(caller: &mut Caller<'_>) -> Result<Vec<u8>, Errno> {
    let now_ns = caller.now_ns();
    let (at_ns, every_ns) = caller.process()?.alarm.unwrap_or((now_ns, 0));
    Ok([timeval(every_ns), timeval(at_ns.saturating_sub(now_ns))].concat())
}

/// A `struct timeval` of the program, in nanoseconds.
fn interval_at(caller: &mut Caller<'_>, address: u64) -> Result<u64, Stop> {
    let mut user = caller.user()?;
    let (seconds, us) = (user.read_u64(address)?, user.read_u64(address.wrapping_add(8))?);
    if seconds >> 63 != 0 || us >= NS / 1000 {
        return Err(Errno::Invalid.into());
    }
    Ok(seconds.saturating_mul(NS).saturating_add(us * 1000))
}
