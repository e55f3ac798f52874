//! Mapping memory.

use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::errno::Errno;
use crate::files::node::{Device, Kind};
use crate::files::open::Object;
use crate::hardware::{Rights, SpaceId};
use crate::image::STACK_BYTES;
use crate::image::STACK_TOP;
use crate::memory::region::{Region, Source};
use crate::memory::space::{HIGHEST, LOWEST};
use crate::memory::{PAGE_BYTES, page_end};

/// Flags of `mmap`.
mod flag {
    pub const SHARED: u64 = 1;
    pub const PRIVATE: u64 = 2;
    pub const KIND: u64 = 0xf;
    pub const FIXED: u64 = 0x10;
    pub const ANONYMOUS: u64 = 0x20;
    pub const FIXED_NO_REPLACE: u64 = 0x10_0000;
}

/// Where mappings are put for which no address is asked: below the stack.
const BELOW: u64 = STACK_TOP - STACK_BYTES - PAGE_BYTES;

fn rights_of(protection: u64) -> Rights {
    // Hardware has no page that can be written and not read.
    Rights { read: protection & 3 != 0, write: protection & 2 != 0, execute: protection & 4 != 0 }
}

/// A range of whole pages within a program's addresses.
fn range(address: u64, length: u64) -> Result<(u64, u64), Errno> {
    if !address.is_multiple_of(PAGE_BYTES) || length == 0 {
        return Err(Errno::Invalid);
    }
    let end = address.checked_add(length).and_then(page_end).ok_or(Errno::NoMemory)?;
    if end > HIGHEST { Err(Errno::NoMemory) } else { Ok((address, end)) }
}

/// Refuses more address space than a process may map.
fn check_limit(caller: &mut Caller<'_>, space: SpaceId, more: u64) -> Result<(), Errno> {
    let mapped = caller.linux.spaces.get(space).mapped_bytes();
    if mapped.saturating_add(more) > caller.linux.limits.mapped_bytes {
        return Err(Errno::NoMemory);
    }
    Ok(())
}

/// `mmap(address, length, protection, flags, fd, offset)`.
pub fn map(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [wished, length, protection, flags, number, offset] = *arguments;
    if length == 0 || !offset.is_multiple_of(PAGE_BYTES) {
        return Err(Errno::Invalid.into());
    }
    let length = page_end(length).ok_or(Errno::NoMemory)?;
    let space = caller.process()?.space;
    check_limit(caller, space, length)?;
    let start = place(caller, space, wished, length, flags)?;
    let source = source_of(caller, flags, protection, number, offset)?;
    let region = Region { end: start + length, rights: rights_of(protection), source };
    caller.linux.spaces.map(caller.hardware, space, start, region);
    Ok(start)
}

fn place(
    caller: &mut Caller<'_>,
    space: SpaceId,
    wished: u64,
    length: u64,
    flags: u64,
) -> Result<u64, Errno> {
    let found = caller.linux.spaces.get(space);
    if flags & (flag::FIXED | flag::FIXED_NO_REPLACE) != 0 {
        let (start, end) = range(wished, length)?;
        if start < LOWEST {
            return Err(Errno::NotPermitted);
        }
        if flags & flag::FIXED_NO_REPLACE != 0 && !found.is_free(start, end) {
            return Err(Errno::Exists);
        }
        return Ok(start);
    }
    let hint = range(wished & !(PAGE_BYTES - 1), length).ok();
    match hint.filter(|(start, end)| *start >= LOWEST && found.is_free(*start, *end)) {
        Some((start, _)) => Ok(start),
        None => found.free_range(length, BELOW).ok_or(Errno::NoMemory),
    }
}

fn source_of(
    caller: &mut Caller<'_>,
    flags: u64,
    protection: u64,
    number: u64,
    offset: u64,
) -> Result<Source, Errno> {
    let shared = match flags & flag::KIND {
        flag::SHARED => true,
        flag::PRIVATE => false,
        _ => return Err(Errno::Invalid),
    };
    if flags & flag::ANONYMOUS != 0 {
        return Ok(zeros(caller, shared));
    }
    let open = caller.descriptor(number)?.open;
    let file = caller.linux.open.get(open)?;
    let Object::Node(node) = file.object else { return Err(Errno::AccessDenied) };
    if !file.mode.read {
        return Err(Errno::AccessDenied);
    }
    match caller.linux.tree.node(node).kind {
        Kind::File(_) => {}
        Kind::Device(Device::Zero) => return Ok(zeros(caller, shared)),
        _ => return Err(Errno::AccessDenied),
    }
    if shared && rights_of(protection).write {
        // Stores that change a file are not offered: EINVAL, as from a file system without them.
        return Err(Errno::Invalid);
    }
    caller.linux.tree.load(node)?;
    // What is mapped keeps its content, also when its last name goes.
    caller.linux.tree.hold(node);
    Ok(Source::File { node, offset, end: u64::MAX })
}

fn zeros(caller: &mut Caller<'_>, shared: bool) -> Source {
    if shared {
        Source::Shared { object: caller.linux.spaces.create_object(), offset: 0 }
    } else {
        Source::Zeros
    }
}

/// `munmap(address, length)`.
pub fn unmap(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let (start, end) = range(arguments[0], arguments[1]).map_err(|_| Errno::Invalid)?;
    let space = caller.process()?.space;
    caller.linux.spaces.unmap(caller.hardware, space, start, end);
    Ok(0)
}

/// `mprotect(address, length, protection)`.
pub fn protect(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [address, length, protection, ..] = *arguments;
    if length == 0 && address.is_multiple_of(PAGE_BYTES) {
        return Ok(0);
    }
    let (start, end) = range(address, length)?;
    let space = caller.process()?.space;
    if !caller.linux.spaces.get(space).is_mapped(start, end) {
        return Err(Errno::NoMemory.into());
    }
    caller.linux.spaces.protect(caller.hardware, space, start, end, rights_of(protection));
    Ok(0)
}

/// `mremap(address, old length, new length, flags)`.
pub fn remap(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const MAY_MOVE: u64 = 1;
    let [address, old_length, new_length, flags, ..] = *arguments;
    if flags & !MAY_MOVE != 0 {
        return Err(Errno::Invalid.into());
    }
    let (start, end) = range(address, old_length)?;
    let new_length = page_end(new_length).filter(|length| *length > 0).ok_or(Errno::Invalid)?;
    let space = caller.process()?.space;
    let found = caller.linux.spaces.get(space).region(start);
    let (first, region) = found.filter(|(_, region)| end <= region.end).ok_or(Errno::BadAddress)?;
    let old_length = end - start;
    if new_length <= old_length {
        caller.linux.spaces.unmap(caller.hardware, space, start + new_length, end);
        return Ok(start);
    }
    check_limit(caller, space, new_length - old_length)?;
    let grown = start.checked_add(new_length).filter(|grown| *grown <= HIGHEST);
    if let Some(grown) = grown
        && end == region.end
        && caller.linux.spaces.get(space).is_free(end, grown)
    {
        let source = region.source.advanced(end - first);
        let more = Region { end: grown, source, ..region };
        caller.linux.spaces.map(caller.hardware, space, end, more);
        return Ok(start);
    }
    if flags & MAY_MOVE == 0 {
        return Err(Errno::NoMemory.into());
    }
    let free = caller.linux.spaces.get(space).free_range(new_length, BELOW);
    let target = free.ok_or(Errno::NoMemory)?;
    let source = region.source.advanced(start - first);
    let moved = Region { end: target + new_length, source, ..region };
    caller.linux.spaces.map(caller.hardware, space, target, moved);
    caller.linux.spaces.move_pages(caller.hardware, space, (start, end), target);
    caller.linux.spaces.unmap(caller.hardware, space, start, end);
    Ok(target)
}

/// `madvise(address, length, advice)`: only DONTNEED does anything.
pub fn advise(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const NOT_NEEDED: u64 = 4;
    let [address, length, advice, ..] = *arguments;
    if length == 0 {
        return Ok(0);
    }
    let (start, end) = range(address, length)?;
    let space = caller.process()?.space;
    if !caller.linux.spaces.get(space).is_mapped(start, end) {
        return Err(Errno::NoMemory.into());
    }
    if advice == NOT_NEEDED {
        caller.linux.spaces.forget_pages(caller.hardware, space, start, end);
    }
    Ok(0)
}

/// `brk(end)`: the end of the heap afterwards.
pub fn set_heap_end(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let space = caller.process()?.space;
    let (start, end) = caller.linux.spaces.get(space).heap;
    let wished = arguments[0];
    let (Some(before), Some(after)) = (page_end(end), page_end(wished)) else { return Ok(end) };
    if wished < start || after > BELOW {
        return Ok(end);
    }
    if after < before {
        caller.linux.spaces.unmap(caller.hardware, space, after, before);
    } else if after > before {
        let free = caller.linux.spaces.get(space).is_free(before, after);
        if !free || check_limit(caller, space, after - before).is_err() {
            return Ok(end);
        }
        let rights = Rights { read: true, write: true, execute: false };
        let region = Region { end: after, rights, source: Source::Zeros };
        caller.linux.spaces.map(caller.hardware, space, before, region);
    }
    caller.linux.spaces.set_heap(space, (start, wished));
    Ok(wished)
}
