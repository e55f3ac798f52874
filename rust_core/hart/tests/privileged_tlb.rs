//! The TLBs against a model that has no software TLB.
//!
//! The model below is the modelled TLB and the walk written once more, as plainly as possible, and
//! asked about every single access. Random sequences of accesses, fences, changes of address space,
//! privilege and status, edits of tables, and events that end software entries must give the same
//! outcome, the same misses and the same cycles as the hart, which answers most of them from its
//! software TLB.

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

mod privileged_world;

use dcsim_hart::{Abort, Exception, Privilege, Timing, TlbShape, Trap, Width};
use dcsim_memory::PhysicalAddress;
use privileged_world::{A, ADUE, D, G, R, RAM, Random, U, V, W, World, X, csr, index, status};

const WALK_CYCLES: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Fetch,
    Load,
    Store,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    va: u64,
    asid: u64,
    level: u32,
    pte: u64,
}

impl Entry {
    fn size(&self) -> u64 {
        1 << (12 + 9 * self.level)
    }

    fn covers(&self, va: u64) -> bool {
        va / self.size() == self.va / self.size()
    }
}

/// Sets of entries, the oldest first.
struct Tlb {
    sets: Vec<Vec<Entry>>,
    ways: usize,
}

impl Tlb {
    fn new(shape: TlbShape) -> Self {
        Self { sets: vec![Vec::new(); shape.entries / shape.ways], ways: shape.ways }
    }

    fn set(&mut self, va: u64, level: u32) -> &mut Vec<Entry> {
        let count = self.sets.len() as u64;
        &mut self.sets[((va >> (12 + 9 * level)) % count) as usize]
    }

    fn find(&mut self, va: u64, asid: u64) -> Option<Entry> {
        (0..3).find_map(|level| {
            let set = self.set(va, level);
            let is_it = |entry: &&Entry| {
                entry.level == level
                    && entry.covers(va)
                    && (entry.asid == asid || entry.pte & G != 0)
            };
            set.iter().find(is_it).copied()
        })
    }

    fn drop_entry(&mut self, gone: Entry) {
        let same =
            |entry: &Entry| (entry.va, entry.asid, entry.level) == (gone.va, gone.asid, gone.level);
        self.set(gone.va, gone.level).retain(|entry| !same(entry));
    }

    fn insert(&mut self, new: Entry) {
        let ways = self.ways;
        let set = self.set(new.va, new.level);
        let is_rival = |entry: &Entry| {
            let shared = (new.pte | entry.pte) & G != 0 || entry.asid == new.asid;
            entry.level == new.level && entry.covers(new.va) && shared
        };
        set.retain(|entry| !is_rival(entry));
        if set.len() == ways {
            set.remove(0);
        }
        set.push(new);
    }

    fn fence(&mut self, va: Option<u64>, asid: Option<u64>) {
        let ends = |entry: &Entry| {
            va.is_none_or(|va| entry.covers(va))
                && asid.is_none_or(|asid| entry.asid == asid && entry.pte & G == 0)
        };
        self.sets.iter_mut().for_each(|set| set.retain(|entry| !ends(entry)));
    }
}

/// What an access should do.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// The physical address, or none for a page fault.
    physical: Option<u64>,
    missed: bool,
    references: u64,
}

struct Model {
    itlb: Tlb,
    dtlb: Tlb,
    privilege: Privilege,
    sum: bool,
    mxr: bool,
    hardware_marks: bool,
    root: u64,
    asid: u64,
}

impl Model {
    fn permits(&self, kind: Kind, pte: u64) -> bool {
        let right = match kind {
            Kind::Fetch => X,
            Kind::Load if self.mxr => R | X,
            Kind::Load => R,
            Kind::Store => W,
        };
        let reachable = match (self.privilege, pte & U != 0) {
            (Privilege::User, is_user) => is_user,
            (_, is_user) => !is_user || (self.sum && kind != Kind::Fetch),
        };
        pte & right != 0 && reachable
    }

    fn marks(kind: Kind) -> u64 {
        if kind == Kind::Store { A | D } else { A }
    }

    fn tlb(&mut self, kind: Kind) -> &mut Tlb {
        if kind == Kind::Fetch { &mut self.itlb } else { &mut self.dtlb }
    }

    fn access(&mut self, world: &mut World, kind: Kind, va: u64) -> Outcome {
        let asid = self.asid;
        if let Some(entry) = self.tlb(kind).find(va, asid) {
            if self.permits(kind, entry.pte) && entry.pte & Self::marks(kind) == Self::marks(kind) {
                let physical = (entry.pte >> 10 << 12) + va % entry.size();
                return Outcome { physical: Some(physical), missed: false, references: 0 };
            }
            self.tlb(kind).drop_entry(entry);
        }
        let (found, references) = self.walk(world, kind, va);
        let physical = found.map(|entry| {
            self.tlb(kind).insert(entry);
            (entry.pte >> 10 << 12) + va % entry.size()
        });
        Outcome { physical, missed: true, references }
    }

    fn walk(&self, world: &mut World, kind: Kind, va: u64) -> (Option<Entry>, u64) {
        let mut table = self.root;
        for level in (0..3).rev() {
            let pte = world.peek(table + index(va, level) * 8);
            let references = u64::from(3 - level);
            if pte & V == 0 {
                return (None, references);
            }
            if pte & (R | X) == 0 {
                table = pte >> 10 << 12;
                continue;
            }
            let marked = pte | Self::marks(kind);
            if !self.permits(kind, pte) || (marked != pte && !self.hardware_marks) {
                return (None, references);
            }
            let size = 1_u64 << (12 + 9 * level);
            let entry = Entry { va: va / size * size, asid: self.asid, level, pte: marked };
            return (Some(entry), references);
        }
        (None, 3)
    }
}

/// A world with two address spaces full of pages, and what a random sequence does to it.
struct Play {
    world: World,
    model: Model,
    random: Random,
    roots: [u64; 2],
    pages: Vec<u64>,
    slots: Vec<u64>,
    /// The pointers to the tables of the small pages.
    tables: Vec<u64>,
}

/// Data pages; each is filled with its own address.
const DATA_PAGES: u64 = 32;

impl Play {
    fn new(seed: u64, itlb: TlbShape, dtlb: TlbShape) -> Self {
        let timing = Timing { walk_reference_cycles: WALK_CYCLES, itlb, dtlb, ..Timing::uniform() };
        let mut world = World::open_with_timing(timing);
        let roots = [world.new_table(), world.new_table()];
        for page in 0..DATA_PAGES {
            fill_page(&mut world, RAM + page * 4096);
        }
        world.hart.set_privilege(Privilege::Supervisor);
        world.use_sv39(roots[0], 0);
        let model = Model {
            itlb: Tlb::new(itlb),
            dtlb: Tlb::new(dtlb),
            privilege: Privilege::Supervisor,
            sum: false,
            mxr: false,
            hardware_marks: false,
            root: roots[0],
            asid: 0,
        };
        let random = Random(seed);
        let (pages, slots, tables) = Default::default();
        let mut play = Self { world, model, random, roots, pages, slots, tables };
        play.make_pages();
        play
    }

    /// Small pages that share sets, and a superpage over all data.
    fn make_pages(&mut self) {
        let low = [0, 1, 2, 3, 4, 8, 16, 24, 25].map(|page| 0x40_0000 + page * 4096);
        for root in self.roots {
            for va in low {
                let entry = self.random_entry();
                self.slots.push(self.world.map(root, 3, va, 0, entry));
            }
            let superpage = RAM >> 2 | V | R | W | X | A | D;
            self.slots.push(self.world.map(root, 3, 0x4000_0000, 1, superpage));
            let pointer = self.world.slot(root, 0x40_0000, 1);
            self.tables.push(self.world.peek(pointer));
        }
        self.pages.extend(low);
        self.pages.extend([0, 5, 31].map(|page| 0x4000_0000 + page * 4096));
        self.pages.push(0x7000_0000);
    }

    fn random_entry(&mut self) -> u64 {
        let page = RAM + self.random.below(DATA_PAGES) * 4096;
        let rights = self.random.pick(&[R, R | W, X, R | X, R | W | X, R | W | X, R | W]);
        let marks = self.random.pick(&[0, A, A | D, A | D, A | D]);
        let user = self.random.pick(&[0, 0, U]);
        let global = self.random.pick(&[0, 0, 0, G]);
        let valid = self.random.pick(&[V, V, V, V, V, V, V, 0]);
        page >> 2 | rights | marks | user | global | valid
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..=69 => self.access(),
            70..=73 => self.fence(),
            74..=80 => self.switch_space(),
            81..=86 => self.switch_mode(),
            87..=89 => self.edit_table(),
            90..=92 => self.end_software_entries(),
            93 => self.toggle_hardware_marks(),
            94 => self.flip_size(),
            95 => self.visit_from_two_spaces(),
            _ => self.repeat_accesses(),
        }
    }

    fn access(&mut self) {
        let kind = self.random.pick(&[Kind::Fetch, Kind::Load, Kind::Load, Kind::Store]);
        let va = self.random.pick(&self.pages) + self.random.below(512) * 8;
        self.check(kind, va);
    }

    /// Sweeps over a few pages, as a loop does.
    fn repeat_accesses(&mut self) {
        let kind = self.random.pick(&[Kind::Fetch, Kind::Load, Kind::Store]);
        let first = self.random.below(self.pages.len() as u64 - 4) as usize;
        for _ in 0..3 {
            for page in first..first + 4 {
                self.check(kind, self.pages[page] + 8);
            }
        }
    }

    fn check(&mut self, kind: Kind, va: u64) {
        let before = (self.world.hart.counters, self.world.hart.clock.cycles);
        let expected = self.model.access(&mut self.world, kind, va);
        let result = match kind {
            Kind::Fetch => self.world.fetch(va).map(u64::from),
            Kind::Load => self.world.load(va, Width::Double),
            Kind::Store => {
                let value = expected.physical.unwrap_or(0) & !0xfff;
                self.world.store(va, Width::Double, value).map(|_| value)
            }
        };
        let (counters, cycles) = (self.world.hart.counters, self.world.hart.clock.cycles);
        let missed = match kind {
            Kind::Fetch => counters.itlb_misses - before.0.itlb_misses,
            _ => counters.dtlb_misses - before.0.dtlb_misses,
        };
        let context = format!("{kind:?} at {va:#x}: {expected:x?}");
        assert_eq!(missed, u64::from(expected.missed), "{context}");
        assert_eq!(
            counters.walk_references - before.0.walk_references,
            expected.references,
            "{context}"
        );
        assert_eq!(cycles - before.1, expected.references * WALK_CYCLES, "{context}");
        assert_eq!(result, expected_value(kind, va, &expected), "{context}");
    }

    fn fence(&mut self) {
        let va = self.random.pick(&self.pages) + self.random.below(4096);
        let va = self.random.pick(&[None, Some(va), Some(va), Some(va)]);
        let asid = self.random.pick(&[None, None, Some(0), Some(1), Some(2)]);
        self.world.hart.set_privilege(Privilege::Machine);
        self.world.hart.sfence_vma(va, asid).unwrap();
        self.world.hart.set_privilege(self.model.privilege);
        self.model.itlb.fence(va, asid);
        self.model.dtlb.fence(va, asid);
    }

    fn switch_space(&mut self) {
        self.model.root = self.random.pick(&self.roots);
        self.model.asid = self.random.below(3);
        self.world.use_sv39(self.model.root, self.model.asid);
    }

    fn switch_mode(&mut self) {
        self.model.privilege = self.random.pick(&[Privilege::User, Privilege::Supervisor]);
        self.model.sum = self.random.below(2) == 0;
        self.model.mxr = self.random.below(4) == 0;
        let sum = if self.model.sum { status::SUM } else { 0 };
        let mxr = if self.model.mxr { status::MXR } else { 0 };
        self.world.write(csr::SSTATUS, sum | mxr);
        self.world.hart.set_privilege(self.model.privilege);
    }

    /// Changes an entry behind the TLBs' back, without a fence.
    fn edit_table(&mut self) {
        let slot = self.random.pick(&self.slots);
        let superpage = self.slots.iter().position(|other| *other == slot).unwrap() % 10 == 9;
        let entry = if superpage {
            RAM >> 2 | self.random.pick(&[R, R | W | X]) | self.random.pick(&[0, G]) | A | V
        } else {
            self.random_entry()
        };
        let address = PhysicalAddress(slot);
        self.world.memory().write_u64(address, entry).unwrap();
        self.world.begin();
    }

    /// Turns the table of the small pages into a superpage, or back, without a fence.
    fn flip_size(&mut self) {
        let space = self.random.below(2) as usize;
        let slot = self.world.slot(self.roots[space], 0x40_0000, 1);
        let global = self.random.pick(&[0, G]);
        let superpage = RAM >> 2 | V | R | W | X | A | D | global;
        let entry = self.world.peek(slot);
        let is_superpage = entry & (R | X) != 0;
        let next = if is_superpage { self.tables[space] } else { superpage };
        self.world.poke(slot, next);
    }

    /// Touches one page in one address space, in the other, and in the first again.
    fn visit_from_two_spaces(&mut self) {
        let va = self.random.pick(&self.pages[..9]) + 0x10;
        for space in [0, 1, 0] {
            self.model.root = self.roots[space];
            self.model.asid = space as u64;
            self.world.use_sv39(self.model.root, self.model.asid);
            for _ in 0..2 {
                let kind = self.random.pick(&[Kind::Fetch, Kind::Load, Kind::Store]);
                self.check(kind, va);
            }
        }
    }

    /// Things that end software entries and must not be noticed.
    fn end_software_entries(&mut self) {
        let page = RAM + self.random.below(DATA_PAGES) * 4096;
        match self.random.below(4) {
            0 => {
                self.world.frames.take_dirty();
            }
            1 => self.world.set(csr::PMPCFG0, 0),
            2 => {
                let id = self.world.frames.share(&mut self.world.store, PhysicalAddress(page));
                fill_page(&mut self.world, page);
                self.world.store.release(id.unwrap());
            }
            _ => self.world.hart.forget_pages(),
        }
        self.world.begin();
    }

    fn toggle_hardware_marks(&mut self) {
        self.model.hardware_marks = !self.model.hardware_marks;
        self.world.write(csr::MENVCFG, if self.model.hardware_marks { ADUE } else { 0 });
    }
}

fn fill_page(world: &mut World, page: u64) {
    for offset in (0..4096).step_by(8) {
        world.memory().write_u64(PhysicalAddress(page + offset), page).unwrap();
    }
}

fn expected_value(kind: Kind, va: u64, expected: &Outcome) -> Result<u64, Abort> {
    let fault = match kind {
        Kind::Fetch => Exception::InstructionPageFault,
        Kind::Load => Exception::LoadPageFault,
        Kind::Store => Exception::StorePageFault,
    };
    match expected.physical {
        None => Err(Abort::Trap(Trap::new(fault, va))),
        Some(physical) if kind == Kind::Fetch => Ok(physical & 0xf000),
        Some(physical) => Ok(physical & !0xfff),
    }
}

fn play(seed: u64, itlb: TlbShape, dtlb: TlbShape) {
    let mut play = Play::new(seed, itlb, dtlb);
    for _ in 0..40_000 {
        play.step();
    }
    let counters = play.world.hart.counters;
    assert!(counters.itlb_misses > 1000 && counters.dtlb_misses > 1000);
}

#[test]
fn small_fully_associative_tlbs_agree_with_the_model() {
    play(1, TlbShape { entries: 3, ways: 3 }, TlbShape { entries: 4, ways: 4 });
    play(2, TlbShape { entries: 1, ways: 1 }, TlbShape { entries: 1, ways: 1 });
}

#[test]
fn set_associative_tlbs_agree_with_the_model() {
    play(3, TlbShape { entries: 4, ways: 2 }, TlbShape { entries: 8, ways: 2 });
    play(4, TlbShape { entries: 8, ways: 1 }, TlbShape { entries: 4, ways: 1 });
    play(5, TlbShape { entries: 6, ways: 2 }, TlbShape { entries: 6, ways: 3 });
}

#[test]
fn large_tlbs_agree_with_the_model() {
    play(6, TlbShape { entries: 32, ways: 32 }, TlbShape { entries: 64, ways: 4 });
}
