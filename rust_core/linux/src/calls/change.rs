//! Changing the file tree.

use super::name::{at, node_at};
use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::errno::{Errno, Stop};
use crate::files::NodeId;
use crate::files::node::Kind;
use crate::files::open::Object;
use crate::files::tree::Place;
use std::collections::BTreeMap;

/// Where a name is, seen from a directory, whether or not it is taken.
fn place_at(caller: &mut Caller<'_>, directory: u64, path_at: u64) -> Result<Place, Stop> {
    let path = caller.user()?.read_string(path_at)?;
    let from = caller.base(directory, &path)?;
    Ok(caller.linux.tree.find(from, &path, false)?)
}

/// `mkdirat(directory, path, mode)`.
pub fn make_directory(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let place = place_at(caller, arguments[0], arguments[1])?;
    let umask = caller.process()?.umask;
    let mode = arguments[2] as u32 & 0o7777 & !umask;
    let now_ns = caller.now_ns();
    caller.linux.tree.create(&place, Kind::Directory(BTreeMap::new()), mode, now_ns)?;
    Ok(0)
}

/// `unlinkat(directory, path, flags)`.
pub fn remove(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let place = place_at(caller, arguments[0], arguments[1])?;
    if arguments[2] & at::REMOVE_DIRECTORY != 0 {
        let node = place.existing()?;
        if !caller.linux.tree.node(node).is_directory() {
            return Err(Errno::NotDirectory.into());
        }
        caller.linux.tree.remove_directory(&place)?;
    } else {
        caller.linux.tree.unlink(&place)?;
    }
    Ok(0)
}

/// `symlinkat(target, directory, path)`.
pub fn make_link(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let target = caller.user()?.read_string(arguments[0])?;
    if target.is_empty() {
        return Err(Errno::NoEntry.into());
    }
    let place = place_at(caller, arguments[1], arguments[2])?;
    let now_ns = caller.now_ns();
    caller.linux.tree.create(&place, Kind::Link(target), 0o777, now_ns)?;
    Ok(0)
}

/// `linkat(directory, path, directory, path, flags)`.
pub fn add_name(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [old_directory, old_at, new_directory, new_at, flags, _] = *arguments;
    let old = caller.user()?.read_string(old_at)?;
    let follow = if flags & at::FOLLOW == 0 { at::NO_FOLLOW } else { 0 };
    let node = node_at(caller, old_directory, &old, follow)?;
    let place = place_at(caller, new_directory, new_at)?;
    caller.linux.tree.link(node, &place)?;
    Ok(0)
}

/// `renameat2(directory, path, directory, path, flags)`; `renameat` has no flags.
pub fn rename(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const NO_REPLACE: u64 = 1;
    let [old_directory, old_at, new_directory, new_at, flags, _] = *arguments;
    if flags & !NO_REPLACE != 0 {
        return Err(Errno::Invalid.into());
    }
    let from = place_at(caller, old_directory, old_at)?;
    let to = place_at(caller, new_directory, new_at)?;
    caller.linux.tree.rename(&from, &to, flags == 0)?;
    Ok(0)
}

/// `renameat(directory, path, directory, path)`.
pub fn rename_without_flags(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let mut given = *arguments;
    given[4] = 0;
    rename(caller, &given)
}

/// `truncate(path, size)`.
pub fn truncate(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let path = caller.user()?.read_string(arguments[0])?;
    let from = caller.process()?.directory;
    let node = caller.linux.tree.find(from, &path, true)?.existing()?;
    resize(caller, node, arguments[1])
}

/// `ftruncate(fd, size)`.
pub fn truncate_open(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let open = caller.descriptor(arguments[0])?.open;
    let file = caller.linux.open.get(open)?;
    match file.object {
        Object::Node(node) if file.mode.write => resize(caller, node, arguments[1]),
        _ => Err(Errno::Invalid.into()),
    }
}

fn resize(caller: &mut Caller<'_>, node: NodeId, size: u64) -> Outcome {
    match caller.linux.tree.node(node).kind {
        Kind::File(_) => {}
        Kind::Directory(_) => return Err(Errno::IsDirectory.into()),
        _ => return Err(Errno::Invalid.into()),
    }
    if size >> 63 != 0 {
        return Err(Errno::Invalid.into());
    }
    caller.linux.tree.check_change(node)?;
    caller.linux.tree.load(node)?;
    let now_ns = caller.now_ns();
    caller.linux.tree.resize(node, size, now_ns)?;
    Ok(0)
}

/// `fchmodat(directory, path, mode)`.
pub fn change_mode(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let path = caller.user()?.read_string(arguments[1])?;
    let node = node_at(caller, arguments[0], &path, 0)?;
    caller.linux.tree.set_mode(node, arguments[2] as u32)?;
    Ok(0)
}

/// `fchmod(fd, mode)`.
pub fn change_mode_of_open(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let open = caller.descriptor(arguments[0])?.open;
    let Object::Node(node) = caller.linux.open.get(open)?.object else {
        return Err(Errno::Invalid.into());
    };
    caller.linux.tree.set_mode(node, arguments[1] as u32)?;
    Ok(0)
}
