//! Beginning and ending processes and threads.

use super::{Caller, Outcome};
use crate::abi::{Arguments, register};
use crate::errno::{Errno, Stop};
use crate::linux::new_thread;
use crate::process::{ExitStatus, Id, Process, State, Wait};
use crate::signal::Pending;

/// Flags of `clone`.
mod flag {
    /// The signal that tells the parent of the end.
    pub const SIGNAL: u64 = 0xff;
    pub const MEMORY: u64 = 0x100;
    pub const FILE_SYSTEM: u64 = 0x200;
    pub const FILES: u64 = 0x400;
    pub const ACTIONS: u64 = 0x800;
    pub const VFORK: u64 = 0x4000;
    pub const THREAD: u64 = 0x1_0000;
    pub const THREAD_POINTER: u64 = 0x8_0000;
    pub const PARENT_ID: u64 = 0x10_0000;
    pub const CLEAR_ID: u64 = 0x20_0000;
    pub const CHILD_ID: u64 = 0x100_0000;
    /// Those that change nothing here.
    pub const IDLE: u64 = 0x4_0000 | 0x40_0000;
}

const OF_THREAD: u64 = flag::MEMORY | flag::FILE_SYSTEM | flag::FILES | flag::ACTIONS;

/// `clone(flags, stack, parent id, thread pointer, child id)`, in the order of RISC-V.
pub fn clone(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [flags, _, parent_id_at, _, child_id_at, _] = *arguments;
    check_flags(flags)?;
    if flags & flag::PARENT_ID != 0 {
        caller.user()?.prepare(parent_id_at, 4)?;
    }
    if flags & flag::CHILD_ID != 0 {
        // A child has a copy of the page that is written here before it is made.
        caller.user()?.prepare(child_id_at, 4)?;
    }
    let id = caller.linux.new_id()?;
    let bytes = id.0.to_le_bytes();
    if flags & flag::PARENT_ID != 0 {
        caller.user()?.write(parent_id_at, &bytes)?;
    }
    if flags & flag::CHILD_ID != 0 {
        caller.user()?.write(child_id_at, &bytes)?;
    }
    let process = if flags & flag::THREAD != 0 {
        caller.process()?.threads += 1;
        caller.process_id()?
    } else {
        make_process(caller, id, flags)?;
        id
    };
    add_thread(caller, id, process, arguments)?;
    if flags & flag::VFORK == 0 {
        return Ok(u64::from(id.0));
    }
    // The result is there already when the wait ends.
    caller.registers.finish_call(u64::from(id.0));
    wait_for_child(caller, id)
}

fn check_flags(flags: u64) -> Result<(), Errno> {
    let ids = flag::PARENT_ID | flag::CHILD_ID | flag::CLEAR_ID | flag::THREAD_POINTER;
    let known = flag::SIGNAL | ids | flag::IDLE | OF_THREAD | flag::VFORK | flag::THREAD;
    let is_thread = flags & flag::THREAD != 0;
    let whole_thread = flags & OF_THREAD == OF_THREAD;
    let shares = flags & (flag::FILES | flag::FILE_SYSTEM | flag::ACTIONS) != 0;
    let memory_alone = flags & flag::MEMORY != 0 && flags & flag::VFORK == 0;
    if flags & !known != 0 || is_thread && !whole_thread || !is_thread && (shares || memory_alone) {
        return Err(Errno::Invalid);
    }
    Ok(())
}

fn make_process(caller: &mut Caller<'_>, id: Id, flags: u64) -> Result<(), Errno> {
    let parent_id = caller.process_id()?;
    let borrows_memory = flags & flag::VFORK != 0;
    let space = caller.process()?.space;
    let space = if flags & flag::MEMORY == 0 {
        caller.linux.spaces.fork(caller.hardware, space)
    } else {
        space
    };
    let parent = caller.process()?;
    let child = Process {
        parent: Some(parent_id),
        group: parent.group,
        session: parent.session,
        space,
        descriptors: parent.descriptors.clone(),
        directory: parent.directory,
        umask: parent.umask,
        actions: parent.actions.clone(),
        pending: Pending::default(),
        threads: 1,
        ended: None,
        borrows_memory,
        alarm: None,
        name: parent.name.clone(),
    };
    caller.linux.tree.hold(child.directory);
    for (_, descriptor) in child.descriptors.iter() {
        caller.linux.open.retain(descriptor.open);
    }
    caller.linux.processes.insert(id, child);
    Ok(())
}

fn add_thread(
    caller: &mut Caller<'_>,
    id: Id,
    process: Id,
    arguments: &Arguments,
) -> Result<(), Errno> {
    let [flags, stack, _, thread_pointer, child_id_at, _] = *arguments;
    let mut registers = caller.registers.clone();
    registers.finish_call(0);
    if stack != 0 {
        registers.x[register::SP] = stack;
    }
    if flags & flag::THREAD_POINTER != 0 {
        registers.x[register::TP] = thread_pointer;
    }
    let mut thread = new_thread(process, registers);
    let parent = caller.thread()?;
    thread.mask = parent.mask;
    if flags & flag::THREAD == 0 {
        thread.signal_stack = parent.signal_stack;
    }
    if flags & flag::CLEAR_ID != 0 {
        thread.clears_id = child_id_at;
    }
    caller.linux.add_thread(id, thread);
    Ok(())
}

/// The caller, whose registers are behind its call, stands still until its child is on its own.
fn wait_for_child(caller: &mut Caller<'_>, child: Id) -> Outcome {
    caller.thread()?.state = State::Waiting(Wait::Vfork(child));
    Err(Stop::Elsewhere)
}

/// `exit(status)`: the thread ends.
pub fn exit_thread(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    release_id(caller)?;
    let status = ExitStatus::Exited(arguments[0] as u8);
    caller.linux.end_thread(caller.hardware, caller.thread, status);
    Err(Stop::Elsewhere)
}

/// Tells whoever joins a thread that it has ended: zero in memory, and a wake-up.
fn release_id(caller: &mut Caller<'_>) -> Result<(), Stop> {
    let address = caller.thread()?.clears_id;
    if address == 0 {
        return Ok(());
    }
    let mut user = caller.user()?;
    match user.prepare(address, 4) {
        Ok(()) => user.write(address, &[0; 4])?,
        Err(Stop::Unavailable(unavailable)) => return Err(unavailable.into()),
        // The program has unmapped it: there is nobody to tell.
        Err(_) => return Ok(()),
    }
    super::futex::wake_at(caller, address, 1, u32::MAX)?;
    Ok(())
}

/// `exit_group(status)`: the process ends.
pub fn exit(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let id = caller.process_id()?;
    let status = ExitStatus::Exited(arguments[0] as u8);
    caller.linux.end_process(caller.hardware, id, status);
    Err(Stop::Elsewhere)
}

/// `set_tid_address(address)`.
pub fn set_cleared_id(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    caller.thread()?.clears_id = arguments[0];
    Ok(u64::from(caller.thread.0))
}

/// `gettid()`.
#[allow(clippy::unnecessary_wraps, reason = "it is a handler")]
pub fn thread_id(caller: &mut Caller<'_>, _: &Arguments) -> Outcome {
    Ok(u64::from(caller.thread.0))
}

/// `getpid()`.
pub fn process_id(caller: &mut Caller<'_>, _: &Arguments) -> Outcome {
    Ok(u64::from(caller.process_id()?.0))
}

/// `getppid()`.
pub fn parent_id(caller: &mut Caller<'_>, _: &Arguments) -> Outcome {
    Ok(caller.process()?.parent.map_or(0, |parent| u64::from(parent.0)))
}

/// A process that is named by its number, 0 for the caller's.
fn named(caller: &mut Caller<'_>, number: u64) -> Result<Id, Errno> {
    let own = caller.process_id()?;
    let id = if number == 0 { own } else { Id(number as u32) };
    let is_known = caller.linux.processes.contains_key(&id);
    is_known.then_some(id).ok_or(Errno::NoProcess)
}

/// `getpgid(process)`.
pub fn group(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let id = named(caller, arguments[0])?;
    Ok(u64::from(caller.linux.processes[&id].group.0))
}

/// `setpgid(process, group)`.
pub fn set_group(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let id = named(caller, arguments[0])?;
    let group = if arguments[1] == 0 { id } else { Id(arguments[1] as u32) };
    let own = caller.process_id()?;
    let process = caller.linux.processes.get_mut(&id).ok_or(Errno::NoProcess)?;
    if id != own && process.parent != Some(own) {
        return Err(Errno::NoProcess.into());
    }
    process.group = group;
    Ok(0)
}

/// `getsid(process)`.
pub fn session(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let id = named(caller, arguments[0])?;
    Ok(u64::from(caller.linux.processes[&id].session.0))
}

/// `setsid()`.
pub fn make_session(caller: &mut Caller<'_>, _: &Arguments) -> Outcome {
    let id = caller.process_id()?;
    let process = caller.process()?;
    if process.group == id {
        return Err(Errno::NotPermitted.into());
    }
    (process.group, process.session) = (id, id);
    Ok(u64::from(id.0))
}

/// `sched_yield()`.
pub fn give_way(caller: &mut Caller<'_>, _: &Arguments) -> Outcome {
    caller.registers.finish_call(0);
    let registers = caller.registers.clone();
    caller.linux.preempt(&registers);
    Err(Stop::Elsewhere)
}
