//! Calls by hand: a first process without a program, whose registers the tests set.
//!
//! The main invariant is held here: a call that lacks a page changes nothing, so a run in which
//! provisions are refused again and again ends as one in which none is.

mod memory;

use dcsim_linux::abi::{Registers, register};
use dcsim_linux::files::open::Stream;
use dcsim_linux::{Access, Errno, Fault, Hardware, Limits, Linux, Next, PageNumber, Rights, Start};
use memory::Memory;

const GETCWD: u64 = 17;
const CLOSE: u64 = 57;
const OPEN: u64 = 56;
const PIPE: u64 = 59;
const READ: u64 = 63;
const WRITE: u64 = 64;
const MMAP: u64 = 222;

const FROM_DIRECTORY: u64 = -100i64 as u64;
const CREATE_READ_WRITE: u64 = 0o102;

/// A process and what lies below it.
struct World {
    linux: Linux,
    memory: Memory,
    registers: Registers,
    /// Times that something had to be done again.
    again: u32,
}

impl World {
    fn new(refuse_every: u32) -> Self {
        let start = Start {
            directory: b"/".to_vec(),
            input_open: false,
            folder: None,
            writable: true,
            input: b"typed".to_vec(),
            limits: Limits::for_memory(1 << 20),
            seed: 1,
        };
        let linux = Linux::new(start).expect("a first process");
        let memory = Memory { refuse_every, ..Memory::default() };
        Self { linux, memory, registers: Registers::default(), again: 0 }
    }

    /// Makes a call, as often as it has to be made.
    fn call(&mut self, number: u64, arguments: &[u64]) -> i64 {
        self.registers.x[register::A7] = number;
        self.registers.x[register::A0..register::A0 + arguments.len()].copy_from_slice(arguments);
        while self.linux.call(&mut self.memory, &mut self.registers).is_err() {
            self.again += 1;
            assert!(self.again < 1000, "call {number} makes no progress");
        }
        loop {
            match self.linux.resume(&mut self.memory, &mut self.registers) {
                Ok(next) => break assert_eq!(next, Next::Run),
                Err(_) => self.again += 1,
            }
        }
        self.registers.x[register::A0] as i64
    }

    /// A fresh range of memory.
    fn map(&mut self, bytes: u64) -> u64 {
        let (read_write, private_anonymous) = (3, 0x22);
        self.call(MMAP, &[0, bytes, read_write, private_anonymous, u64::MAX, 0]) as u64
    }

    /// The program's own access to a byte, as its processor makes it.
    fn byte(&mut self, address: u64, access: Access) -> (PageNumber, usize) {
        loop {
            match self.linux.fault(&mut self.memory, address, access) {
                Ok(Fault::Page(page, _)) => break (page, (address % 4096) as usize),
                Ok(Fault::Signal) => panic!("{address:#x} is not mapped"),
                Err(_) => self.again += 1,
            }
        }
    }

    fn put(&mut self, address: u64, bytes: &[u8]) {
        for (at, byte) in (address..).zip(bytes) {
            let (page, offset) = self.byte(at, Access::Write);
            self.memory.write(page, offset, &[*byte]);
        }
    }

    fn get(&mut self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        for (at, byte) in (address..).zip(&mut bytes) {
            let (page, offset) = self.byte(at, Access::Read);
            self.memory.read(page, offset, std::slice::from_mut(byte));
        }
        bytes
    }
}

/// What a session of calls left.
#[derive(Debug, PartialEq)]
struct Left {
    results: Vec<i64>,
    memory: Vec<u8>,
    output: Vec<(Stream, Vec<u8>)>,
}

/// Makes a session of calls: what it left, and how often something had to be done again.
fn session(refuse_every: u32) -> (Left, u32) {
    let mut world = World::new(refuse_every);
    let text = world.map(4096);
    let buffer = world.map(5 * 4096);
    world.put(text, b"/file\0");
    world.put(buffer + 4000, b"across a page and the next one");
    // The ends of these ranges lie in pages that were never touched.
    let file = world.call(OPEN, &[FROM_DIRECTORY, text, CREATE_READ_WRITE, 0o644]);
    let mut results = vec![file];
    results.push(world.call(WRITE, &[file as u64, buffer + 4000, 9000]));
    results.push(world.call(67, &[file as u64, buffer + 8000, 9000, 5]));
    results.push(world.call(PIPE, &[text + 2048, 0]));
    let (out, into) = (world.get(text + 2048, 1)[0], world.get(text + 2052, 1)[0]);
    results.push(world.call(WRITE, &[u64::from(into), buffer + 4000, 30]));
    results.push(world.call(READ, &[u64::from(out), buffer + 3 * 4096, 100]));
    results.push(world.call(READ, &[0, buffer, 100]));
    results.push(world.call(GETCWD, &[buffer + 100, 20]));
    results.push(world.call(WRITE, &[1, buffer, 3]));
    results.push(world.call(CLOSE, &[99]));
    let memory = world.get(buffer, 5 * 4096);
    (Left { results, memory, output: world.linux.take_output() }, world.again)
}

#[test]
fn a_refused_page_changes_nothing_but_the_number_of_tries() {
    let (left, again) = session(0);
    let bad_file = -(Errno::BadFile as i64);
    assert_eq!(left.results, [3, 9000, 8995, 0, 30, 30, 5, 2, 3, bad_file]);
    let memory = &left.memory;
    assert_eq!(&memory[3 * 4096..3 * 4096 + 30], b"across a page and the next one");
    assert_eq!((&memory[..5], &memory[100..102]), (&b"typed"[..], &b"/\0"[..]));
    assert_eq!((left.output.as_slice(), again), (&[(Stream::Output, b"typ".to_vec())][..], 0));
    for refuse_every in 2..12 {
        let (same, again) = session(refuse_every);
        assert_eq!(same, left, "every {refuse_every}");
        assert!(again > 0, "every {refuse_every}");
    }
}

#[test]
fn a_call_that_there_is_not_is_counted_by_its_number() {
    let mut world = World::new(0);
    let no_call = -(Errno::NoCall as i64);
    assert_eq!([world.call(9999, &[]), world.call(9999, &[]), world.call(0, &[])], [no_call; 3]);
    let counted: Vec<_> = world.linux.unknown_calls().iter().map(|(n, c)| (*n, *c)).collect();
    assert_eq!(counted, [(0, 1), (9999, 2)]);
}

#[test]
fn what_a_program_may_do_with_a_page_is_what_it_asked_for() {
    let mut world = World::new(0);
    let address = world.map(4096);
    let found = world.linux.fault(&mut world.memory, address, Access::Read).unwrap();
    let rights = Rights { read: true, write: true, execute: false };
    assert!(matches!(found, Fault::Page(_, given) if given == rights));
    assert_eq!(world.linux.fault(&mut world.memory, address, Access::Execute), Ok(Fault::Signal));
}
