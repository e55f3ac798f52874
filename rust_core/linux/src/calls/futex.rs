//! Futexes.

use super::time::duration_at;
use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::errno::{Errno, Stop};
use crate::process::Wait;
use crate::process::futex::Key;

/// Operations of `futex`.
mod operation {
    pub const WAIT: u64 = 0;
    pub const WAKE: u64 = 1;
    pub const REQUEUE: u64 = 3;
    pub const COMPARE_REQUEUE: u64 = 4;
    pub const WAIT_BITS: u64 = 9;
    pub const WAKE_BITS: u64 = 10;
    /// Flags beside the operation: private, and the real-time clock.
    pub const FLAGS: u64 = 128 | 256;
}

/// `futex(address, operation, value, timeout, second address, third value)`.
pub fn futex(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [address, operation, value, timeout, second, third] = *arguments;
    if !address.is_multiple_of(4) {
        return Err(Errno::Invalid.into());
    }
    let count = value.min(u64::from(u32::MAX)) as usize;
    match operation & !operation::FLAGS {
        operation::WAIT => {
            let until_ns = relative(caller, timeout)?;
            wait(caller, address, value as u32, until_ns, u32::MAX)
        }
        operation::WAIT_BITS => {
            let until_ns = absolute(caller, timeout)?;
            wait(caller, address, value as u32, until_ns, third as u32)
        }
        operation::WAKE => wake_at(caller, address, count, u32::MAX),
        operation::WAKE_BITS => wake_at(caller, address, count, third as u32),
        operation::REQUEUE => requeue(caller, address, second, count, timeout),
        operation::COMPARE_REQUEUE => {
            if caller.user()?.read_u32(address)? != third as u32 {
                return Err(Errno::Again.into());
            }
            requeue(caller, address, second, count, timeout)
        }
        _ => Err(Errno::NoCall.into()),
    }
}

fn relative(caller: &mut Caller<'_>, at: u64) -> Result<Option<u64>, Stop> {
    if at == 0 {
        return Ok(None);
    }
    let wait_ns = duration_at(caller, at)?;
    Ok(Some(caller.deadline_ns(wait_ns)?))
}

fn absolute(caller: &mut Caller<'_>, at: u64) -> Result<Option<u64>, Stop> {
    if at == 0 { Ok(None) } else { duration_at(caller, at).map(Some) }
}

/// What a word is known by: one of shared memory by its page, so that all who share it meet.
fn key_of(caller: &mut Caller<'_>, address: u64) -> Result<Key, Stop> {
    let space = caller.process()?.space;
    match caller.linux.spaces.shared_at(space, address) {
        Some((object, offset)) => Ok(Key::Shared(object, offset)),
        None => Ok(Key::Private(space, address)),
    }
}

fn wait(
    caller: &mut Caller<'_>,
    address: u64,
    expected: u32,
    until_ns: Option<u64>,
    bits: u32,
) -> Outcome {
    if bits == 0 {
        return Err(Errno::Invalid.into());
    }
    let thread = caller.thread;
    if until_ns.is_some_and(|until_ns| until_ns <= caller.now_ns()) {
        caller.linux.futexes.forget(thread);
        return Err(Errno::TimedOut.into());
    }
    let found = caller.user()?.read_u32(address)?;
    if found != expected {
        return Err(Errno::Again.into());
    }
    let key = key_of(caller, address)?;
    caller.linux.futexes.forget(thread);
    caller.linux.futexes.wait(key, thread, bits);
    Err(Stop::Wait(Wait::Futex { until_ns }))
}

/// Wakes up to `count` threads that wait for a word.
pub fn wake_at(caller: &mut Caller<'_>, address: u64, count: usize, bits: u32) -> Outcome {
    let key = key_of(caller, address)?;
    let woken = caller.linux.futexes.wake(key, count, bits);
    for thread in &woken {
        caller.linux.wake(*thread, 0);
    }
    Ok(woken.len() as u64)
}

fn requeue(caller: &mut Caller<'_>, from: u64, to: u64, woken: usize, moved: u64) -> Outcome {
    let count = wake_at(caller, from, woken, u32::MAX)?;
    let (from, to) = (key_of(caller, from)?, key_of(caller, to)?);
    let moved = usize::try_from(moved).unwrap_or(usize::MAX);
    Ok(count + caller.linux.futexes.requeue(from, to, moved) as u64)
}
