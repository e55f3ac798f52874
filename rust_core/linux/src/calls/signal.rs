//! Signals.

use super::time::duration_at;
use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::abi::frame;
use crate::abi::layout::{Writer, signal_info, signal_set};
use crate::errno::{Errno, Stop};
use crate::memory::user::User;
use crate::process::{Id, Wait};
use crate::signal::{Action, Info, LAST, Origin, SignalSet, code, number};

/// Bytes of a signal set.
const SET_BYTES: u64 = 8;

fn check(signal: u64) -> Result<u32, Errno> {
    u32::try_from(signal).ok().filter(|signal| (1..=LAST).contains(signal)).ok_or(Errno::Invalid)
}

fn set_at(caller: &mut Caller<'_>, address: u64, bytes: u64) -> Result<SignalSet, Stop> {
    if bytes != SET_BYTES {
        return Err(Errno::Invalid.into());
    }
    Ok(SignalSet(caller.user()?.read_u64(address)?))
}

/// `rt_sigaction(signal, new, old, size)`.
pub fn action(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [signal, new_at, old_at, bytes, ..] = *arguments;
    let signal = check(signal)?;
    if bytes != SET_BYTES {
        return Err(Errno::Invalid.into());
    }
    let new = if new_at == 0 { None } else { Some(action_at(caller, new_at)?) };
    if new.is_some() && (signal == number::KILL || signal == number::STOP) {
        return Err(Errno::Invalid.into());
    }
    let old = caller.process()?.actions.get(signal);
    if old_at != 0 {
        let told = Writer::default().u64(old.handler).u64(old.flags).u64(old.mask.0).done();
        caller.user()?.write(old_at, &told)?;
    }
    if let Some(new) = new {
        caller.process()?.actions.set(signal, new);
    }
    Ok(0)
}

fn action_at(caller: &mut Caller<'_>, address: u64) -> Result<Action, Stop> {
    let mut user = caller.user()?;
    Ok(Action {
        handler: user.read_u64(address)?,
        flags: user.read_u64(address.wrapping_add(8))?,
        mask: SignalSet(user.read_u64(address.wrapping_add(16))?).as_mask(),
    })
}

/// `rt_sigprocmask(how, new, old, size)`.
pub fn mask(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const BLOCK: u64 = 0;
    const UNBLOCK: u64 = 1;
    const SET: u64 = 2;
    let [how, new_at, old_at, bytes, ..] = *arguments;
    let old = caller.thread()?.mask;
    let new = if new_at == 0 { old } else { set_at(caller, new_at, bytes)? };
    let changed = match how {
        _ if new_at == 0 => old,
        BLOCK => old.with(new),
        UNBLOCK => old.without(new),
        SET => new,
        _ => return Err(Errno::Invalid.into()),
    };
    if old_at != 0 {
        caller.user()?.write(old_at, &signal_set(old))?;
    }
    caller.thread()?.mask = changed.as_mask();
    Ok(0)
}

/// `rt_sigpending(set, size)`.
pub fn pending(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let all = caller.process()?.pending.set();
    let thread = caller.thread()?;
    let held = thread.pending.set().with(all);
    let told = SignalSet(held.0 & thread.mask.0);
    caller.user()?.write(arguments[0], &signal_set(told))?;
    Ok(0)
}

/// `rt_sigsuspend(mask, size)`.
pub fn suspend(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let mask = set_at(caller, arguments[0], arguments[1])?.as_mask();
    let thread = caller.thread()?;
    if thread.mask_after.is_none() {
        thread.mask_after = Some(std::mem::replace(&mut thread.mask, mask));
    }
    Err(Stop::Wait(Wait::Signal { until_ns: None }))
}

/// `rt_sigtimedwait(set, info, timeout, size)`.
pub fn wait(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [set, info_at, timeout, bytes, ..] = *arguments;
    let set = set_at(caller, set, bytes)?;
    let until_ns = match timeout {
        0 => None,
        at => {
            let wait_ns = duration_at(caller, at)?;
            Some(caller.deadline_ns(wait_ns)?)
        }
    };
    if info_at != 0 {
        caller.user()?.prepare(info_at, 128)?;
    }
    let others = SignalSet(!set.0);
    let own = caller.thread()?.pending.first(others);
    let Some(signal) = own.or(caller.process()?.pending.first(others)) else {
        if until_ns.is_some_and(|until_ns| until_ns <= caller.now_ns()) {
            return Err(Errno::Again.into());
        }
        return Err(Stop::Wait(Wait::Accept { set, until_ns }));
    };
    let info = match caller.thread()?.pending.take(signal) {
        Some(info) => info,
        None => caller.process()?.pending.take(signal).unwrap_or_default(),
    };
    if info_at != 0 {
        caller.user()?.write(info_at, &signal_info(signal, &info))?;
    }
    Ok(u64::from(signal))
}

/// `rt_sigreturn()`: the registers are those of the frame.
pub fn come_back(caller: &mut Caller<'_>, _: &Arguments) -> Outcome {
    let space = caller.process()?.space;
    let mut user = User {
        spaces: &mut caller.linux.spaces,
        contents: &caller.linux.tree,
        hardware: caller.hardware,
        space,
    };
    match frame::pop(&mut user, caller.registers) {
        Ok(mask) => caller.thread()?.mask = mask,
        Err(Stop::Unavailable(unavailable)) => return Err(unavailable.into()),
        Err(_) => caller.linux.raise(number::SEGV, code::KERNEL, 0),
    }
    Err(Stop::Elsewhere)
}

/// `sigaltstack(new, old)`.
pub fn stack(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const DISABLED: u32 = 2;
    const LEAST_BYTES: u64 = 2048;
    let [new_at, old_at, ..] = *arguments;
    let new = match new_at {
        0 => None,
        at => {
            let mut user = caller.user()?;
            let flags = user.read_u32(at.wrapping_add(8))?;
            let (base, size) = (user.read_u64(at)?, user.read_u64(at.wrapping_add(16))?);
            if flags & DISABLED == 0 && size < LEAST_BYTES {
                return Err(Errno::NoMemory.into());
            }
            Some(if flags & DISABLED == 0 { (base, size) } else { (0, 0) })
        }
    };
    let (base, size) = caller.thread()?.signal_stack;
    if old_at != 0 {
        let flags = if size == 0 { u64::from(DISABLED) } else { 0 };
        let told = Writer::default().u64(base).u64(flags).u64(size).done();
        caller.user()?.write(old_at, &told)?;
    }
    if let Some(new) = new {
        caller.thread()?.signal_stack = new;
    }
    Ok(0)
}

/// Signal 0 only asks whether there is anybody.
fn checked_or_zero(signal: u64) -> Result<Option<u32>, Errno> {
    if signal == 0 { Ok(None) } else { check(signal).map(Some) }
}

/// `kill(process, signal)`.
pub fn kill(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let signal = checked_or_zero(arguments[1])?;
    let own = caller.process_id()?;
    let group = caller.process()?.group;
    let meant = |id: Id, of: Id| match arguments[0] as i32 {
        0 => of == group,
        -1 => id != own && id != Id(1),
        number if number > 0 => id == Id(number as u32),
        number => of == Id(number.unsigned_abs()),
    };
    let processes = caller.linux.processes.iter();
    let all: Vec<_> =
        processes.filter(|(id, each)| meant(**id, each.group)).map(|(id, _)| *id).collect();
    if all.is_empty() {
        return Err(Errno::NoProcess.into());
    }
    let info = Info { code: code::USER, origin: Origin::Process(own.0), status: 0 };
    for id in all {
        if let Some(signal) = signal {
            caller.linux.send(id, signal, info);
        }
    }
    Ok(0)
}

/// `tkill(thread, signal)`.
pub fn kill_thread(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let signal = checked_or_zero(arguments[1])?;
    let id = Id(arguments[0] as u32);
    if !caller.linux.threads.contains_key(&id) {
        return Err(Errno::NoProcess.into());
    }
    let own = caller.process_id()?;
    let info = Info { code: code::THREAD, origin: Origin::Process(own.0), status: 0 };
    if let Some(signal) = signal {
        caller.linux.send_to_thread(id, signal, info);
    }
    Ok(0)
}

/// `tgkill(process, thread, signal)`.
pub fn kill_thread_of(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [process, thread, signal, ..] = *arguments;
    let found = caller.linux.threads.get(&Id(thread as u32)).map(|thread| thread.process);
    if found != Some(Id(process as u32)) {
        return Err(Errno::NoProcess.into());
    }
    kill_thread(caller, &[thread, signal, 0, 0, 0, 0])
}
