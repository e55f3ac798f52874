//! Reading and writing open files.

use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::errno::{Errno, Stop};
use crate::files::NodeId;
use crate::files::node::{Device, Kind};
use crate::files::open::{Object, OpenId, Stream};
use crate::process::Wait;
use crate::signal::{Info, code, number};

/// Bytes that one call moves at most; a call may always move fewer than it was asked to.
const MOST_BYTES: u64 = 1 << 20;
/// Pieces that one call may name (`IOV_MAX`).
const MOST_PIECES: u64 = 1024;

/// `read(fd, buffer, count)`.
pub fn read(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [number, buffer, count, ..] = *arguments;
    transfer_in(caller, number, &[(buffer, count)], None)
}

/// `pread64(fd, buffer, count, offset)`.
pub fn read_at(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [number, buffer, count, offset, ..] = *arguments;
    transfer_in(caller, number, &[(buffer, count)], Some(checked_offset(offset)?))
}

/// `readv(fd, pieces, count)`.
pub fn read_pieces(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let pieces = pieces(caller, arguments[1], arguments[2])?;
    transfer_in(caller, arguments[0], &pieces, None)
}

/// `preadv(fd, pieces, count, offset)`.
pub fn read_pieces_at(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let pieces = pieces(caller, arguments[1], arguments[2])?;
    transfer_in(caller, arguments[0], &pieces, Some(checked_offset(arguments[3])?))
}

/// `write(fd, buffer, count)`.
pub fn write(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [number, buffer, count, ..] = *arguments;
    transfer_out(caller, number, &[(buffer, count)], None)
}

/// `pwrite64(fd, buffer, count, offset)`.
pub fn write_at(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [number, buffer, count, offset, ..] = *arguments;
    transfer_out(caller, number, &[(buffer, count)], Some(checked_offset(offset)?))
}

/// `writev(fd, pieces, count)`.
pub fn write_pieces(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let pieces = pieces(caller, arguments[1], arguments[2])?;
    transfer_out(caller, arguments[0], &pieces, None)
}

/// `pwritev(fd, pieces, count, offset)`.
pub fn write_pieces_at(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let pieces = pieces(caller, arguments[1], arguments[2])?;
    transfer_out(caller, arguments[0], &pieces, Some(checked_offset(arguments[3])?))
}

fn checked_offset(offset: u64) -> Result<u64, Errno> {
    if offset >> 63 == 0 { Ok(offset) } else { Err(Errno::Invalid) }
}

/// The pieces of a scattered transfer: address and length of each.
fn pieces(caller: &mut Caller<'_>, address: u64, count: u64) -> Result<Vec<(u64, u64)>, Stop> {
    if count > MOST_PIECES {
        return Err(Errno::Invalid.into());
    }
    let mut user = caller.user()?;
    let mut found = Vec::new();
    for index in 0..count {
        let at = address.wrapping_add(index * 16);
        found.push((user.read_u64(at)?, user.read_u64(at.wrapping_add(8))?));
    }
    Ok(found)
}

/// Cuts pieces to what one call moves.
fn cut(pieces: &[(u64, u64)]) -> Result<Vec<(u64, usize)>, Errno> {
    let mut left = MOST_BYTES;
    let mut kept = Vec::new();
    for (address, length) in pieces {
        if length >> 63 != 0 {
            return Err(Errno::Invalid);
        }
        let taken = (*length).min(left);
        left -= taken;
        kept.push((*address, taken as usize));
    }
    Ok(kept)
}

fn transfer_in(
    caller: &mut Caller<'_>,
    number: u64,
    pieces: &[(u64, u64)],
    offset: Option<u64>,
) -> Outcome {
    let open = caller.descriptor(number)?.open;
    if !caller.linux.open.get(open)?.mode.read {
        return Err(Errno::BadFile.into());
    }
    let pieces = cut(pieces)?;
    let wanted: usize = pieces.iter().map(|(_, length)| length).sum();
    let available = check_readable(caller, open, offset, wanted)?;
    let mut left = wanted.min(available);
    for (address, length) in &pieces {
        let taken = (*length).min(left);
        caller.user()?.prepare(*address, taken as u64)?;
        left -= taken;
    }
    let bytes = take(caller, open, offset, wanted)?;
    let mut done = 0;
    for (address, length) in pieces {
        let taken = length.min(bytes.len() - done);
        caller.user()?.write(address, &bytes[done..done + taken])?;
        done += taken;
    }
    Ok(done as u64)
}

/// How many bytes there are to read; waits for the first.
fn check_readable(
    caller: &mut Caller<'_>,
    open: OpenId,
    offset: Option<u64>,
    wanted: usize,
) -> Result<usize, Stop> {
    let file = caller.linux.open.get(open)?;
    let (object, position) = (file.object, offset.unwrap_or(file.position));
    let nonblocking = file.mode.nonblocking;
    match object {
        Object::Node(node) => return node_size(caller, node, position, wanted).map_err(Stop::from),
        _ if offset.is_some() => return Err(Errno::IllegalSeek.into()),
        Object::PipeIn(_) => return Err(Errno::BadFile.into()),
        Object::PipeOut(_) | Object::Console(_) => {}
    }
    if wanted > 0 && !caller.linux.open.is_readable(open) {
        let wait = Wait::Readable(open);
        caller.linux.open.note_miss(open);
        return Err(if nonblocking { Errno::Again.into() } else { Stop::Wait(wait) });
    }
    Ok(match object {
        Object::PipeOut(pipe) => caller.linux.open.pipe(pipe).filled(),
        _ => caller.linux.open.input.len(),
    })
}

/// How many bytes a node has from a position on.
fn node_size(
    caller: &mut Caller<'_>,
    node: NodeId,
    position: u64,
    wanted: usize,
) -> Result<usize, Errno> {
    match &caller.linux.tree.node(node).kind {
        Kind::File(_) => {
            caller.linux.tree.load(node)?;
            let size = caller.linux.tree.node(node).size();
            Ok(usize::try_from(size.saturating_sub(position)).unwrap_or(usize::MAX))
        }
        Kind::Device(Device::Null) => Ok(0),
        Kind::Device(_) => Ok(wanted),
        Kind::Directory(_) => Err(Errno::IsDirectory),
        Kind::Link(_) | Kind::Special => Err(Errno::Invalid),
    }
}

/// Takes up to `wanted` bytes out of an open file.
fn take(
    caller: &mut Caller<'_>,
    open: OpenId,
    offset: Option<u64>,
    wanted: usize,
) -> Result<Vec<u8>, Errno> {
    let file = caller.linux.open.get(open)?;
    let (object, position) = (file.object, offset.unwrap_or(file.position));
    let bytes = match object {
        Object::Node(node) => read_node(caller, node, position, wanted),
        Object::PipeOut(pipe) => caller.linux.open.pipe(pipe).take(wanted),
        Object::Console(_) => {
            let length = wanted.min(caller.linux.open.input.len());
            caller.linux.open.input.drain(..length).collect()
        }
        Object::PipeIn(_) => Vec::new(),
    };
    if offset.is_none() {
        caller.linux.open.get_mut(open)?.position += bytes.len() as u64;
    }
    Ok(bytes)
}

fn read_node(caller: &mut Caller<'_>, node: NodeId, position: u64, wanted: usize) -> Vec<u8> {
    let mut bytes = vec![0; wanted];
    match caller.linux.tree.node(node).kind {
        Kind::Device(Device::Random) => fill_randomly(caller, &mut bytes),
        Kind::Device(Device::Null) => bytes.clear(),
        Kind::Device(_) => {}
        _ => {
            let length = caller.linux.tree.read(node, position, &mut bytes);
            bytes.truncate(length);
        }
    }
    bytes
}

/// Fills a buffer with random bytes.
pub fn fill_randomly(caller: &mut Caller<'_>, buffer: &mut [u8]) {
    for part in buffer.chunks_mut(8) {
        let value = caller.random().to_le_bytes();
        part.copy_from_slice(&value[..part.len()]);
    }
}

fn transfer_out(
    caller: &mut Caller<'_>,
    number: u64,
    pieces: &[(u64, u64)],
    offset: Option<u64>,
) -> Outcome {
    let open = caller.descriptor(number)?.open;
    let file = caller.linux.open.get(open)?;
    if !file.mode.write {
        return Err(Errno::BadFile.into());
    }
    if offset.is_some() && !matches!(file.object, Object::Node(_)) {
        return Err(Errno::IllegalSeek.into());
    }
    let mut bytes = Vec::new();
    for (address, length) in cut(pieces)? {
        let start = bytes.len();
        bytes.resize(start + length, 0);
        caller.user()?.read(address, &mut bytes[start..])?;
    }
    put(caller, open, offset, &bytes)
}

/// Writes bytes to an open file; tells how many.
pub fn put(caller: &mut Caller<'_>, open: OpenId, offset: Option<u64>, bytes: &[u8]) -> Outcome {
    match caller.linux.open.get(open)?.object {
        Object::Node(node) => write_node(caller, open, node, offset, bytes),
        Object::PipeIn(_) => write_pipe(caller, open, bytes),
        Object::Console(stream) if stream != Stream::Input => {
            caller.linux.open.tell(stream, bytes);
            Ok(bytes.len() as u64)
        }
        Object::PipeOut(_) | Object::Console(_) => Err(Errno::BadFile.into()),
    }
}

fn write_node(
    caller: &mut Caller<'_>,
    open: OpenId,
    node: NodeId,
    offset: Option<u64>,
    bytes: &[u8],
) -> Outcome {
    match caller.linux.tree.node(node).kind {
        Kind::Device(Device::Full) => return Err(Errno::NoSpace.into()),
        Kind::Device(_) => return Ok(bytes.len() as u64),
        _ => {}
    }
    caller.linux.tree.load(node)?;
    let now_ns = caller.now_ns();
    let size = caller.linux.tree.node(node).size();
    let file = caller.linux.open.get_mut(open)?;
    let at = if file.mode.append { size } else { offset.unwrap_or(file.position) };
    if !bytes.is_empty() {
        caller.linux.tree.write(node, at, bytes, now_ns)?;
    }
    if offset.is_none() {
        caller.linux.open.get_mut(open)?.position = at + bytes.len() as u64;
    }
    Ok(bytes.len() as u64)
}

fn write_pipe(caller: &mut Caller<'_>, open: OpenId, bytes: &[u8]) -> Outcome {
    let file = caller.linux.open.get(open)?;
    let (Object::PipeIn(id), nonblocking) = (file.object, file.mode.nonblocking) else {
        return Err(Errno::BadFile.into());
    };
    let pipe = caller.linux.open.pipe(id);
    if pipe.readers == 0 {
        let info = Info { code: code::KERNEL, ..Info::default() };
        caller.linux.send_to_thread(caller.thread, number::PIPE, info);
        return Err(Errno::BrokenPipe.into());
    }
    let accepted = pipe.accepts(bytes.len());
    if accepted == 0 && !bytes.is_empty() {
        return Err(if nonblocking {
            Errno::Again.into()
        } else {
            Stop::Wait(Wait::Writable(open))
        });
    }
    pipe.put(&bytes[..accepted]);
    Ok(accepted as u64)
}

/// `sendfile(out, in, offset, count)`: as much as the pipe or file takes at once.
pub fn send_file(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [to, from, offset_at, count, ..] = *arguments;
    let (to, from) = (caller.descriptor(to)?.open, caller.descriptor(from)?.open);
    let file = caller.linux.open.get(from)?;
    let Object::Node(node) = file.object else { return Err(Errno::Invalid.into()) };
    let mut position = file.position;
    if offset_at != 0 {
        position = caller.user()?.read_u64(offset_at)?;
        caller.user()?.prepare(offset_at, 8)?;
    }
    let wanted = count.min(MOST_BYTES) as usize;
    let available = node_size(caller, node, position, wanted)?;
    let bytes = read_node(caller, node, position, wanted.min(available));
    let sent = put(caller, to, None, &bytes)?;
    if offset_at == 0 {
        caller.linux.open.get_mut(from)?.position = position + sent;
    } else {
        caller.user()?.write(offset_at, &(position + sent).to_le_bytes())?;
    }
    Ok(sent)
}

/// `lseek(fd, offset, whence)`.
pub fn seek(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let open = caller.descriptor(arguments[0])?.open;
    let file = caller.linux.open.get(open)?;
    let Object::Node(node) = file.object else { return Err(Errno::IllegalSeek.into()) };
    if matches!(caller.linux.tree.node(node).kind, Kind::Device(_)) {
        // Devices have no position.
        return Ok(0);
    }
    let base = match arguments[2] {
        0 => 0,
        1 => file.position,
        2 => caller.linux.tree.node(node).size(),
        _ => return Err(Errno::Invalid.into()),
    };
    let target = i128::from(base) + i128::from(arguments[1] as i64);
    let position = i64::try_from(target).ok().filter(|at| *at >= 0).ok_or(Errno::Invalid)?;
    caller.linux.open.get_mut(open)?.position = position as u64;
    Ok(position as u64)
}

/// `fsync(fd)`: what was written is as durable as it will be.
pub fn synchronise(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let open = caller.descriptor(arguments[0])?.open;
    match caller.linux.open.get(open)?.object {
        Object::Node(_) => Ok(0),
        _ => Err(Errno::Invalid.into()),
    }
}
