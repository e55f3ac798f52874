//! Executing a program.

use super::{Caller, Outcome};
use crate::abi::{Arguments, Registers, register};
use crate::errno::{Errno, Stop};
use crate::files::NodeId;
use crate::files::node::{Content, Kind, Node};
use crate::files::tree::ROOT;
use crate::hardware::{Rights, SpaceId};
use crate::image::{self, Program, STACK_BYTES, STACK_TOP, TRAMPOLINE, TRAMPOLINE_CODE};
use crate::memory::PAGE_BYTES;
use crate::memory::region::{Region, Source};
use crate::memory::user::User;

/// Arguments and variables that a call may name.
const MOST_STRINGS: usize = 4096;

/// `execve(path, arguments, environment)`.
pub fn call(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [path_at, arguments_at, environment_at, ..] = *arguments;
    let path = caller.user()?.read_string(path_at)?;
    let given = strings(caller, arguments_at)?;
    let environment = strings(caller, environment_at)?;
    execute(caller, &path, &given, &environment)?;
    Err(Stop::Elsewhere)
}

/// The strings behind pointers up to a null pointer.
fn strings(caller: &mut Caller<'_>, address: u64) -> Result<Vec<Vec<u8>>, Stop> {
    let mut found = Vec::new();
    if address == 0 {
        return Ok(found);
    }
    loop {
        let at = address.wrapping_add(found.len() as u64 * 8);
        let pointer = caller.user()?.read_u64(at)?;
        if pointer == 0 {
            break;
        }
        if found.len() >= MOST_STRINGS {
            return Err(Errno::ArgumentsTooLong.into());
        }
        found.push(caller.user()?.read_string(pointer)?);
    }
    Ok(found)
}

/// Replaces the program of the process that calls. The registers are then those of the new one.
pub fn execute(
    caller: &mut Caller<'_>,
    path: &[u8],
    arguments: &[Vec<u8>],
    environment: &[Vec<u8>],
) -> Result<(), Stop> {
    let node = find(caller, path)?;
    caller.linux.tree.load(node)?;
    let bytes = caller.linux.tree.bytes(node).ok_or(Errno::AccessDenied)?;
    let program = Program::read(bytes)?;
    let seed = caller.linux.random;
    let mut random = [0; 16];
    super::file::fill_randomly(caller, &mut random);
    let given = image::Arguments { path, arguments, environment, random };
    let (sp, stack) = image::stack(&program, &given)?;
    let space = caller.linux.spaces.create();
    map_program(caller, space, node, &program);
    if let Err(stop) = fill_stack(caller, space, sp, &stack) {
        caller.linux.spaces.end(caller.hardware, space);
        caller.linux.random = seed;
        return Err(stop);
    }
    caller.linux.tree.hold(node);
    let mut registers = Registers { pc: program.entry, ..Registers::default() };
    registers.x[register::SP] = sp;
    replace(caller, space, path)?;
    *caller.registers = registers;
    Ok(())
}

/// The file of a program, which must be one that may be executed.
fn find(caller: &mut Caller<'_>, path: &[u8]) -> Result<NodeId, Errno> {
    let from = caller.process()?.directory;
    let node = caller.linux.tree.find(from, path, true)?.existing()?;
    let found = caller.linux.tree.node(node);
    match found.kind {
        Kind::File(_) if found.mode & 0o111 != 0 => Ok(node),
        _ => Err(Errno::AccessDenied),
    }
}

fn map_program(caller: &mut Caller<'_>, space: SpaceId, node: NodeId, program: &Program) {
    for segment in &program.segments {
        let source = Source::File { node, offset: segment.offset, end: segment.file_end };
        let region = Region { end: segment.end, rights: segment.rights, source };
        caller.linux.spaces.map(caller.hardware, space, segment.start, region);
    }
    let rights = Rights { read: true, write: true, execute: false };
    let stack = Region { end: STACK_TOP, rights, source: Source::Zeros };
    caller.linux.spaces.map(caller.hardware, space, STACK_TOP - STACK_BYTES, stack);
    let code = trampoline(caller);
    let rights = Rights { read: true, write: false, execute: true };
    let source = Source::File { node: code, offset: 0, end: TRAMPOLINE_CODE.len() as u64 };
    let region = Region { end: TRAMPOLINE + PAGE_BYTES, rights, source };
    caller.linux.spaces.map(caller.hardware, space, TRAMPOLINE, region);
    let heap = program.end();
    caller.linux.spaces.set_heap(space, (heap, heap));
}

/// A file without a name that holds the code that returns from signals.
fn trampoline(caller: &mut Caller<'_>) -> NodeId {
    caller.linux.tree.unnamed(|| {
        let content = Content::Bytes(TRAMPOLINE_CODE.to_vec());
        Node::new(Kind::File(content), 0o444, ROOT, 0)
    })
}

fn fill_stack(caller: &mut Caller<'_>, space: SpaceId, sp: u64, stack: &[u8]) -> Result<(), Stop> {
    let spaces = &mut caller.linux.spaces;
    let contents = &caller.linux.tree;
    User { spaces, contents, hardware: caller.hardware, space }.write(sp, stack)
}

/// Gives the process its new memory and ends what does not outlive a program.
fn replace(caller: &mut Caller<'_>, space: SpaceId, path: &[u8]) -> Result<(), Stop> {
    let (id, thread) = (caller.process_id()?, caller.thread);
    caller.linux.end_other_threads(id, Some(thread));
    let process = caller.process()?;
    let before = std::mem::replace(&mut process.space, space);
    process.borrows_memory = false;
    process.actions.reset();
    process.name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path).to_vec();
    let closed = process.descriptors.take_closed_on_exec();
    for descriptor in closed {
        caller.linux.open.release(&mut caller.linux.tree, descriptor.open);
    }
    let thread = caller.thread()?;
    thread.clears_id = 0;
    thread.signal_stack = (0, 0);
    caller.linux.end_space_if_unused(caller.hardware, before);
    Ok(())
}
