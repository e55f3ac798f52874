//! Descriptors: opening, closing, copying, and what is set for them.

use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::errno::{Errno, Stop};
use crate::files::NodeId;
use crate::files::descriptors::Descriptor;
use crate::files::node::{Content, Kind};
use crate::files::open::{Mode, Object, OpenId};

/// Flags of `open`, as in `asm-generic/fcntl.h`.
pub mod flag {
    /// For writing only.
    pub const WRITE_ONLY: u64 = 1;
    /// For reading and writing.
    pub const READ_WRITE: u64 = 2;
    /// Make it if it is not there.
    pub const CREATE: u64 = 0o100;
    /// Only if it is not there.
    pub const EXCLUSIVE: u64 = 0o200;
    /// Make it empty.
    pub const TRUNCATE: u64 = 0o1000;
    /// Write to the end.
    pub const APPEND: u64 = 0o2000;
    /// Do not wait.
    pub const NONBLOCKING: u64 = 0o4000;
    /// Only a directory.
    pub const DIRECTORY: u64 = 0o200_000;
    /// No symbolic link.
    pub const NO_FOLLOW: u64 = 0o400_000;
    /// Close it on `exec`.
    pub const CLOSE_ON_EXEC: u64 = 0o2_000_000;
    /// Only a name, not the file.
    pub const PATH: u64 = 0o10_000_000;
}

/// `openat(directory, path, flags, mode)`.
pub fn open_at(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [directory, path_at, flags, mode, ..] = *arguments;
    let path = caller.user()?.read_string(path_at)?;
    let from = caller.base(directory, &path)?;
    check_room(caller)?;
    let exclusive = flags & flag::CREATE != 0 && flags & flag::EXCLUSIVE != 0;
    let follow = flags & flag::NO_FOLLOW == 0 && !exclusive;
    let place = caller.linux.tree.find(from, &path, follow)?;
    let how = mode_of(flags);
    let node = match place.node {
        Some(_) if exclusive => return Err(Errno::Exists.into()),
        Some(node) => node,
        None if flags & flag::CREATE != 0 => {
            let umask = u64::from(caller.process()?.umask);
            let now_ns = caller.now_ns();
            let kind = Kind::File(Content::Bytes(Vec::new()));
            caller.linux.tree.create(&place, kind, (mode & 0o7777 & !umask) as u32, now_ns)?
        }
        None => return Err(Errno::NoEntry.into()),
    };
    check_kind(caller, node, flags, how)?;
    if flags & flag::TRUNCATE != 0 && how.write && is_file(caller, node) {
        caller.linux.tree.load(node)?;
        let now_ns = caller.now_ns();
        caller.linux.tree.resize(node, 0, now_ns)?;
    }
    let open = caller.linux.open.open(&mut caller.linux.tree, Object::Node(node), how);
    add(caller, open, flags & flag::CLOSE_ON_EXEC != 0)
}

fn is_file(caller: &Caller<'_>, node: NodeId) -> bool {
    matches!(caller.linux.tree.node(node).kind, Kind::File(_))
}

fn mode_of(flags: u64) -> Mode {
    let access = flags & 3;
    let path = flags & flag::PATH != 0;
    Mode {
        read: access != flag::WRITE_ONLY && !path,
        write: matches!(access, flag::WRITE_ONLY | flag::READ_WRITE) && !path,
        append: flags & flag::APPEND != 0,
        nonblocking: flags & flag::NONBLOCKING != 0,
    }
}

fn check_kind(caller: &Caller<'_>, node: NodeId, flags: u64, how: Mode) -> Result<(), Errno> {
    let tree = &caller.linux.tree;
    let wants_directory = flags & flag::DIRECTORY != 0;
    match &tree.node(node).kind {
        Kind::Directory(_) if how.write || flags & flag::CREATE != 0 => Err(Errno::IsDirectory),
        Kind::Directory(_) => Ok(()),
        _ if wants_directory => Err(Errno::NotDirectory),
        Kind::Link(_) if flags & flag::PATH == 0 => Err(Errno::TooManyLinks),
        Kind::Special => Err(Errno::AccessDenied),
        _ if how.write => tree.check_change(node),
        _ => Ok(()),
    }
}

/// Refuses when the process has as many descriptors as it may.
fn check_room(caller: &mut Caller<'_>) -> Result<(), Errno> {
    let limit = caller.linux.limits.files;
    if caller.process()?.descriptors.iter().count() >= limit {
        return Err(Errno::TooManyFiles);
    }
    Ok(())
}

/// Gives an open file its lowest number; closes it if there is none.
fn add(caller: &mut Caller<'_>, open: OpenId, closes_on_exec: bool) -> Outcome {
    let limit = caller.linux.limits.files;
    let added = caller.process()?.descriptors.add(Descriptor { open, closes_on_exec }, 0, limit);
    if added.is_err() {
        caller.linux.open.release(&mut caller.linux.tree, open);
    }
    Ok(u64::from(added?))
}

/// `close(fd)`.
pub fn close(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let closed = caller.process()?.descriptors.remove(arguments[0])?;
    caller.linux.open.release(&mut caller.linux.tree, closed.open);
    Ok(0)
}

/// `dup(fd)`.
pub fn duplicate(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    copy_from(caller, arguments[0], 0, false)
}

fn copy_from(caller: &mut Caller<'_>, number: u64, least: u64, closes: bool) -> Outcome {
    let open = caller.descriptor(number)?.open;
    let limit = caller.linux.limits.files;
    let least = u32::try_from(least).ok().filter(|least| (*least as usize) < limit);
    let descriptor = Descriptor { open, closes_on_exec: closes };
    let least = least.ok_or(Errno::Invalid)?;
    let copy = caller.process()?.descriptors.add(descriptor, least, limit)?;
    caller.linux.open.retain(open);
    Ok(u64::from(copy))
}

/// `dup3(old, new, flags)`.
pub fn duplicate_to(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [old, new, flags, ..] = *arguments;
    let open = caller.descriptor(old)?.open;
    if old == new || flags & !flag::CLOSE_ON_EXEC != 0 {
        return Err(Errno::Invalid.into());
    }
    let limit = caller.linux.limits.files;
    let number = u32::try_from(new).ok().filter(|number| (*number as usize) < limit);
    let descriptor = Descriptor { open, closes_on_exec: flags != 0 };
    caller.linux.open.retain(open);
    let replaced = caller.process()?.descriptors.put(number.ok_or(Errno::BadFile)?, descriptor);
    if let Some(replaced) = replaced {
        caller.linux.open.release(&mut caller.linux.tree, replaced.open);
    }
    Ok(new)
}

/// `pipe2(numbers, flags)`.
pub fn pipe(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [numbers_at, flags, ..] = *arguments;
    if flags & !(flag::CLOSE_ON_EXEC | flag::NONBLOCKING) != 0 {
        return Err(Errno::Invalid.into());
    }
    caller.user()?.prepare(numbers_at, 8)?;
    let limit = caller.linux.limits.files;
    if caller.process()?.descriptors.iter().count() + 2 > limit {
        return Err(Errno::TooManyFiles.into());
    }
    let pipe = caller.linux.open.create_pipe();
    let nonblocking = flags & flag::NONBLOCKING != 0;
    let mut bytes = Vec::new();
    for object in [Object::PipeOut(pipe), Object::PipeIn(pipe)] {
        let read = matches!(object, Object::PipeOut(_));
        let mode = Mode { read, write: !read, append: false, nonblocking };
        let open = caller.linux.open.open(&mut caller.linux.tree, object, mode);
        let number = add(caller, open, flags & flag::CLOSE_ON_EXEC != 0)?;
        bytes.extend((number as u32).to_le_bytes());
    }
    caller.user()?.write(numbers_at, &bytes)?;
    Ok(0)
}

/// `fcntl(fd, command, argument)`.
pub fn control(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const COPY: u64 = 0;
    const GET_DESCRIPTOR: u64 = 1;
    const SET_DESCRIPTOR: u64 = 2;
    const GET_STATUS: u64 = 3;
    const SET_STATUS: u64 = 4;
    const COPY_CLOSING: u64 = 1030;
    let [number, command, argument, ..] = *arguments;
    let descriptor = caller.descriptor(number)?;
    match command {
        COPY => copy_from(caller, number, argument, false),
        COPY_CLOSING => copy_from(caller, number, argument, true),
        GET_DESCRIPTOR => Ok(u64::from(descriptor.closes_on_exec)),
        SET_DESCRIPTOR => {
            caller.process()?.descriptors.set_close_on_exec(number, argument & 1 != 0)?;
            Ok(0)
        }
        GET_STATUS => Ok(status_of(caller.linux.open.get(descriptor.open)?.mode)),
        SET_STATUS => {
            let mode = &mut caller.linux.open.get_mut(descriptor.open)?.mode;
            mode.append = argument & flag::APPEND != 0;
            mode.nonblocking = argument & flag::NONBLOCKING != 0;
            Ok(0)
        }
        _ => Err(Errno::Invalid.into()),
    }
}

fn status_of(mode: Mode) -> u64 {
    let access = match (mode.read, mode.write) {
        (true, true) => flag::READ_WRITE,
        (false, true) => flag::WRITE_ONLY,
        _ => 0,
    };
    let append = if mode.append { flag::APPEND } else { 0 };
    let nonblocking = if mode.nonblocking { flag::NONBLOCKING } else { 0 };
    access | append | nonblocking
}

/// `ioctl(fd, request, argument)`: nothing here is a terminal.
pub fn device_control(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    caller.descriptor(arguments[0])?;
    Err(Stop::Error(Errno::NotTerminal))
}
