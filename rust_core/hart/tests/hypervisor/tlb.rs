//! The TLBs with guests: whose translations are whose, what fences end, and that the software TLB
//! changes nothing.

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

use crate::world::*;
use dcsim_hart::{Abort, Counters, Right, Timing, TlbShape, Width};

const VS_LEAF: u64 = V | R | W | X | A | D;
/// A page that is global to the guest.
const GLOBAL: u64 = 0x2345_6000;

/// A guest with a page, and a global one, that have been read.
fn visited() -> Guest {
    let mut guest = Guest::new(SV39, SV39);
    guest.map_first(PAGE, 0, DATA, VS_LEAF);
    guest.map_first(GLOBAL, 0, DATA, VS_LEAF | G);
    guest.use_vmid(3);
    guest.use_asid(7);
    visit(&mut guest);
    guest
}

fn visit(guest: &mut Guest) {
    for va in [PAGE, GLOBAL] {
        guest.load(va).unwrap();
    }
}

/// Whether the TLB still holds the page, and the global one.
fn held(guest: &mut Guest) -> [bool; 2] {
    [PAGE, GLOBAL].map(|va| guest.references(|guest| assert!(guest.load(va).is_ok())) == 0)
}

#[test]
fn guests_with_different_vmids_share_nothing() {
    let mut guest = visited();
    guest.use_vmid(4);
    assert_eq!(held(&mut guest), [false, false]);
    guest.use_vmid(3);
    assert_eq!(held(&mut guest), [true, true], "and the first one's are still there");
}

#[test]
fn address_spaces_of_a_guest_share_its_global_pages() {
    let mut guest = visited();
    guest.use_asid(8);
    assert_eq!(held(&mut guest), [false, true]);
}

#[test]
fn host_and_guest_share_nothing() {
    let mut guest = visited();
    let root = guest.world.new_table();
    guest.world.map_page(root, PAGE, RAM + DATA + 0x1000, V | R | A);
    guest.world.poke(RAM + DATA + 0x1000, 0xaa);
    guest.world.use_sv39(root, 7);
    enter(&mut guest.world, HS_MODE);
    assert_eq!(guest.references(|guest| assert_eq!(guest.load(PAGE), Ok(0xaa))), 3);
    enter(&mut guest.world, VS_MODE);
    assert_eq!(held(&mut guest), [true, true]);
    assert_eq!(guest.load(PAGE), Ok(0));
}

#[test]
fn a_change_of_the_world_ends_nothing() {
    let mut guest = visited();
    guest.world.write(csr::MEDELEG, u64::MAX);
    guest.world.hart.take_trap(dcsim_hart::Trap::VIRTUAL);
    guest.world.hart.sret().unwrap();
    assert_eq!(mode(&guest.world), VS_MODE);
    assert_eq!(held(&mut guest), [true, true]);
}

/// With and without a first stage the same address is not the same page, and no fence is needed.
#[test]
fn switching_the_first_stage_on_or_off_takes_effect_at_once() {
    let mut guest = Guest::new(SV39, SV39);
    let va = GUEST_RAM + DATA;
    guest.map_first(va, 0, DATA + 0x1000, VS_LEAF);
    guest.world.poke(RAM + DATA, 1);
    guest.world.poke(RAM + DATA + 0x1000, 2);
    for _ in 0..2 {
        assert_eq!(guest.load(va), Ok(2));
        let vsatp = guest.world.read(hcsr::VSATP);
        guest.world.write(hcsr::VSATP, 0);
        assert_eq!(guest.load(va), Ok(1));
        guest.world.write(hcsr::VSATP, vsatp);
    }
}

type Fence = fn(&mut Guest);

/// A fence, and what it leaves of the page and of the global one.
const FENCES: &[(&str, Fence, [bool; 2])] = &[
    ("guest, all", |guest| fence_in_guest(guest, None, None), [false, false]),
    ("guest, space", |guest| fence_in_guest(guest, None, Some(7)), [false, true]),
    ("guest, other space", |guest| fence_in_guest(guest, None, Some(8)), [true, true]),
    ("guest, page", |guest| fence_in_guest(guest, Some(PAGE + 8), None), [false, true]),
    ("guest, global page", |guest| fence_in_guest(guest, Some(GLOBAL), None), [true, false]),
    ("guest, global page, space", |guest| fence_in_guest(guest, Some(GLOBAL), Some(7)), [true; 2]),
    ("host's own, all", |guest| fence_in_host(guest, None, None), [true, true]),
    ("host's own, page", |guest| fence_in_host(guest, Some(PAGE), None), [true, true]),
    ("host's own, space", |guest| fence_in_host(guest, None, Some(7)), [true, true]),
    ("vvma, all", |guest| vvma(guest, None, None), [false, false]),
    ("vvma, space", |guest| vvma(guest, None, Some(7)), [false, true]),
    ("vvma, page", |guest| vvma(guest, Some(PAGE), None), [false, true]),
    ("vvma, page, other space", |guest| vvma(guest, Some(PAGE), Some(8)), [true, true]),
    ("gvma, all", |guest| gvma(guest, None), [false, false]),
    ("gvma, guest", |guest| gvma(guest, Some(3)), [false, false]),
    ("gvma, other guest", |guest| gvma(guest, Some(4)), [true, true]),
    // Bits of the register above the VMID are ignored.
    ("gvma, wide", |guest| gvma(guest, Some(0xffff_0000_0000_c003)), [false, false]),
];

fn fence_in_guest(guest: &mut Guest, va: Option<u64>, asid: Option<u64>) {
    guest.world.hart.sfence_vma(va, asid).unwrap();
}

fn in_host(guest: &mut Guest, fence: impl FnOnce(&mut Guest)) {
    enter(&mut guest.world, HS_MODE);
    fence(guest);
    enter(&mut guest.world, VS_MODE);
}

fn fence_in_host(guest: &mut Guest, va: Option<u64>, asid: Option<u64>) {
    in_host(guest, |guest| guest.world.hart.sfence_vma(va, asid).unwrap());
}

fn vvma(guest: &mut Guest, va: Option<u64>, asid: Option<u64>) {
    in_host(guest, |guest| guest.world.hart.hfence_vvma(va, asid).unwrap());
}

fn gvma(guest: &mut Guest, vmid: Option<u64>) {
    in_host(guest, |guest| guest.world.hart.hfence_gvma(vmid).unwrap());
}

#[test]
fn fences_end_what_they_name() {
    for (name, fence, expected) in FENCES {
        let mut guest = visited();
        fence(&mut guest);
        assert_eq!(held(&mut guest), *expected, "{name}");
    }
}

/// Fences for the guest's own tables are for the guest that `hgatp` names, and no other.
#[test]
fn fences_of_one_guest_leave_the_others() {
    let fences: [Fence; 3] = [
        |guest| fence_in_guest(guest, None, None),
        |guest| vvma(guest, None, None),
        |guest| vvma(guest, Some(PAGE), None),
    ];
    for fence in fences {
        let mut guest = visited();
        guest.use_vmid(4);
        fence(&mut guest);
        guest.use_vmid(3);
        assert_eq!(held(&mut guest), [true, true]);
    }
}

#[test]
fn fences_of_the_host_end_the_hosts_only() {
    let mut guest = visited();
    let root = guest.world.new_table();
    guest.world.map_page(root, PAGE, RAM + DATA, V | R | A);
    guest.world.use_sv39(root, 7);
    enter(&mut guest.world, HS_MODE);
    guest.load(PAGE).unwrap();
    guest.world.hart.hfence_gvma(None).unwrap();
    guest.world.hart.hfence_vvma(None, None).unwrap();
    assert_eq!(guest.references(|guest| assert!(guest.load(PAGE).is_ok())), 0);
    guest.world.hart.sfence_vma(None, None).unwrap();
    assert_eq!(guest.references(|guest| assert!(guest.load(PAGE).is_ok())), 3);
}

/// A large page of the guest is one page to its fences, in however many pieces the TLB has it.
#[test]
fn a_fence_of_one_address_ends_all_of_a_large_page() {
    let mut guest = Guest::new(SV39, SV39);
    let large = 0x1220_0000;
    guest.map_first(large, 1, 0, VS_LEAF);
    for page in 0..4 {
        guest.load(large + page * 4096).unwrap();
    }
    fence_in_guest(&mut guest, Some(large + 0x1f_f000), None);
    for page in 0..4 {
        let va = large + page * 4096;
        assert_ne!(guest.references(|guest| assert!(guest.load(va).is_ok())), 0, "{page}");
    }
}

/// A right that the second stage takes away counts from the fence on, and one that it grants, at
/// once: a fault is always the result of a walk.
#[test]
fn rights_that_are_granted_need_no_fence() {
    let mut guest = visited();
    guest.map_second(DATA, 0, ALL & !W);
    assert!(guest.world.store(PAGE, Width::Double, 1).is_ok(), "the TLB holds the right");
    gvma(&mut guest, None);
    assert!(guest.world.store(PAGE, Width::Double, 1).is_err());
    guest.load(PAGE).unwrap();
    guest.map_second(DATA, 0, ALL);
    assert!(guest.world.store(PAGE, Width::Double, 1).is_ok());
}

/// Two equal machines, of which one forgets its software TLB before every access.
struct Play {
    quick: Guest,
    slow: Guest,
    random: Random,
}

const SPACES: u64 = 3;

impl Play {
    fn new(seed: u64, shape: TlbShape) -> Self {
        let timing =
            Timing { walk_reference_cycles: 5, itlb: shape, dtlb: shape, ..Timing::uniform() };
        let guest = || {
            let mut guest = Guest::with_timing(SV39, SV39, timing.clone());
            let root = guest.world.new_table();
            for page in 0..8 {
                let va = PAGE + page * 4096;
                guest.map_first(va, 0, page * 4096, VS_LEAF | if page % 3 == 0 { G } else { 0 });
                guest.world.map_page(root, va, RAM + page * 4096, V | R | W | X | A | D);
            }
            guest.map_first(0x1220_0000, 1, 0, VS_LEAF);
            guest.world.use_sv39(root, 0);
            guest.world.write(csr::MEDELEG, u64::MAX);
            guest
        };
        Self { quick: guest(), slow: guest(), random: Random(seed) }
    }

    fn both(&mut self, action: impl Fn(&mut Guest)) {
        action(&mut self.quick);
        action(&mut self.slow);
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=10 => self.access(),
            11 => {
                let mode = self.random.pick(&MODES);
                self.both(|guest| enter(&mut guest.world, mode));
            }
            12 => {
                let vmid = self.random.below(SPACES);
                self.both(|guest| guest.use_vmid(vmid));
            }
            13 => {
                let asid = self.random.below(SPACES);
                self.both(|guest| guest.use_asid(asid));
            }
            14 => self.fence(),
            15 => self.remap(),
            16 => self.change_status(),
            17 => {
                let vsatp = self.random.pick(&[0, 1]);
                self.both(|guest| {
                    guest.use_asid(0);
                    let value = guest.world.read(hcsr::VSATP) * vsatp;
                    guest.world.write(hcsr::VSATP, value);
                });
            }
            _ => self.access_for_guest(),
        }
    }

    fn address(&mut self) -> u64 {
        let page = self.random.below(9) * 4096;
        self.random.pick(&[PAGE, PAGE, 0x1220_0000, GUEST_RAM]) + page + 8
    }

    fn access(&mut self) {
        let (va, kind) = (self.address(), self.random.below(3));
        self.compare(va, |guest| match kind {
            0 => guest.world.fetch(va).map(u64::from),
            1 => guest.load(va),
            _ => guest.world.store(va, Width::Double, va).map(|_| 0),
        });
    }

    fn access_for_guest(&mut self) {
        let (va, kind) = (self.address(), self.random.below(3));
        self.compare(va, |guest| {
            guest.world.with(|hart, ports| match kind {
                0 => hart.load_from_guest(ports, va, Width::Word, Right::Execute),
                1 => hart.load_from_guest(ports, va, Width::Word, Right::Read),
                _ => hart.store_to_guest(ports, va, Width::Double, va).map(|_| 0),
            })
        });
    }

    fn compare(&mut self, va: u64, access: impl Fn(&mut Guest) -> Result<u64, Abort>) {
        for _ in 0..2 {
            self.slow.world.hart.forget_pages();
            let results = [access(&mut self.quick), access(&mut self.slow)];
            assert_eq!(results[0], results[1], "{va:#x}");
            let seen = |guest: &Guest| -> (Counters, u64) {
                (guest.world.hart.counters, guest.world.hart.clock.cycles)
            };
            assert_eq!(seen(&self.quick), seen(&self.slow), "{va:#x}");
        }
    }

    fn fence(&mut self) {
        let va = self.address();
        let va = self.random.pick(&[None, Some(va), Some(va)]);
        let asid = self.random.pick(&[None, Some(0), Some(1)]);
        let kind = self.random.below(3);
        self.both(|guest| match kind {
            0 => guest.world.hart.flush_translations(va, asid),
            1 => guest.world.hart.flush_guest_translations(va, asid),
            _ => guest.world.hart.flush_second_stage(asid),
        });
    }

    /// Changes an entry of one of the stages, without a fence.
    fn remap(&mut self) {
        let rights = self.random.pick(&[R, R | W, X, R | W | X, R | X]);
        let user = self.random.pick(&[0, U, U, U]);
        let marks = self.random.pick(&[A, A | D, A | D]);
        let (page, offset) = (self.random.below(8), self.random.below(8) * 4096);
        let bits = V | rights | user | marks;
        let is_first = self.random.below(2) == 0;
        self.both(|guest| {
            if is_first {
                guest.map_first(PAGE + page * 4096, 0, offset, bits);
            } else {
                guest.map_second(page * 4096, 0, bits);
            }
        });
    }

    fn change_status(&mut self) {
        let mut random = || self.random.next();
        let (own, host, more) = (random(), random(), random());
        self.both(|guest| {
            let bits = status::SUM | status::MXR;
            guest.world.write(hcsr::VSSTATUS, own & bits);
            guest.world.write(csr::SSTATUS, host & bits);
            guest.world.write(hcsr::HSTATUS, more & hstatus::SPVP);
            guest.world.write(csr::MENVCFG, more & ADUE);
            guest.world.write(hcsr::HENVCFG, own & ADUE);
        });
    }
}

fn play(seed: u64, entries: usize, ways: usize) {
    let mut play = Play::new(seed, TlbShape { entries, ways });
    for _ in 0..30_000 {
        play.step();
    }
    let counters = play.quick.world.hart.counters;
    assert!(counters.itlb_misses > 500 && counters.dtlb_misses > 500, "{counters:?}");
}

#[test]
fn the_software_tlb_changes_nothing() {
    play(1, 4, 4);
    play(2, 8, 2);
    play(3, 32, 32);
    play(4, 1, 1);
}
