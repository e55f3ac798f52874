//! Random sequences of system calls, and random program files: whatever a program asks for, nothing
//! panics, nothing is changed or read outside the folder, and the limits hold.
//!
//! `DCSIM_TEST_CALLS` makes the sequence longer.

mod memory;

use dcsim_linux::abi::{Registers, numbers, register};
use dcsim_linux::files::folder::Folder;
use dcsim_linux::image::Program;
use dcsim_linux::{Access, Fault, FirstProgram, Hardware, Limits, Linux, Next, Start};
use memory::Memory;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const CALLS: u64 = 20_000;
/// Calls after which a new machine begins.
const CALLS_OF_MACHINE: u64 = 400;
const MEMORY_BYTES: u64 = 1 << 20;
const PAGES: usize = 4;
const SECRET: &[u8] = b"what nobody inside may see";
const MMAP: u64 = 222;

/// Names that lead inside, outside, in circles and nowhere.
const PATHS: [&str; 24] = [
    "/",
    ".",
    "..",
    "",
    "file",
    "/dir/inner",
    "dir/../file",
    "../secret",
    "/../../secret",
    "out",
    "up",
    "way/secret",
    "way/../secret",
    "circle",
    "dir/up/secret",
    "/dev/zero",
    "/dev/null",
    "/dev/random",
    "/dev",
    "/dev/../..",
    "new",
    "dir/new",
    "/proc/self/mem",
    "pipe",
];

/// A small generator of repeatable numbers (the constants are Marsaglia's xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// A folder with a secret beside it, which goes with the value.
struct Outside(PathBuf);

impl Outside {
    fn new(name: &str) -> Self {
        let top = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&top);
        let root = top.join("root");
        fs::create_dir_all(root.join("dir/inner")).expect("what the test made itself");
        fs::write(top.join("secret"), SECRET).expect("what the test made itself");
        fs::write(root.join("file"), b"content").expect("what the test made itself");
        fs::write(root.join("dir/file"), vec![7; 9000]).expect("what the test made itself");
        symlink(top.join("secret"), root.join("out")).expect("what the test made itself");
        symlink("../secret", root.join("up")).expect("what the test made itself");
        symlink("../..", root.join("way")).expect("what the test made itself");
        symlink("../../..", root.join("dir/up")).expect("what the test made itself");
        symlink("circle", root.join("circle")).expect("what the test made itself");
        Self(top)
    }

    /// All that is there: names, and what files hold.
    fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("what the test made itself") {
                let path = entry.expect("what the test made itself").path();
                let kind =
                    fs::symlink_metadata(&path).expect("what the test made itself").file_type();
                if kind.is_dir() {
                    folders.push(path.clone());
                }
                let held = if kind.is_file() {
                    fs::read(&path).expect("what the test made itself")
                } else {
                    Vec::new()
                };
                found.insert(path, held);
            }
        }
        found
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A machine whose program makes calls that make no sense.
struct Machine {
    linux: Linux,
    memory: Memory,
    registers: Registers,
    /// The address of its paths, behind which is room.
    text: u64,
}

impl Machine {
    fn new(outside: &Outside, numbers: &mut Numbers) -> Self {
        let start = Start {
            folder: Some(Folder::open(&outside.0.join("root")).expect("what the test made itself")),
            writable: numbers.below(4) > 0,
            directory: b"/".to_vec(),
            input: b"some input".to_vec(),
            input_open: false,
            limits: Limits::for_memory(MEMORY_BYTES),
            seed: numbers.next(),
        };
        let linux = Linux::new(start).expect("a first process");
        let (memory, registers) = (Memory::default(), Registers::default());
        let mut machine = Self { linux, memory, registers, text: 0 };
        assert!(machine.call(MMAP, [0, PAGES as u64 * 4096, 3, 0x22, u64::MAX, 0]));
        machine.text = machine.registers.x[register::A0];
        machine.fill(numbers);
        machine
    }

    /// Puts the paths and some numbers where the calls will look.
    fn fill(&mut self, numbers: &mut Numbers) {
        for page in 0..PAGES {
            let address = self.text + page as u64 * 4096;
            let found = self.linux.fault(&mut self.memory, address, Access::Write);
            let Ok(Fault::Page(number, _)) = found else { panic!("{found:?}") };
            let mut bytes = vec![0; 4096];
            for (path, room) in PATHS.iter().zip(bytes.chunks_mut(64)) {
                room[..path.len()].copy_from_slice(path.as_bytes());
            }
            for room in bytes[64 * PATHS.len()..].chunks_mut(8) {
                room.copy_from_slice(&argument(numbers, self.text).to_le_bytes());
            }
            self.memory.write(number, 0, &bytes);
        }
    }

    /// Makes a call and lets the others run. `false` when nobody will ever run again.
    fn call(&mut self, number: u64, arguments: [u64; 6]) -> bool {
        self.registers.x[register::A7] = number;
        self.registers.x[register::A0..register::A0 + 6].copy_from_slice(&arguments);
        self.linux.call(&mut self.memory, &mut self.registers).expect("all pages are there");
        loop {
            let next = self.linux.resume(&mut self.memory, &mut self.registers);
            match next.expect("all pages are there") {
                Next::Run => return true,
                Next::Idle(Some(until_ns)) if until_ns > self.memory.now_ns => {
                    self.memory.now_ns = until_ns;
                }
                Next::Idle(_) | Next::Ended(_) => return false,
            }
        }
    }
}

fn argument(numbers: &mut Numbers, text: u64) -> u64 {
    match numbers.below(10) {
        0..=2 => numbers.below(12),
        3..=4 => text + 64 * numbers.below(PATHS.len() as u64),
        5 => text + numbers.below(PAGES as u64 * 4096 + 64),
        6 => 1 << numbers.below(64),
        7 => numbers.one_of(&[-1i64, -100, i64::MIN, i64::MAX, 4095, 4096, 4097]) as u64,
        8 => numbers.below(1 << 16),
        _ => numbers.next(),
    }
}

fn wanted_calls() -> u64 {
    std::env::var("DCSIM_TEST_CALLS").ok().and_then(|text| text.parse().ok()).unwrap_or(CALLS)
}

#[test]
fn random_calls_stay_inside_and_end() {
    let outside = Outside::new("random_calls");
    let before = outside.content();
    let known: Vec<u64> = (0..1024).filter(|number| numbers::find(*number).is_some()).collect();
    let mut random = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut made = 0;
    while made < wanted_calls() {
        let mut machine = Machine::new(&outside, &mut random);
        for _ in 0..CALLS_OF_MACHINE {
            let is_known = random.below(20) > 0;
            let number = if is_known { random.one_of(&known) } else { random.next() >> 40 };
            let arguments = [0; 6].map(|_| argument(&mut random, machine.text));
            made += 1;
            if !machine.call(number, arguments) {
                break;
            }
        }
        let told = machine.linux.take_output();
        let held = machine.memory.pages.values().chain(told.iter().map(|(_, bytes)| bytes));
        for bytes in held {
            assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET));
        }
        assert!(machine.memory.pages.len() as u64 <= MEMORY_BYTES / 4096);
    }
    assert_eq!(outside.content(), before);
}

/// A program of one page, as the System V ABI lays it out.
fn program() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    let halves = |bytes: &mut Vec<u8>, values: &[u16]| {
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    let words = |bytes: &mut Vec<u8>, values: &[u64]| {
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    halves(&mut bytes, &[2, 243, 1, 0]);
    words(&mut bytes, &[0x1_0078, 64, 0]);
    halves(&mut bytes, &[0, 0, 64, 56, 1, 64, 0, 0]);
    halves(&mut bytes, &[1, 0, 7, 0]);
    words(&mut bytes, &[0, 0x1_0000, 0x1_0000, 128, 8192, 4096]);
    bytes.resize(128, 0x13);
    bytes
}

#[test]
fn random_files_are_programs_or_refused() {
    let outside = Outside::new("random_files");
    let path = outside.0.join("root/dir/inner/program");
    let first = FirstProgram {
        path: b"/dir/inner/program".to_vec(),
        arguments: vec![b"program".to_vec()],
        environment: Vec::new(),
    };
    let mut random = Numbers(7);
    assert!(Program::read(&program()).is_ok());
    let (mut taken, mut refused) = (0, 0);
    for round in 0..wanted_calls() / 10 {
        let mut file = program();
        for _ in 0..=random.below(4) {
            let at = random.below(file.len() as u64) as usize;
            file[at] = random.one_of(&[0, 1, 0x7f, 0x80, 0xff, random.0 as u8]);
        }
        file.truncate(file.len() - random.one_of(&[0, 0, 0, 1, 60, 100]));
        let read = Program::read(&file);
        if read.is_ok() {
            taken += 1;
        } else {
            refused += 1;
        }
        if round % 50 > 0 {
            continue;
        }
        fs::write(&path, &file).expect("what the test made itself");
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("what the test made itself");
        let mut machine = Machine::new(&outside, &mut random);
        let loaded = machine.linux.load(&mut machine.memory, &mut machine.registers, &first);
        assert_eq!(loaded.is_ok(), read.is_ok(), "{loaded:?} {read:?}");
        let pc = machine.registers.pc;
        machine.linux.fault(&mut machine.memory, pc, Access::Execute).expect("all pages are there");
    }
    assert!(taken > 100 && refused > 100, "{taken} {refused}");
}
