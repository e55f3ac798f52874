//! Stores of a guest's to its own page tables, in all the odd ways.
//!
//! The guest maps four kilobyte pages from address 0: a page of data, the table of these pages
//! itself, another page of data. It changes its tables with every kind of store, fences, and looks
//! at what it then reads. In the end all of memory and its registers must be those of bare metal.

use crate::assembly::{Assembler, x};
use crate::support::{Cell, MIB, Model, config, monitored_cells};
use dcsim_hart::isa::Opcode;
use dcsim_machine::DiskImage;
use dcsim_memory::PageStore;
use dcsim_monitor::TechniqueKind::BareMetal;
use dcsim_monitor::{ExitReason, PagingKind, VmState};

const BASE: u64 = 0x8020_0000;
const ROOT: u64 = 0x1_0000;
const MIDDLE: u64 = 0x1_1000;
const LEAVES: u64 = 0x1_2000;
const OTHER_LEAVES: u64 = 0x1_3000;
const FIRST: u64 = 0x2_0000;
const SECOND: u64 = 0x2_1000;
const QUEUE: u64 = 0x3_0000;
const IMAGE_BYTES: u64 = 0x4_0000;
const LOG: u64 = BASE + 0x10_0000;
const HANDLER: u64 = 0x8000;
const FINISHER: u64 = 0x0010_0000;
const DISK: u64 = 0x1000_1000;

const SSTATUS: u16 = 0x100;
const STVEC: u16 = 0x105;
const SEPC: u16 = 0x141;
const SCAUSE: u16 = 0x142;
const STVAL: u16 = 0x143;
const SATP: u16 = 0x180;

const POINTER: u64 = 1;
const LEAF: u64 = 0xcf;

/// Where the table of the small pages can be written through itself.
const SELF: u64 = 0x1000;
/// `c.sd x9, 0(x8)`, `c.sdsp x9, 0(sp)`, `c.sw x9, 0(x8)`, each with `c.nop` behind it.
const COMPRESSED: [u32; 3] = [0x0001_e004, 0x0001_e026, 0x0001_c004];

fn entry(offset: u64, flags: u64) -> u64 {
    (BASE + offset) >> 12 << 10 | flags
}

struct Guest {
    image: Vec<u8>,
    code: Assembler,
}

impl Guest {
    fn new() -> Self {
        let mut guest = Self { image: vec![0; IMAGE_BYTES as usize], code: Assembler::default() };
        let words = [
            (ROOT, entry(MIDDLE, POINTER)),
            // The table of small pages once more, a level higher.
            (ROOT + 8, entry(LEAVES, POINTER)),
            (ROOT + 16, 0x8000_0000 >> 12 << 10 | LEAF),
            // The root as a table below itself.
            (ROOT + 24, entry(ROOT, POINTER)),
            (MIDDLE, entry(LEAVES, POINTER)),
            (LEAVES, entry(FIRST, LEAF)),
            (LEAVES + 8, entry(LEAVES, LEAF)),
            (LEAVES + 16, entry(SECOND, LEAF)),
            (LEAVES + 64, entry(OTHER_LEAVES, POINTER)),
            (OTHER_LEAVES, entry(FIRST, LEAF)),
            (FIRST, 0x1111),
            (SECOND, 0x2222),
            (MIDDLE + 8, 0x1000_0000 >> 12 << 10 & !0x7ffff | LEAF),
        ];
        for (offset, value) in words {
            guest.place(offset, &value.to_le_bytes());
        }
        guest.handler();
        guest.start();
        guest
    }

    fn place(&mut self, offset: u64, bytes: &[u8]) {
        self.image[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Logs cause and value of a trap and goes on behind the instruction.
    fn handler(&mut self) {
        let mut code = Assembler::default();
        for number in [SCAUSE, STVAL] {
            code.read_csr(x(30), number);
            code.store(Opcode::Sd, x(30), x(27), 0);
            code.immediate(Opcode::Addi, x(27), x(27), 8);
        }
        code.read_csr(x(30), SEPC);
        code.immediate(Opcode::Addi, x(30), x(30), 4);
        code.write_csr(SEPC, x(30));
        code.plain(Opcode::Sret);
        self.place(HANDLER, &code.bytes());
    }

    fn start(&mut self) {
        for (number, value) in
            [(STVEC, BASE + HANDLER), (SSTATUS, 3 << 13), (SATP, 8 << 60 | (BASE + ROOT) >> 12)]
        {
            self.code.constant(x(5), value);
            self.code.write_csr(number, x(5));
        }
        self.code.constant(x(27), LOG);
    }

    /// Loads from an address and logs the value.
    fn look(&mut self, address: u64) {
        self.code.constant(x(5), address);
        self.code.immediate(Opcode::Ld, x(6), x(5), 0);
        self.code.store(Opcode::Sd, x(6), x(27), 0);
        self.code.immediate(Opcode::Addi, x(27), x(27), 8);
    }

    fn fence(&mut self, address: Option<u64>) {
        let register = if address.is_some() { x(5) } else { x(0) };
        self.code.constant(x(5), address.unwrap_or(0));
        self.code.op(Opcode::SfenceVma, x(0), register, x(0), 0);
    }

    /// Lets `x8` and `sp` hold an address, `x9` and `f9` a value.
    fn operands(&mut self, address: u64, value: u64) {
        self.code.constant(x(8), address);
        self.code.constant(x(2), address);
        self.code.constant(x(9), value);
        self.code.op(Opcode::FmvDX, x(9), x(9), x(0), 0);
    }

    fn store(&mut self, address: u64, value: u64) {
        self.operands(address, value);
        self.code.store(Opcode::Sd, x(9), x(8), 0);
    }

    /// Changes what address 0 leads to with one instruction; looks before and after.
    fn change_with(&mut self, offset: u64, word: u32) {
        self.look(0);
        self.operands(SELF, entry(offset, LEAF));
        self.code.words.push(word);
        self.fence(Some(0));
        self.look(0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.code.constant(x(5), 0);
        self.code.write_csr(SATP, x(5));
        self.code.constant(x(5), FINISHER);
        self.code.constant(x(6), 0x5555);
        self.code.store(Opcode::Sw, x(6), x(5), 0);
        let bytes = self.code.bytes();
        assert!((bytes.len() as u64) < HANDLER);
        self.place(0, &bytes);
        self.image
    }
}

fn word(build: impl FnOnce(&mut Assembler)) -> u32 {
    let mut code = Assembler::default();
    build(&mut code);
    code.words[0]
}

/// Runs a guest and takes its state, with the exits of one reason.
fn run(store: &mut PageStore, cell: Cell, image: &[u8]) -> (VmState, u64) {
    let mut model = Model::of(cell.technique, 1, 16 * MIB);
    std::mem::swap(&mut model.store, store);
    model.limit_ns = 100_000_000;
    model.host.audit_steps(true);
    let disk = Some(DiskImage::new(64 * 1024));
    let vm = model.add_image(config(cell, 8 * MIB, ""), image, disk);
    model.play();
    let state = model.host.save_vm(&mut model.store, vm).unwrap();
    let counters = model.host.counters(vm).unwrap();
    let traced = counters.exits();
    let traced = traced.filter(|(reason, _)| *reason == ExitReason::TracedWrite);
    let count = traced.map(|(_, count)| count).sum();
    model.host.release(&mut model.store);
    std::mem::swap(&mut model.store, store);
    (state, count)
}

/// The doublewords of the log.
fn log(state: &VmState, store: &PageStore, count: usize) -> Vec<u64> {
    let page = store.page(state.pages[(LOG - 0x8000_0000) as usize / 4096]);
    let words = page.as_chunks::<8>().0.iter().take(count);
    words.map(|word| u64::from_le_bytes(*word)).collect()
}

/// Runs a guest everywhere; its log on bare metal must be as given, and all else alike. Returns the
/// traced writes of each cell that has some.
fn assert_alike(image: &[u8], expected: &[u64]) -> Vec<u64> {
    let mut store = PageStore::new(1 << 28);
    let (mut bare, _) = run(&mut store, BareMetal.into(), image);
    assert_eq!(log(&bare, &store, expected.len()), expected);
    let mut counts = Vec::new();
    for cell in monitored_cells() {
        let (mut state, traced) = run(&mut store, cell, image);
        let found = log(&state, &store, expected.len());
        assert_eq!(found, expected, "{cell:?}");
        let mut differences = bare.differences(&state, &store);
        // A store-conditional may be made more than once.
        differences.retain(|what| what != "registers");
        assert!(differences.is_empty(), "{cell:?}: {differences:?}");
        assert_eq!(bare.cpu.x, state.cpu.x, "{cell:?}");
        state.release(&mut store);
        if cell.paging == PagingKind::ShadowTraced {
            counts.push(traced);
        } else {
            assert_eq!(traced, 0, "{cell:?}");
        }
    }
    bare.release(&mut store);
    assert!(!counts.is_empty());
    counts
}

#[test]
fn plain_compressed_and_floating_point_stores_reach_a_table_that_maps_itself() {
    let mut guest = Guest::new();
    let float = word(|code| code.store(Opcode::Fsd, x(9), x(8), 0));
    let half = word(|code| code.store(Opcode::Sw, x(9), x(8), 0));
    let plain = word(|code| code.store(Opcode::Sd, x(9), x(8), 0));
    let [doubleword, stack, narrow] = COMPRESSED;
    let stores = [plain, doubleword, stack, narrow, float, half];
    for (number, store) in stores.into_iter().enumerate() {
        guest.change_with(if number % 2 == 0 { SECOND } else { FIRST }, store);
    }
    let expected = [0x1111, 0x2222, 0x2222, 0x1111].repeat(3);
    for traced in assert_alike(&guest.finish(), &expected) {
        assert_eq!(traced, 6);
    }
}

#[test]
fn atomic_operations_on_a_traced_table_are_executed() {
    let mut guest = Guest::new();
    let swap = word(|code| code.op(Opcode::AmoswapD, x(0), x(8), x(9), 0));
    guest.change_with(SECOND, swap);
    // A loop of load-reserved and store-conditional.
    guest.look(0);
    guest.operands(SELF, entry(FIRST, LEAF));
    guest.code.op(Opcode::LrD, x(10), x(8), x(0), 0);
    guest.code.op(Opcode::ScD, x(11), x(8), x(9), 0);
    guest.code.store(Opcode::Bne, x(0), x(11), -8);
    guest.fence(None);
    guest.look(0);
    // One without a reservation fails and changes nothing.
    guest.operands(SELF, entry(SECOND, LEAF));
    guest.code.op(Opcode::ScD, x(12), x(8), x(9), 0);
    guest.fence(None);
    guest.look(0);
    for traced in assert_alike(&guest.finish(), &[0x1111, 0x2222, 0x2222, 0x1111, 0x1111]) {
        assert_eq!(traced, 3);
    }
}

#[test]
fn stores_that_cross_pages_are_made_in_both_or_in_none() {
    let mut guest = Guest::new();
    guest.look(0);
    // From the first page into the entry that maps it.
    guest.store(SELF - 4, entry(SECOND, LEAF) << 32 | 0xabcd);
    guest.fence(Some(0));
    guest.look(0);
    guest.look(FIRST + BASE + 0xff8);
    // Out of the table into a page that is there, and into one that is not.
    guest.store(SELF + 0xffc, 0x7777_0000_0000_0000);
    guest.look(0x2000);
    guest.store(SELF + 16, 0);
    guest.fence(Some(0x2000));
    guest.store(SELF + 0xffc, 0x5555_0000_5555_0000);
    guest.look(BASE + LEAVES + 0xff8);
    // Into the table, from a page that is not there.
    guest.store(0x8000_0000_0000 - 4, 1);
    let expected =
        [0x1111, 0x2222, 0xabcd_0000_0000, 0x7777_0000, 15, 0x2000, 0, 15, 0x8000_0000_0000 - 4];
    for traced in assert_alike(&guest.finish(), &expected) {
        assert!(traced >= 3, "{traced}");
    }
}

#[test]
fn a_page_can_be_a_table_at_two_levels() {
    let mut guest = Guest::new();
    let higher = 0x4000_0000 + (8 << 21);
    guest.look(0);
    guest.look(higher);
    // As a table of small pages, the pointer means nothing.
    guest.look(0x8000);
    guest.store(SELF + 64, 0);
    guest.fence(None);
    guest.look(higher);
    guest.store(SELF + 64, entry(OTHER_LEAVES, POINTER));
    guest.store(BASE + OTHER_LEAVES, entry(SECOND, LEAF));
    guest.fence(None);
    guest.look(higher);
    // The root below itself: what maps a gigabyte maps a small page there.
    guest.look(0xc000_0000 + (3 << 21) + (2 << 12));
    // What maps the code, written over with itself.
    guest.store(BASE + ROOT + 16, 0x8000_0000 >> 12 << 10 | LEAF);
    guest.store(SELF, entry(SECOND, LEAF));
    guest.fence(Some(0));
    guest.look(0);
    // A look that fails logs its trap, and then what the register still held.
    let expected = [0x1111, 0x1111, 13, 0x8000, 0x1111, 13, higher, 0x1111, 0x2222, 0, 0x2222];
    assert_alike(&guest.finish(), &expected);
}

#[test]
fn a_flood_of_stores_opens_a_table_until_the_next_fence() {
    let mut guest = Guest::new();
    guest.look(0);
    for index in 16..48 {
        guest.store(SELF + 8 * index, entry(SECOND, LEAF));
    }
    guest.fence(None);
    guest.look(47 << 12);
    for traced in assert_alike(&guest.finish(), &[0x1111, 0x2222]) {
        assert_eq!(traced, 3);
    }
}

#[test]
fn what_a_device_writes_to_a_table_counts_after_a_fence() {
    let mut guest = Guest::new();
    guest.look(0);
    let ring = |offset: u64| BASE + QUEUE + offset;
    let read = |address: u64, length: u64, flags: u64, next: u64| {
        [address, length | flags << 32 | next << 48]
    };
    // The header asks for sector 0; the data, zeros, goes to the table; then the status.
    let descriptors =
        [read(ring(0x3000), 16, 1, 1), read(BASE + LEAVES, 512, 3, 2), read(ring(0x3010), 1, 2, 0)];
    for (index, words) in descriptors.into_iter().enumerate() {
        for (half, value) in words.into_iter().enumerate() {
            let offset = QUEUE + 16 * index as u64 + 8 * half as u64;
            guest.place(offset, &value.to_le_bytes());
        }
    }
    guest.place(QUEUE + 0x1000, &[0, 0, 1, 0, 0, 0]);
    let setup: [(u64, u64); 14] = [
        (0x70, 0),
        (0x70, 1),
        (0x70, 3),
        (0x24, 1),
        (0x20, 1),
        (0x70, 0xb),
        (0x30, 0),
        (0x38, 8),
        (0x80, ring(0)),
        (0x90, ring(0x1000)),
        (0xa0, ring(0x2000)),
        (0x44, 1),
        (0x70, 0xf),
        (0x50, 0),
    ];
    for (register, value) in setup {
        // Devices are mapped as a page of two megabytes.
        guest.operands(0x20_0000 + DISK - 0x1000_0000 + register, value);
        guest.code.store(Opcode::Sw, x(9), x(8), 0);
    }
    guest.code.constant(x(5), ring(0x2002));
    guest.code.immediate(Opcode::Lhu, x(6), x(5), 0);
    guest.code.store(Opcode::Beq, x(0), x(6), -4);
    guest.fence(None);
    guest.look(0);
    assert_alike(&guest.finish(), &[0x1111, 13, 0, 1]);
}
