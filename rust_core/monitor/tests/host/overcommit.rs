//! Guests whose pages are shared, swapped and given back while they write to them.
//!
//! Each guest stores and loads words of a few pages, drawn by a generator of its own, through two
//! addresses for each page; few values, so that pages often come to be alike. What it has read and
//! what its pages hold in the end are what the same generator does to an array.

use crate::assembly::{Assembler, x};
use crate::sharing::check_frames;
use crate::support::{Cell, MIB, Model, config, monitored_cells};
use dcsim_hart::isa::Opcode;
use dcsim_memory::PAGE_BYTES;
use dcsim_monitor::host::{Scan, SwapOut};
use dcsim_monitor::overcommit::index::Finding;
use dcsim_monitor::overcommit::swap::Tier;
use dcsim_monitor::{Host, HostError, PagingKind, TechniqueKind, VmId};

const BASE: u64 = 0x8020_0000;
const MEMORY: u64 = 0x8000_0000;
const ROOT: u64 = 0x4000;
/// Pages that the guest uses, behind its code and tables.
const DATA: u64 = 0x1_0000;
const PAGES: u64 = 16;
/// Pages that it does not.
const REST: u64 = DATA + PAGES * 4096;
const REST_PAGES: u64 = 8;
const IMAGE_BYTES: u64 = REST + REST_PAGES * 4096;
const FINISHER: u64 = 0x0010_0000;
const SATP: u16 = 0x180;
/// A gibibyte, all rights, marked.
const LEAF: u64 = 0xcf;
/// From the first address of a page to the second.
const ALIAS: u64 = 1 << 30;

/// Words of a page that are used.
const WORDS: u64 = 2;

fn step(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ state << 17
}

/// What the guest does, done to an array.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Expected {
    words: Vec<u64>,
    sum: u64,
}

fn expected(seed: u64, rounds: u64) -> Expected {
    let mut expected = Expected { words: vec![0; (PAGES * WORDS) as usize], sum: 0 };
    let mut state = seed;
    for _ in 0..rounds {
        state = step(state);
        let index = (state % PAGES * WORDS + (state >> 8) % WORDS) as usize;
        if (state >> 20).is_multiple_of(4) {
            expected.words[index] = (state >> 30) & 1;
        } else {
            expected.sum = expected.sum * 2 + expected.sum + expected.words[index];
            expected.sum &= (1 << 48) - 1;
        }
    }
    expected
}

/// The guest: `x5` state, `x6` rounds, `x7` sum, `x8` data.
fn image(seed: u64, rounds: u64) -> Vec<u8> {
    let mut code = Assembler::default();
    for (register, value) in [(5, seed), (6, rounds), (8, BASE + DATA), (20, ALIAS)] {
        code.constant(x(register), value);
    }
    code.immediate(Opcode::Addi, x(7), x(0), 0);
    code.constant(x(9), 8 << 60 | (BASE + ROOT) >> 12);
    code.write_csr(SATP, x(9));
    code.plain(Opcode::SfenceVma);
    let start = code.here();
    for (opcode, shift) in [(Opcode::Slli, 13), (Opcode::Srli, 7), (Opcode::Slli, 17)] {
        code.immediate(opcode, x(9), x(5), shift);
        code.op(Opcode::Xor, x(5), x(5), x(9), 0);
    }
    code.immediate(Opcode::Andi, x(10), x(5), PAGES as i64 - 1);
    code.immediate(Opcode::Slli, x(10), x(10), 12);
    code.immediate(Opcode::Srli, x(11), x(5), 8);
    code.immediate(Opcode::Andi, x(11), x(11), WORDS as i64 - 1);
    code.immediate(Opcode::Slli, x(11), x(11), 3);
    code.op(Opcode::Add, x(10), x(10), x(11), 0);
    code.op(Opcode::Add, x(10), x(10), x(8), 0);
    // One of the two addresses.
    code.immediate(Opcode::Srli, x(11), x(5), 9);
    code.op(Opcode::And, x(11), x(11), x(20), 0);
    code.op(Opcode::Add, x(10), x(10), x(11), 0);
    code.immediate(Opcode::Srli, x(11), x(5), 20);
    code.immediate(Opcode::Andi, x(11), x(11), 3);
    // Past the three instructions of a store.
    code.store(Opcode::Bne, x(0), x(11), 5 * 4);
    code.immediate(Opcode::Srli, x(12), x(5), 30);
    code.immediate(Opcode::Andi, x(12), x(12), 1);
    code.store(Opcode::Sd, x(12), x(10), 0);
    code.op(Opcode::Jal, x(0), x(0), x(0), 7 * 4);
    code.immediate(Opcode::Ld, x(12), x(10), 0);
    code.immediate(Opcode::Slli, x(13), x(7), 1);
    code.op(Opcode::Add, x(7), x(7), x(13), 0);
    code.op(Opcode::Add, x(7), x(7), x(12), 0);
    code.immediate(Opcode::Slli, x(7), x(7), 16);
    code.immediate(Opcode::Srli, x(7), x(7), 16);
    code.immediate(Opcode::Addi, x(6), x(6), -1);
    let back = start as i64 - code.here() as i64;
    code.store(Opcode::Bne, x(0), x(6), back);
    code.write_csr(SATP, x(0));
    code.plain(Opcode::SfenceVma);
    code.constant(x(9), BASE + REST);
    code.store(Opcode::Sd, x(7), x(9), 0);
    code.constant(x(9), FINISHER);
    code.constant(x(10), 0x5555);
    code.store(Opcode::Sw, x(10), x(9), 0);
    let mut image = vec![0; IMAGE_BYTES as usize];
    image[..code.words.len() * 4].copy_from_slice(&code.bytes());
    for index in [2, 3] {
        let leaf = MEMORY >> 12 << 10 | LEAF;
        let at = (ROOT + 8 * index) as usize;
        image[at..at + 8].copy_from_slice(&leaf.to_le_bytes());
    }
    for page in 0..REST_PAGES {
        let at = (REST + page * 4096) as usize;
        image[at + 8..at + 4096].fill(page as u8 / 2 + 1);
    }
    image
}

fn page_number(offset: u64) -> u64 {
    (BASE + offset - MEMORY) / 4096
}

/// Draws what the host does.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = step(self.0);
        self.0 % limit
    }
}

struct Play {
    model: Model,
    dice: Dice,
    /// Pages of each VM that were given back.
    given: Vec<Vec<u64>>,
    merged: u64,
    swapped: u64,
}

impl Play {
    fn act(&mut self) {
        let index = self.dice.below(self.model.vms.len() as u64) as usize;
        let vm = self.model.vms[index];
        let pcpu = self.dice.below(2) as usize;
        let (host, store) = (&mut self.model.host, &mut self.model.store);
        let page = page_number(DATA) + self.dice.below(PAGES + REST_PAGES);
        let tier = if self.dice.below(2) == 0 { Tier::Outside } else { Tier::Compressed };
        match self.dice.below(8) {
            0..4 => {
                let finding =
                    if self.dice.below(3) == 0 { Finding::Unstable } else { Finding::Hints };
                let most_sharers = 2 + self.dice.below(8);
                let scan = Scan { first_page: 0, pages: u64::MAX, finding, most_sharers };
                self.merged += host.scan_pages(store, pcpu, vm, &scan).unwrap().shared;
            }
            4..6 => {
                let first = (self.dice.below(2) == 0).then_some(Finding::Hints);
                let out = host.swap_out(store, pcpu, (vm, page), tier, first).unwrap();
                self.swapped += u64::from(out == SwapOut::Swapped);
            }
            6 => {
                let page = page_number(REST) + 1 + self.dice.below(REST_PAGES - 1);
                host.give_back_page(store, vm, page).unwrap();
                self.given[index].push(page);
            }
            _ => host.sample_pages(store, vm, &[page], Some(pcpu)).unwrap(),
        }
        check_frames(&self.model.host, &self.model.vms);
    }

    /// What a guest would read in each page.
    fn check(&mut self, index: usize, seed: u64, rounds: u64) {
        let Model { host, store, vms, .. } = &mut self.model;
        let mut state = host.save_vm(store, vms[index]).unwrap();
        let page = |number: u64| store.page(state.pages[number as usize]);
        let word =
            |page: &[u8], at: usize| u64::from_le_bytes(page[at * 8..][..8].try_into().unwrap());
        let words = (0..PAGES).flat_map(|number| {
            let page = page(page_number(DATA) + number);
            (0..WORDS as usize).map(move |at| word(page, at))
        });
        let sum = word(page(page_number(REST)), 0);
        assert_eq!(Expected { words: words.collect(), sum }, expected(seed, rounds));
        for number in 0..REST_PAGES {
            let given = self.given[index].contains(&(page_number(REST) + number));
            let byte = if given { 0 } else { number as u8 / 2 + 1 };
            let rest = page(page_number(REST) + number);
            assert!(rest[8..PAGE_BYTES].iter().all(|each| *each == byte), "page {number}");
        }
        state.release(store);
    }
}

fn play(cell: Cell, seed: u64, rounds: u64) -> Play {
    let mut model = Model::of(cell.technique, 2, 8 * MIB);
    model.turn_ns = 300_000;
    model.host.guard_frames(64);
    let seeds = [seed, seed ^ 0xabcd, seed ^ 0x1234_5678];
    for seed in seeds {
        model.add_image(config(cell, 4 * MIB, ""), &image(seed, rounds), None);
    }
    let dice = Dice(seed.rotate_left(17) | 1);
    let mut play = Play { model, dice, given: vec![Vec::new(); 3], merged: 0, swapped: 0 };
    play.model.take_turns();
    while !play.model.has_ended() {
        let next = play.model.now_ns + 1_000 + play.dice.below(15_000);
        play.model.play_until(next);
        play.act();
        play.model.host.audit(&mut play.model.store).unwrap();
    }
    play.model.play();
    for (index, seed) in seeds.into_iter().enumerate() {
        play.check(index, seed, rounds);
    }
    play
}

#[test]
fn every_guest_reads_what_it_wrote() {
    for (number, cell) in monitored_cells().into_iter().enumerate() {
        let (mut merged, mut swapped, mut swap_ins) = (0, 0, 0);
        for seed in 1..=3 {
            let mut played = play(cell, seed * 0x9e37_79b9 + number as u64, 3_000);
            merged += played.merged;
            (swapped, swap_ins) = (swapped + played.swapped, swap_ins + played.model.swap_ins);
            for vm in played.model.vms.clone() {
                played.model.host.destroy_vm(&mut played.model.store, vm).unwrap();
            }
            let host = &played.model.host;
            assert_eq!(host.free_frame_count(), host.frame_count(), "{cell:?}");
            assert_eq!(played.model.store.used_bytes(), 0, "{cell:?}");
        }
        let acted = merged > 20 && swapped > 5 && swap_ins > 0;
        assert!(acted, "{cell:?}: {merged} {swapped} {swap_ins}");
    }
}

const CELL: Cell = Cell { technique: TechniqueKind::TrapAndEmulate, paging: PagingKind::ShadowTlb };

fn scan_all(host: &mut Host, store: &mut dcsim_memory::PageStore, vm: VmId) -> u64 {
    let finding = Finding::Hints;
    let scan = Scan { first_page: 0, pages: u64::MAX, finding, most_sharers: u64::MAX };
    host.scan_pages(store, 0, vm, &scan).unwrap().shared
}

#[test]
fn no_frame_is_lost_over_ten_thousand_lifetimes() {
    let mut model = Model::of(CELL.technique, 1, 2 * MIB);
    let (host, store) = (&mut model.host, &mut model.store);
    let kernel = image(1, 1);
    let mut dice = Dice(77);
    let mut vms = Vec::new();
    for _ in 0..10_000 {
        let vm = host.create_vm(store, config(CELL, 4 * MIB, ""), &kernel, None).unwrap();
        vms.push(vm);
        let page = page_number(REST) + dice.below(REST_PAGES);
        match dice.below(4) {
            0 => _ = scan_all(host, store, vm),
            1 => _ = host.swap_out(store, 0, (vm, page), Tier::Outside, None).unwrap(),
            2 => _ = host.swap_out(store, 0, (vm, page), Tier::Compressed, None).unwrap(),
            _ => _ = host.give_back_page(store, vm, page).unwrap(),
        }
        check_frames(host, &vms);
        if vms.len() > 3 {
            let gone = vms.swap_remove(dice.below(4) as usize);
            host.destroy_vm(store, gone).unwrap();
        }
    }
    for vm in vms {
        host.destroy_vm(store, vm).unwrap();
    }
    assert_eq!(host.free_frame_count(), host.frame_count());
    assert_eq!(store.used_bytes(), 0);
}

/// A VM whose image was loaded, and that never runs.
fn loaded() -> (Model, VmId) {
    let mut model = Model::of(CELL.technique, 1, 4 * MIB);
    let vm = model.add_image(config(CELL, 4 * MIB, ""), &image(1, 1), None);
    (model, vm)
}

#[test]
fn a_page_is_somewhere_in_each_state() {
    let (mut model, vm) = loaded();
    let (host, store) = (&mut model.host, &mut model.store);
    let page = page_number(REST) + 2;
    let resident = host.resident_pages(store, vm).unwrap();
    let numbers = (0..resident).map(|nth| host.resident_page(store, vm, nth).unwrap());
    assert!(numbers.collect::<Vec<_>>().contains(&page));
    assert!(host.resident_page(store, vm, resident).is_err());
    assert_eq!(host.page_state(store, vm, page).unwrap(), "resident");
    for (tier, name) in [(Tier::Outside, "swapped"), (Tier::Compressed, "compressed")] {
        let free = host.free_frame_count();
        let out = host.swap_out(store, 0, (vm, page), tier, None).unwrap();
        assert_eq!((out, host.page_state(store, vm, page).unwrap()), (SwapOut::Swapped, name));
        assert_eq!(host.swapped_pages(vm).unwrap(), 1);
        // A compressed page takes a frame that has room for more.
        let pool = host.compression();
        assert_eq!(host.free_frame_count() + pool.frames, free + 1);
        assert!(host.swap_in(store, vm, page, None).unwrap());
        assert!(host.swap_in(store, vm, page, None).is_err());
        assert_eq!((host.free_frame_count(), host.swapped_pages(vm).unwrap()), (free, 0));
    }
    let free = host.free_frame_count();
    // Pages 2 and 3 of the rest are alike.
    let out = host.swap_out(store, 0, (vm, page + 1), Tier::Outside, Some(Finding::Hints));
    assert_eq!(out.unwrap(), SwapOut::Swapped);
    assert!(host.swap_in(store, vm, page + 1, None).unwrap());
    assert!(scan_all(host, store, vm) > 0);
    assert_eq!(host.page_state(store, vm, page).unwrap(), "shared");
    assert!(host.free_frame_count() > free);
    let refused = host.swap_out(store, 0, (vm, page), Tier::Outside, None).unwrap();
    assert_eq!(refused, SwapOut::Refused);
    assert!(host.give_back_page(store, vm, page).unwrap());
    assert!(!host.give_back_page(store, vm, page).unwrap());
    assert_eq!(host.page_state(store, vm, page).unwrap(), "absent");
}

#[test]
fn what_is_shared_is_what_an_independent_count_finds() {
    let mut model = Model::of(CELL.technique, 1, 16 * MIB);
    for _ in 0..4 {
        model.add_image(config(CELL, 4 * MIB, ""), &image(1, 1), None);
    }
    let (host, store) = (&mut model.host, &mut model.store);
    let (pages, contents) = host.count_identical_pages(store);
    for vm in model.vms.clone() {
        scan_all(host, store, vm);
    }
    let sharing = host.sharing(store);
    assert_eq!((sharing.pages, sharing.frames), (pages, contents));
    assert_eq!(host.count_identical_pages(store), (pages, contents));
    assert!(sharing.zero_pages > 0 && sharing.reclaimed() == pages - contents);
}

#[test]
fn guests_without_a_monitor_in_between_are_refused() {
    let mut model = Model::of(TechniqueKind::BareMetal, 1, 8 * MIB);
    let vm = model.add(config(TechniqueKind::BareMetal, 8 * MIB, "init=idle"), None);
    let (host, store) = (&mut model.host, &mut model.store);
    let refused = host.swap_out(store, 0, (vm, 0), Tier::Outside, None);
    assert!(matches!(refused, Err(HostError::Refused(_))), "{refused:?}");
}

#[test]
fn samples_and_accessed_bits_tell_what_the_guest_uses() {
    for cell in monitored_cells() {
        let mut model = Model::of(cell.technique, 1, 8 * MIB);
        let vm = model.add_image(config(cell, 4 * MIB, ""), &image(5, u64::MAX >> 1), None);
        model.take_turns();
        model.play_until(400_000);
        let (host, store) = (&mut model.host, &mut model.store);
        let used: Vec<_> = (0..PAGES).map(|page| page_number(DATA) + page).collect();
        let idle: Vec<_> = (0..REST_PAGES).map(|page| page_number(REST) + page).collect();
        let pages: Vec<_> = used.iter().chain(&idle).copied().collect();
        host.sample_pages(store, vm, &pages, None).unwrap();
        assert_eq!(host.touched_samples(vm).unwrap(), 0, "{cell:?}");
        host.clear_accessed(store, vm).unwrap();
        assert_eq!(host.accessed_pages(store, vm).unwrap(), 0, "{cell:?}");
        model.play_until(800_000);
        let (host, store) = (&mut model.host, &mut model.store);
        assert_eq!(host.touched_samples(vm).unwrap(), PAGES, "{cell:?}");
        let accessed = host.accessed_pages(store, vm).unwrap();
        // Its code, and its table where hardware walks that.
        let own = 1 + u64::from(cell.paging == PagingKind::Nested);
        let translated = cell.technique == TechniqueKind::BinaryTranslation;
        assert!(accessed == PAGES + own || translated, "{cell:?}: {accessed}");
    }
}

#[test]
fn what_is_kept_back_is_for_pages_that_come_back() {
    let (mut model, vm) = loaded();
    let page = page_number(REST);
    let out = model.host.swap_out(&mut model.store, 0, (vm, page), Tier::Outside, None).unwrap();
    assert_eq!(out, SwapOut::Swapped);
    let free = model.host.free_frame_count();
    model.host.set_frame_reserve(free);
    model.take_turns();
    let exit = model.host.run(&mut model.store, 1_000_000).unwrap();
    assert_eq!(exit.kind.name(), "memory");
    assert!(model.host.swap_in(&mut model.store, vm, page, None).unwrap());
    model.host.set_frame_reserve(0);
    let exit = model.host.run(&mut model.store, 1_000_000).unwrap();
    assert_eq!(exit.kind.name(), "shutdown");
}

#[test]
fn that_frames_are_scarce_is_told_once() {
    let (mut model, _) = loaded();
    let free = model.host.free_frame_count();
    model.host.set_frame_watermark(free);
    model.take_turns();
    let exit = model.host.run(&mut model.store, 1_000_000).unwrap();
    assert_eq!(exit.kind.name(), "scarce");
    assert!(model.host.free_frame_count() < free);
    let exit = model.host.run(&mut model.store, 1_000_000).unwrap();
    assert_eq!(exit.kind.name(), "shutdown");
}
