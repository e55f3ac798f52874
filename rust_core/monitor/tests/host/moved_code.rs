//! Code of a guest's kernel whose page tables change: what is executed at an address has to be what
//! the tables lead to, whatever was translated before, and wherever a monitor has its own code.
//!
//! The guest calls functions at chosen addresses, each of which adds a number of its own to a sum.
//! A fetch that faults adds [`REFUSED`].

use crate::assembly::{Assembler, x};
use crate::support::{Cell, MIB, Model, config, monitored_cells};
use dcsim_hart::isa::Opcode;
use dcsim_memory::PageStore;
use dcsim_monitor::TechniqueKind::{BareMetal, BinaryTranslation};
use dcsim_monitor::{ExitReason, PagingKind, VmState};

const BASE: u64 = 0x8020_0000;
const HANDLER: u64 = 0x8000;
const ROOTS: [u64; 2] = [0x1_0000, 0x1_1000];
const MIDDLES: [u64; 2] = [0x1_2000, 0x1_3000];
const LEAVES: [u64; 2] = [0x1_4000, 0x1_5000];
/// Tables that both roots share.
const SHARED: u64 = 0x1_6000;
const SHARED_LEAVES: u64 = 0x1_7000;
/// Pages with one function each.
const FIRST: u64 = 0x2_0000;
const SECOND: u64 = 0x2_1000;
const FIRST_ADDS: u64 = 1;
const SECOND_ADDS: u64 = 20;
const REFUSED: u64 = 300;

const FINISHER: u64 = 0x0010_0000;
const STVEC: u16 = 0x105;
const SEPC: u16 = 0x141;
const SATP: u16 = 0x180;

const POINTER: u64 = 1;
const CODE: u64 = 0xcb;
const DATA: u64 = 0xc7;

/// Where binary translation begins to put its own code.
const CACHE: u64 = 0xffff_ffff_bfc0_0000;

fn entry(offset: u64, flags: u64) -> u64 {
    (BASE + offset) >> 12 << 10 | flags
}

fn function(adds: u64) -> Vec<u8> {
    let mut code = Assembler::default();
    code.immediate(Opcode::Addi, x(10), x(10), adds as i64);
    code.immediate(Opcode::Jalr, x(0), x(1), 0);
    code.bytes()
}

struct Guest {
    image: Vec<u8>,
    code: Assembler,
    sum: u64,
}

impl Guest {
    fn new() -> Self {
        let mut guest = Self { image: vec![0; 0x3_0000], code: Assembler::default(), sum: 0 };
        for space in 0..2 {
            guest.place(ROOTS[space], entry(MIDDLES[space], POINTER));
            guest.place(ROOTS[space] + 2 * 8, 0x8000_0000 >> 12 << 10 | 0xcf);
            guest.place(ROOTS[space] + 510 * 8, entry(SHARED, POINTER));
            guest.place(MIDDLES[space], entry(LEAVES[space], POINTER));
        }
        guest.place(LEAVES[0], entry(FIRST, CODE));
        guest.place(LEAVES[1], entry(SECOND, CODE));
        guest.place(SHARED + 510 * 8, entry(SHARED_LEAVES, POINTER));
        guest.place(SHARED_LEAVES, entry(FIRST, CODE));
        guest.place_bytes(FIRST, &function(FIRST_ADDS));
        guest.place_bytes(SECOND, &function(SECOND_ADDS));
        guest.handler();
        guest.code.constant(x(5), BASE + HANDLER);
        guest.code.write_csr(STVEC, x(5));
        guest.use_space(0);
        guest
    }

    fn place(&mut self, offset: u64, word: u64) {
        self.place_bytes(offset, &word.to_le_bytes());
    }

    fn place_bytes(&mut self, offset: u64, bytes: &[u8]) {
        self.image[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Goes on behind the call whose target could not be fetched.
    fn handler(&mut self) {
        let mut code = Assembler::default();
        code.immediate(Opcode::Addi, x(10), x(10), REFUSED as i64);
        code.write_csr(SEPC, x(1));
        code.plain(Opcode::Sret);
        self.place_bytes(HANDLER, &code.bytes());
    }

    /// Each space has an identifier of its own, so nothing has to be fenced.
    fn use_space(&mut self, space: usize) {
        let identifier = (space as u64 + 1) << 44;
        self.code.constant(x(5), 8 << 60 | identifier | (BASE + ROOTS[space]) >> 12);
        self.code.write_csr(SATP, x(5));
    }

    /// Calls the function at an address twice; it has to add this much.
    fn call(&mut self, address: u64, adds: u64) {
        for _ in 0..2 {
            self.code.constant(x(6), address);
            self.code.immediate(Opcode::Jalr, x(1), x(6), 0);
            self.sum += adds;
        }
    }

    /// Writes a table's entry and fences one address or all.
    fn change(&mut self, offset: u64, word: u64, fenced: Option<u64>) {
        self.code.constant(x(8), BASE + offset);
        self.code.constant(x(9), word);
        self.code.store(Opcode::Sd, x(9), x(8), 0);
        self.fence(fenced);
    }

    fn fence(&mut self, fenced: Option<u64>) {
        self.code.constant(x(5), fenced.unwrap_or(0));
        let register = if fenced.is_some() { x(5) } else { x(0) };
        self.code.op(Opcode::SfenceVma, x(0), register, x(0), 0);
    }

    /// Adds the first word at an address.
    fn add_word(&mut self, address: u64, word: u32) {
        self.code.constant(x(6), address);
        self.code.immediate(Opcode::Lwu, x(7), x(6), 0);
        self.code.op(Opcode::Add, x(10), x(10), x(7), 0);
        self.sum += u64::from(word);
    }

    fn finish(mut self) -> (Vec<u8>, u64) {
        self.code.constant(x(5), 0);
        self.code.write_csr(SATP, x(5));
        self.code.constant(x(5), FINISHER);
        self.code.constant(x(6), 0x5555);
        self.code.store(Opcode::Sw, x(6), x(5), 0);
        let bytes = self.code.bytes();
        assert!((bytes.len() as u64) < HANDLER);
        self.place_bytes(0, &bytes);
        (self.image, self.sum)
    }
}

fn first_word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(*bytes.first_chunk().unwrap())
}

fn run(store: &mut PageStore, cell: Cell, image: &[u8]) -> (VmState, u64) {
    let mut model = Model::of(cell.technique, 1, 16 * MIB);
    std::mem::swap(&mut model.store, store);
    model.limit_ns = 100_000_000;
    model.host.audit_steps(true);
    let vm = model.add_image(config(cell, 4 * MIB, ""), image, None);
    model.play();
    let state = model.host.save_vm(&mut model.store, vm).unwrap();
    let counters = model.host.counters(vm).unwrap();
    let exits = counters.exits();
    let maps = exits.filter(|(reason, _)| *reason == ExitReason::TranslationMap);
    let count = maps.map(|(_, count)| count).sum();
    model.host.release(&mut model.store);
    std::mem::swap(&mut model.store, store);
    (state, count)
}

/// Runs a guest everywhere. Returns how often translations were mapped, by cell.
fn assert_sum(guest: Guest) -> Vec<(PagingKind, u64)> {
    let (image, sum) = guest.finish();
    let mut store = PageStore::new(1 << 28);
    let (bare, _) = run(&mut store, BareMetal.into(), &image);
    assert_eq!(bare.cpu.x[10], sum);
    let mut mapped = Vec::new();
    for cell in monitored_cells() {
        let (state, maps) = run(&mut store, cell, &image);
        assert_eq!(state.cpu.x[10], sum, "{cell:?}");
        assert_eq!(bare.differences(&state, &store), Vec::<String>::new(), "{cell:?}");
        if cell.technique == BinaryTranslation {
            mapped.push((cell.paging, maps));
        }
    }
    mapped
}

#[test]
fn a_page_of_code_is_replaced_and_refused() {
    for fenced in [Some(0), None] {
        let mut guest = Guest::new();
        guest.call(0, FIRST_ADDS);
        guest.change(LEAVES[0], entry(SECOND, CODE), fenced);
        guest.call(0, SECOND_ADDS);
        guest.change(LEAVES[0], entry(SECOND, DATA), fenced);
        guest.call(0, REFUSED);
        guest.change(LEAVES[0], 0, fenced);
        guest.call(0, REFUSED);
        guest.change(LEAVES[0], entry(FIRST, CODE), fenced);
        guest.call(0, FIRST_ADDS);
        assert_sum(guest);
    }
}

#[test]
fn tables_above_a_page_of_code_are_replaced() {
    for fenced in [Some(0), None] {
        let mut guest = Guest::new();
        guest.call(0, FIRST_ADDS);
        guest.change(MIDDLES[0], entry(LEAVES[1], POINTER), fenced);
        guest.call(0, SECOND_ADDS);
        guest.change(MIDDLES[0], entry(LEAVES[0], POINTER), fenced);
        guest.call(0, FIRST_ADDS);
        guest.change(ROOTS[0], entry(MIDDLES[1], POINTER), fenced);
        guest.call(0, SECOND_ADDS);
        guest.change(ROOTS[0], 0, fenced);
        guest.call(0, REFUSED);
        assert_sum(guest);
    }
}

/// Two spaces map different code at one address, and share the tables where translated code is.
#[test]
fn spaces_execute_their_own_code() {
    let mut guest = Guest::new();
    for _ in 0..3 {
        guest.use_space(0);
        guest.call(0, FIRST_ADDS);
        guest.use_space(1);
        guest.call(0, SECOND_ADDS);
    }
    // A change of one is none of the other, unless they share the table.
    guest.change(LEAVES[0], entry(SECOND, DATA), None);
    guest.call(0, SECOND_ADDS);
    guest.use_space(0);
    guest.call(0, REFUSED);
    guest.change(MIDDLES[0], entry(LEAVES[1], POINTER), None);
    guest.call(0, SECOND_ADDS);
    guest.change(LEAVES[1], entry(FIRST, CODE), None);
    guest.call(0, FIRST_ADDS);
    guest.use_space(1);
    guest.call(0, FIRST_ADDS);
    assert_sum(guest);
}

/// The guest's own code and data lie where translations are put at first: these make way.
#[test]
fn translations_are_never_in_the_way() {
    let mut guest = Guest::new();
    for space in [0, 1, 0] {
        guest.use_space(space);
        guest.call(CACHE, FIRST_ADDS);
        guest.add_word(CACHE, first_word(&function(FIRST_ADDS)));
        guest.call(0, [FIRST_ADDS, SECOND_ADDS][space]);
    }
    guest.change(SHARED_LEAVES, entry(SECOND, CODE), Some(CACHE));
    guest.call(CACHE, SECOND_ADDS);
    guest.add_word(CACHE, first_word(&function(SECOND_ADDS)));
    assert_sum(guest);
}

/// A fence of everything costs the mappings of translations where the guest's tables are not
/// followed, and none where they are.
#[test]
fn followed_tables_keep_translations_mapped() {
    let mapped = |fences: u64| {
        let mut guest = Guest::new();
        for _ in 0..fences {
            guest.fence(None);
            guest.call(0, FIRST_ADDS);
        }
        assert_sum(guest)
    };
    for ((paging, few), (_, many)) in mapped(2).into_iter().zip(mapped(12)) {
        let more = many - few;
        match paging {
            PagingKind::ShadowTlb => assert!(more >= 10, "{more}"),
            _ => assert!(more <= 2, "{more}"),
        }
    }
}

/// A page that can be written and executed: with stores between calls, traced or not.
#[test]
fn code_in_a_table_that_is_traced() {
    let mut guest = Guest::new();
    // The table of the small pages is code as well: its last words are a function.
    let at = LEAVES[0] + 0x800;
    guest.place_bytes(at, &function(FIRST_ADDS));
    guest.place(LEAVES[0] + 8, entry(LEAVES[0], 0xcf));
    let words = |adds: u64| u64::from_le_bytes(*function(adds).first_chunk().unwrap());
    for round in 1..9 {
        guest.call(0x1800, if round == 1 { FIRST_ADDS } else { round - 1 });
        guest.change(at, words(round), None);
        guest.call(0, FIRST_ADDS);
    }
    guest.call(0x1800, 8);
    assert_sum(guest);
}
