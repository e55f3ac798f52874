//! Looking at names and directories.

use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::abi::layout::{Status, Writer, directory_entry};
use crate::errno::Errno;
use crate::files::NodeId;
use crate::files::node::{Device, Kind};
use crate::files::open::Object;

/// Flags of calls with `at` in their name (fcntl.h).
pub mod at {
    /// Do not follow a link.
    pub const NO_FOLLOW: u64 = 0x100;
    /// Remove a directory; the same bit means effective rights to `faccessat`.
    pub const REMOVE_DIRECTORY: u64 = 0x200;
    /// Follow a link.
    pub const FOLLOW: u64 = 0x400;
    /// An empty path means the directory itself.
    pub const EMPTY_PATH: u64 = 0x1000;
}

/// Types of files in the mode that `stat` tells.
mod file_type {
    pub const PIPE: u32 = 0o010_000;
    pub const DEVICE: u32 = 0o020_000;
    pub const DIRECTORY: u32 = 0o040_000;
    pub const FILE: u32 = 0o100_000;
    pub const LINK: u32 = 0o120_000;
}

/// The node that a name means, seen from a directory.
pub fn node_at(
    caller: &mut Caller<'_>,
    directory: u64,
    path: &[u8],
    flags: u64,
) -> Result<NodeId, Errno> {
    let from = caller.base(directory, path)?;
    let follow = flags & at::NO_FOLLOW == 0;
    caller.linux.tree.find(from, path, follow)?.existing()
}

fn status_of(caller: &Caller<'_>, id: NodeId) -> Status {
    let node = caller.linux.tree.node(id);
    let kind = match node.kind {
        Kind::File(_) => file_type::FILE,
        Kind::Directory(_) => file_type::DIRECTORY,
        Kind::Link(_) => file_type::LINK,
        Kind::Device(_) | Kind::Special => file_type::DEVICE,
    };
    let device = match node.kind {
        Kind::Device(found) => {
            let known = Device::ALL.iter().find(|(device, ..)| *device == found);
            known.map_or((0, 0), |(_, _, numbers)| *numbers)
        }
        _ => (0, 0),
    };
    Status {
        node: id,
        mode: kind | node.mode,
        links: node.links,
        device,
        size: node.size(),
        changed_ns: node.changed_ns,
    }
}

/// What `stat` tells of an open file.
fn status_of_open(caller: &mut Caller<'_>, number: u64) -> Result<Status, Errno> {
    let open = caller.descriptor(number)?.open;
    let kind = match caller.linux.open.get(open)?.object {
        Object::Node(node) => return Ok(status_of(caller, node)),
        // So is what a program's input and output are connected to when nobody types.
        Object::PipeIn(_) | Object::PipeOut(_) | Object::Console(_) => file_type::PIPE,
    };
    Ok(Status {
        node: NodeId(u32::MAX - 1),
        mode: kind | 0o600,
        links: 1,
        device: (0, 0),
        size: 0,
        changed_ns: 0,
    })
}

/// `fstat(fd, status)`.
pub fn status_of_file(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let status = status_of_open(caller, arguments[0])?;
    caller.user()?.write(arguments[1], &status.stat())?;
    Ok(0)
}

fn status_at(
    caller: &mut Caller<'_>,
    directory: u64,
    path_at: u64,
    flags: u64,
) -> Result<Status, crate::errno::Stop> {
    let path = caller.user()?.read_string(path_at)?;
    if path.is_empty() && flags & at::EMPTY_PATH != 0 {
        return status_of_open(caller, directory).map_err(Into::into);
    }
    let node = node_at(caller, directory, &path, flags)?;
    Ok(status_of(caller, node))
}

/// `newfstatat(directory, path, status, flags)`.
pub fn status(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [directory, path_at, status_at_, flags, ..] = *arguments;
    let status = status_at(caller, directory, path_at, flags)?;
    caller.user()?.write(status_at_, &status.stat())?;
    Ok(0)
}

/// `statx(directory, path, flags, mask, status)`.
pub fn extended_status(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [directory, path_at, flags, _, to, _] = *arguments;
    let status = status_at(caller, directory, path_at, flags)?;
    caller.user()?.write(to, &status.statx())?;
    Ok(0)
}

/// `faccessat(directory, path, mode)` and `faccessat2`: the program is the superuser.
pub fn access(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const EXECUTE: u64 = 1;
    const WRITE: u64 = 2;
    let [directory, path_at, mode, ..] = *arguments;
    let path = caller.user()?.read_string(path_at)?;
    let node = node_at(caller, directory, &path, 0)?;
    if mode & WRITE != 0 {
        caller.linux.tree.check_change(node)?;
    }
    let found = caller.linux.tree.node(node);
    if mode & EXECUTE != 0 && !found.is_directory() && found.mode & 0o111 == 0 {
        return Err(Errno::AccessDenied.into());
    }
    Ok(0)
}

/// `readlinkat(directory, path, buffer, size)`.
pub fn read_link(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [directory, path_at, buffer, size, ..] = *arguments;
    let path = caller.user()?.read_string(path_at)?;
    let node = node_at(caller, directory, &path, at::NO_FOLLOW)?;
    let Kind::Link(target) = &caller.linux.tree.node(node).kind else {
        return Err(Errno::Invalid.into());
    };
    let told: Vec<u8> = target.iter().take(size as usize).copied().collect();
    if told.is_empty() {
        return Err(Errno::Invalid.into());
    }
    caller.user()?.write(buffer, &told)?;
    Ok(told.len() as u64)
}

/// `getcwd(buffer, size)`: the length with the zero at the end.
pub fn current_directory(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let directory = caller.process()?.directory;
    let mut path = caller.linux.tree.path_of(directory)?;
    path.push(0);
    if path.len() as u64 > arguments[1] {
        return Err(Errno::Range.into());
    }
    caller.user()?.write(arguments[0], &path)?;
    Ok(path.len() as u64)
}

/// `chdir(path)`.
pub fn change_directory(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let path = caller.user()?.read_string(arguments[0])?;
    let from = caller.process()?.directory;
    let node = caller.linux.tree.find_directory(from, &path)?;
    move_to(caller, node)
}

/// `fchdir(fd)`.
pub fn change_directory_to(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let node = caller.base(arguments[0], b"")?;
    move_to(caller, node)
}

fn move_to(caller: &mut Caller<'_>, node: NodeId) -> Outcome {
    if !caller.linux.tree.node(node).is_directory() {
        return Err(Errno::NotDirectory.into());
    }
    caller.linux.tree.hold(node);
    let before = std::mem::replace(&mut caller.process()?.directory, node);
    caller.linux.tree.let_go(before);
    Ok(0)
}

/// `getdents64(fd, buffer, size)`.
pub fn entries(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [number, buffer, size, ..] = *arguments;
    let open = caller.descriptor(number)?.open;
    let file = caller.linux.open.get(open)?;
    let (Object::Node(node), position) = (file.object, file.position) else {
        return Err(Errno::NotDirectory.into());
    };
    let listed = listing(caller, node)?;
    let mut bytes = Vec::new();
    let mut told = position;
    for (name, id) in listed.iter().skip(position as usize) {
        let entry = directory_entry(*id, told + 1, entry_type(caller, *id), name);
        if (bytes.len() + entry.len()) as u64 > size {
            break;
        }
        bytes.extend(entry);
        told += 1;
    }
    if bytes.is_empty() && (position as usize) < listed.len() {
        return Err(Errno::Invalid.into());
    }
    caller.user()?.write(buffer, &bytes)?;
    caller.linux.open.get_mut(open)?.position = told;
    Ok(bytes.len() as u64)
}

/// All entries of a directory, itself and its parent first.
fn listing(caller: &mut Caller<'_>, node: NodeId) -> Result<Vec<(Vec<u8>, NodeId)>, Errno> {
    let named = caller.linux.tree.entries(node)?;
    let parent = caller.linux.tree.node(node).parent;
    let dots = [(b".".to_vec(), node), (b"..".to_vec(), parent)];
    Ok(dots.into_iter().chain(named).collect())
}

/// The type of an entry, as `getdents64` tells it: the bits of the mode.
fn entry_type(caller: &Caller<'_>, node: NodeId) -> u8 {
    (status_of(caller, node).mode >> 12) as u8
}

/// `statfs(path, status)` and `fstatfs(fd, status)`: one file system in memory.
pub fn file_system(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const TEMPORARY: u64 = 0x0102_1994;
    const BLOCK_BYTES: u64 = 4096;
    const LONGEST_NAME: u64 = 255;
    let limit = caller.linux.limits.written_bytes / BLOCK_BYTES;
    let free = limit - (caller.linux.tree.written_bytes() / BLOCK_BYTES).min(limit);
    let status = [TEMPORARY, BLOCK_BYTES, limit, free, free, 0, 0, 0, LONGEST_NAME, BLOCK_BYTES];
    let writer = status.iter().fold(Writer::default(), |writer, word| writer.u64(*word));
    caller.user()?.write(arguments[1], &writer.pad_to(120).done())?;
    Ok(0)
}

/// `umask(mask)`.
pub fn set_umask(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let mask = (arguments[0] & 0o777) as u32;
    Ok(u64::from(std::mem::replace(&mut caller.process()?.umask, mask)))
}
