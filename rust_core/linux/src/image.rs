//! Programs: static ELF files for RV64, and the stack that they start with.
//!
//! System V ABI, "Program Loading"; what the stack holds is in Linux's `binfmt_elf` and in the
//! RISC-V psABI, "Process Initialization": the argument count, the pointers to arguments and
//! environment, and the auxiliary vector.

use crate::errno::Errno;
use crate::hardware::Rights;
use crate::memory::{PAGE_BYTES, page_base, page_end};
use object::LittleEndian;
use object::elf::{
    ELFCLASS64, ELFDATA2LSB, EM_RISCV, ET_DYN, ET_EXEC, FileHeader64, PF_R, PF_W, PF_X, PT_INTERP,
    PT_LOAD, ProgramHeader64,
};
use object::read::elf::{FileHeader, ProgramHeader};

/// Where a program that can be anywhere is put.
const FREE_BASE: u64 = 0x10_0000_0000;
/// The first address behind the stack.
pub const STACK_TOP: u64 = 0x3f_ffff_0000;
/// Bytes of the stack.
pub const STACK_BYTES: u64 = 8 << 20;
/// Where the code is that returns from a signal's handler: above the stack.
pub const TRAMPOLINE: u64 = 0x3f_ffff_1000;
/// That code: load the number of `rt_sigreturn`, call.
pub const TRAMPOLINE_CODE: [u8; 8] = [0x93, 0x08, 0xb0, 0x08, 0x73, 0x00, 0x00, 0x00];
/// Bytes that arguments and environment may take together.
const LONGEST_ARGUMENTS: usize = 128 << 10;

/// A segment of a program.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Segment {
    /// The address of its first page.
    pub start: u64,
    /// The first address behind its last page.
    pub end: u64,
    /// Where in the file the first page begins.
    pub offset: u64,
    /// Where in the file its content ends.
    pub file_end: u64,
    /// What the program may do with it.
    pub rights: Rights,
}

/// A program as its file describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Program {
    /// In the order of the file.
    pub segments: Vec<Segment>,
    /// Where it starts.
    pub entry: u64,
    /// Where its program headers are in memory, the size of one, and how many there are.
    pub headers: (u64, u64, u64),
}

impl Program {
    /// The first address behind all segments.
    pub fn end(&self) -> u64 {
        self.segments.iter().map(|segment| segment.end).max().unwrap_or(0)
    }

    /// Reads a file.
    pub fn read(file: &[u8]) -> Result<Self, Errno> {
        let endian = LittleEndian;
        let header = FileHeader64::<LittleEndian>::parse(file).map_err(|_| Errno::NotExecutable)?;
        let kind = header.e_type(endian);
        let identity = header.e_ident();
        let fits = identity.class == ELFCLASS64
            && identity.data == ELFDATA2LSB
            && header.e_machine(endian) == EM_RISCV
            && matches!(kind, ET_EXEC | ET_DYN);
        let headers = header.program_headers(endian, file).map_err(|_| Errno::NotExecutable)?;
        let is_dynamic = headers.iter().any(|each| each.p_type(endian) == PT_INTERP);
        if !fits || is_dynamic {
            return Err(Errno::NotExecutable);
        }
        let base = if kind == ET_DYN { FREE_BASE } else { 0 };
        let loaded = headers
            .iter()
            .filter(|each| each.p_type(endian) == PT_LOAD && each.p_memsz(endian) > 0);
        let segments: Vec<_> = loaded.map(|each| segment(each, base)).collect::<Result<_, _>>()?;
        let program = Self {
            entry: header.e_entry(endian).wrapping_add(base),
            headers: (
                address_of_headers(header.e_phoff(endian), &segments),
                u64::from(header.e_phentsize(endian)),
                headers.len() as u64,
            ),
            segments,
        };
        program.check()?;
        Ok(program)
    }

    /// Refuses segments that overlap, or leave no room for the stack.
    fn check(&self) -> Result<(), Errno> {
        let mut sorted = self.segments.clone();
        sorted.sort_by_key(|segment| segment.start);
        let apart = sorted.windows(2).all(|pair| pair[0].end <= pair[1].start);
        let low = sorted.first().is_some_and(|first| first.start >= crate::memory::space::LOWEST);
        if apart && low && self.end() < STACK_TOP - STACK_BYTES {
            Ok(())
        } else {
            Err(Errno::NotExecutable)
        }
    }
}

fn segment(header: &ProgramHeader64<LittleEndian>, base: u64) -> Result<Segment, Errno> {
    let endian = LittleEndian;
    let address = header.p_vaddr(endian).checked_add(base).ok_or(Errno::NotExecutable)?;
    let offset = header.p_offset(endian);
    let end = address.checked_add(header.p_memsz(endian)).and_then(page_end);
    let file_end = offset.checked_add(header.p_filesz(endian));
    let (Some(end), Some(file_end)) = (end, file_end) else { return Err(Errno::NotExecutable) };
    if address % PAGE_BYTES != offset % PAGE_BYTES {
        return Err(Errno::NotExecutable);
    }
    let flags = header.p_flags(endian);
    let rights = Rights {
        read: flags & (PF_R | PF_W) != 0,
        write: flags & PF_W != 0,
        execute: flags & PF_X != 0,
    };
    Ok(Segment { start: page_base(address), end, offset: page_base(offset), file_end, rights })
}

/// Where in memory the program headers are: in the segment that holds them.
fn address_of_headers(offset: u64, segments: &[Segment]) -> u64 {
    let holds = |each: &&Segment| (each.offset..each.file_end).contains(&offset);
    segments.iter().find(holds).map_or(0, |each| each.start + (offset - each.offset))
}

/// Types of entries of the auxiliary vector (getauxval(3)).
mod auxiliary {
    pub const NULL: u64 = 0;
    pub const HEADERS: u64 = 3;
    pub const HEADER_BYTES: u64 = 4;
    pub const HEADER_COUNT: u64 = 5;
    pub const PAGE_BYTES: u64 = 6;
    pub const ENTRY: u64 = 9;
    pub const USER: u64 = 11;
    pub const EFFECTIVE_USER: u64 = 12;
    pub const GROUP: u64 = 13;
    pub const EFFECTIVE_GROUP: u64 = 14;
    pub const CAPABILITIES: u64 = 16;
    pub const TICKS: u64 = 17;
    pub const SECURE: u64 = 23;
    pub const RANDOM: u64 = 25;
    pub const FILE_NAME: u64 = 31;
}

/// The letters I, M, A, F, D and C, as bits.
const CAPABILITIES: u64 = 1 << 8 | 1 << 12 | 1 | 1 << 5 | 1 << 3 | 1 << 2;

/// What a program is started with.
#[derive(Clone, Debug)]
pub struct Arguments<'a> {
    /// The path under which it was found.
    pub path: &'a [u8],
    /// Its arguments, the first of which is its name.
    pub arguments: &'a [Vec<u8>],
    /// `NAME=value`.
    pub environment: &'a [Vec<u8>],
    /// Bytes that it may use as a secret.
    pub random: [u8; 16],
}

/// What the stack holds at first: the stack pointer, and the bytes from there to [`STACK_TOP`].
pub fn stack(program: &Program, given: &Arguments<'_>) -> Result<(u64, Vec<u8>), Errno> {
    let texts = || given.arguments.iter().chain(given.environment).map(Vec::as_slice);
    let length: usize = texts().map(|text| text.len() + 9).sum();
    if length + given.path.len() > LONGEST_ARGUMENTS {
        return Err(Errno::ArgumentsTooLong);
    }
    let mut strings = given.random.to_vec();
    let mut offsets = Vec::new();
    for text in texts().chain([given.path]) {
        offsets.push(strings.len() as u64);
        strings.extend_from_slice(text);
        strings.push(0);
    }
    let strings_at = (STACK_TOP - strings.len() as u64) & !15;
    let mut pointers = offsets.iter().map(|offset| strings_at + offset);
    let mut words = vec![given.arguments.len() as u64];
    words.extend(pointers.by_ref().take(given.arguments.len()));
    words.push(0);
    words.extend(pointers.by_ref().take(given.environment.len()));
    words.push(0);
    for (kind, value) in vector(program, strings_at, pointers.next().unwrap_or(0)) {
        words.extend([kind, value]);
    }
    let sp = (strings_at - words.len() as u64 * 8) & !15;
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize((strings_at - sp) as usize, 0);
    bytes.extend(strings);
    Ok((sp, bytes))
}

fn vector(program: &Program, random: u64, path: u64) -> [(u64, u64); 15] {
    let (headers, size, count) = program.headers;
    [
        (auxiliary::HEADERS, headers),
        (auxiliary::HEADER_BYTES, size),
        (auxiliary::HEADER_COUNT, count),
        (auxiliary::PAGE_BYTES, PAGE_BYTES),
        (auxiliary::ENTRY, program.entry),
        (auxiliary::USER, 0),
        (auxiliary::EFFECTIVE_USER, 0),
        (auxiliary::GROUP, 0),
        (auxiliary::EFFECTIVE_GROUP, 0),
        (auxiliary::CAPABILITIES, CAPABILITIES),
        (auxiliary::TICKS, 100),
        (auxiliary::SECURE, 0),
        (auxiliary::RANDOM, random),
        (auxiliary::FILE_NAME, path),
        (auxiliary::NULL, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        Program { segments: Vec::new(), entry: 0x1_0100, headers: (0x1_0040, 56, 2) }
    }

    fn word(bytes: &[u8], index: usize) -> u64 {
        u64::from_le_bytes(bytes[index * 8..index * 8 + 8].try_into().unwrap())
    }

    #[test]
    fn the_stack_begins_with_the_arguments_and_is_aligned() {
        let arguments = [b"echo".to_vec(), b"hello".to_vec()];
        let environment = [b"A=1".to_vec()];
        let given = Arguments {
            path: b"/bin/echo",
            arguments: &arguments,
            environment: &environment,
            random: [7; 16],
        };
        let (sp, bytes) = stack(&program(), &given).unwrap();
        assert_eq!(sp % 16, 0);
        let string = |pointer: u64| {
            let start = (pointer - sp) as usize;
            let end = start + bytes[start..].iter().position(|byte| *byte == 0).unwrap();
            bytes[start..end].to_vec()
        };
        assert_eq!(word(&bytes, 0), 2);
        assert_eq!(string(word(&bytes, 1)), b"echo");
        assert_eq!(string(word(&bytes, 2)), b"hello");
        assert_eq!((word(&bytes, 3), word(&bytes, 5)), (0, 0));
        assert_eq!(string(word(&bytes, 4)), b"A=1");
        assert_eq!((word(&bytes, 6), word(&bytes, 7)), (auxiliary::HEADERS, 0x1_0040));
        assert!(sp + bytes.len() as u64 <= STACK_TOP);
    }

    #[test]
    fn too_many_arguments_are_refused() {
        let arguments = vec![vec![b'x'; 1000]; 200];
        let given =
            Arguments { path: b"/x", arguments: &arguments, environment: &[], random: [0; 16] };
        assert_eq!(stack(&program(), &given).unwrap_err(), Errno::ArgumentsTooLong);
    }

    #[test]
    fn what_is_no_program_for_this_machine_is_refused() {
        for file in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", &[0x7f; 200]] {
            assert_eq!(Program::read(file), Err(Errno::NotExecutable));
        }
    }
}
