//! Waiting for children.

use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::abi::layout::signal_info;
use crate::errno::{Errno, Stop};
use crate::process::{Children, ExitStatus, Id, Wait};
use crate::signal::{Info, Origin, code, number};

/// `WNOHANG`: do not wait.
const NO_HANG: u64 = 1;
/// `WEXITED` of `waitid`.
const EXITED: u64 = 4;
/// `WNOWAIT`: leave the child as it is.
const LEAVE: u64 = 0x0100_0000;
/// Bytes of `struct rusage`.
const USAGE_BYTES: usize = 144;

/// A child that is meant and has ended; refuses when there is no child that is meant at all.
fn find(caller: &mut Caller<'_>, meant: Children) -> Result<Option<(Id, ExitStatus)>, Errno> {
    let own = caller.process_id()?;
    let mut children = caller.linux.children(own, meant).peekable();
    children.peek().ok_or(Errno::NoChild)?;
    Ok(children.find_map(|(id, child)| Some((id, child.ended?))))
}

/// `wait4(child, status, options, usage)`.
pub fn wait(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [child, status_at, options, usage_at, ..] = *arguments;
    let meant = match child as i32 {
        -1 => Children::All,
        0 => Children::Group(caller.process()?.group),
        id if id > 0 => Children::One(Id(id as u32)),
        group => Children::Group(Id(group.unsigned_abs())),
    };
    let Some((id, status)) = find(caller, meant)? else {
        return if options & NO_HANG != 0 { Ok(0) } else { Err(Stop::Wait(Wait::Child(meant))) };
    };
    let mut user = caller.user()?;
    if usage_at != 0 {
        user.prepare(usage_at, USAGE_BYTES as u64)?;
    }
    if status_at != 0 {
        user.write(status_at, &status.wait_word().to_le_bytes())?;
    }
    if usage_at != 0 {
        user.write(usage_at, &[0; USAGE_BYTES])?;
    }
    caller.linux.processes.remove(&id);
    Ok(u64::from(id.0))
}

/// `waitid(type, id, info, options, usage)`.
pub fn wait_id(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const ALL: u64 = 0;
    const ONE: u64 = 1;
    const GROUP: u64 = 2;
    let [kind, id, info_at, options, ..] = *arguments;
    let meant = match kind {
        ALL => Children::All,
        ONE => Children::One(Id(id as u32)),
        GROUP => Children::Group(Id(id as u32)),
        _ => return Err(Errno::Invalid.into()),
    };
    if options & EXITED == 0 {
        return Err(Errno::Invalid.into());
    }
    let found = find(caller, meant)?;
    let info = match found {
        Some((id, status)) => signal_info(number::CHLD, &info_of(id, status)),
        None if options & NO_HANG != 0 => vec![0; 128],
        None => return Err(Stop::Wait(Wait::Child(meant))),
    };
    if info_at != 0 {
        caller.user()?.write(info_at, &info)?;
    }
    if let Some((id, _)) = found.filter(|_| options & LEAVE == 0) {
        caller.linux.processes.remove(&id);
    }
    Ok(0)
}

fn info_of(id: Id, status: ExitStatus) -> Info {
    let (code, status) = match status {
        ExitStatus::Exited(status) => (code::EXITED, i32::from(status)),
        ExitStatus::Killed(signal) => (code::KILLED, signal as i32),
    };
    Info { code, origin: Origin::Process(id.0), status }
}
