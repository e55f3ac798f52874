//! Who may do what to which page: both stages, each with its rights, and the bits that widen them.
//!
//! Expected values are worked out from the rules of the hypervisor extension: "Two-Stage Address
//! Translation", "Hypervisor Virtual-Machine Load and Store Instructions" and "Effect of MPRV".

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

use crate::world::*;
use dcsim_hart::{Abort, Exception, Privilege, Right, Trap, Width};

/// What an access needs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    Fetch,
    Load,
    Store,
    /// A load that needs the right to execute in place of the right to read.
    LoadCode,
}

/// Everything that a right depends on.
#[derive(Clone, Copy, Debug)]
struct Case {
    need: Need,
    privilege: Privilege,
    first: u64,
    second: u64,
    sum: bool,
    guest_mxr: bool,
    host_mxr: bool,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Done,
    PageFault,
    GuestPageFault,
    Other(Abort),
}

impl Case {
    fn has_right(self, entry: u64, mxr: bool) -> bool {
        match self.need {
            Need::Fetch | Need::LoadCode => entry & X != 0,
            Need::Load => entry & R != 0 || (mxr && entry & X != 0),
            Need::Store => entry & W != 0,
        }
    }

    fn first_permits(self) -> bool {
        let is_user_page = self.first & U != 0;
        let reaches = match self.privilege {
            Privilege::User => is_user_page,
            _ => !is_user_page || (self.sum && self.need != Need::Fetch),
        };
        reaches && self.has_right(self.first, self.guest_mxr || self.host_mxr)
    }

    /// Accesses count as user mode's in the second stage.
    fn second_permits(self) -> bool {
        self.second & U != 0 && self.has_right(self.second, self.host_mxr)
    }

    fn expected(self) -> Outcome {
        match (self.first_permits(), self.second_permits()) {
            (false, _) => Outcome::PageFault,
            (true, false) => Outcome::GuestPageFault,
            (true, true) => Outcome::Done,
        }
    }

    /// Makes the guest what the case says; its own mode aside.
    fn prepare(self, guest: &mut Guest) {
        guest.map_first(PAGE, 0, DATA, V | A | D | self.first);
        guest.map_second(DATA, 0, V | A | D | self.second);
        let flag = |on: bool, bit: u64| if on { bit } else { 0 };
        let own = flag(self.sum, status::SUM) | flag(self.guest_mxr, status::MXR);
        guest.world.write(hcsr::VSSTATUS, own);
        // SUM of the host is ignored: it is the opposite of the guest's.
        let host = flag(!self.sum, status::SUM) | flag(self.host_mxr, status::MXR);
        guest.world.write(csr::SSTATUS, host);
        guest.world.hart.flush_second_stage(None);
    }
}

fn outcome(result: Result<u64, Abort>, need: Need) -> Outcome {
    let (page, guest_page) = match need {
        Need::Fetch => (Exception::InstructionPageFault, Exception::InstructionGuestPageFault),
        Need::Load | Need::LoadCode => (Exception::LoadPageFault, Exception::LoadGuestPageFault),
        Need::Store => (Exception::StorePageFault, Exception::StoreGuestPageFault),
    };
    match result {
        Ok(_) => Outcome::Done,
        Err(Abort::Trap(Trap { cause, value, .. })) if value == PAGE && cause == page => {
            Outcome::PageFault
        }
        Err(Abort::Trap(Trap { cause, value, .. })) if value == PAGE && cause == guest_page => {
            Outcome::GuestPageFault
        }
        Err(abort) => Outcome::Other(abort),
    }
}

/// All combinations of rights that an entry can have, for a page of supervisor or user.
fn rights() -> Vec<u64> {
    let all = [R, R | W, X, R | X, R | W | X];
    all.into_iter().flat_map(|rights| [rights, rights | U]).collect()
}

fn cases(needs: &[Need]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &need in needs {
        for privilege in [Privilege::User, Privilege::Supervisor] {
            for first in rights() {
                for second in rights() {
                    for bits in 0..8 {
                        let (sum, guest_mxr) = (bits & 1 != 0, bits & 2 != 0);
                        let host_mxr = bits & 4 != 0;
                        cases.push(Case {
                            need,
                            privilege,
                            first,
                            second,
                            sum,
                            guest_mxr,
                            host_mxr,
                        });
                    }
                }
            }
        }
    }
    cases
}

/// Does what the case needs, twice: the second time the TLBs may answer.
fn check(
    guest: &mut Guest,
    case: Case,
    mut access: impl FnMut(&mut Guest, Need) -> Result<u64, Abort>,
) {
    for _ in 0..2 {
        let result = access(guest, case.need);
        assert_eq!(outcome(result, case.need), case.expected(), "{case:x?}");
    }
}

fn plain_access(guest: &mut Guest, need: Need) -> Result<u64, Abort> {
    match need {
        Need::Fetch => guest.world.fetch(PAGE).map(u64::from),
        Need::Store => guest.world.store(PAGE, Width::Double, 1).map(|_| 0),
        Need::Load | Need::LoadCode => guest.load(PAGE),
    }
}

#[test]
fn the_guests_own_accesses() {
    let mut guest = Guest::new(SV39, SV39);
    for case in cases(&[Need::Fetch, Need::Load, Need::Store]) {
        enter(&mut guest.world, (case.privilege, true));
        case.prepare(&mut guest);
        check(&mut guest, case, plain_access);
    }
}

/// HLV, HLVX and HSV act as the guest in the mode that SPVP says.
#[test]
fn accesses_of_hs_mode_to_the_guests_memory() {
    let mut guest = Guest::new(SV39, SV39);
    for case in cases(&[Need::Load, Need::LoadCode, Need::Store]) {
        enter(&mut guest.world, HS_MODE);
        let is_supervisor = case.privilege == Privilege::Supervisor;
        guest.world.write(hcsr::HSTATUS, if is_supervisor { hstatus::SPVP } else { 0 });
        case.prepare(&mut guest);
        check(&mut guest, case, |guest, need| {
            guest.world.with(|hart, ports| match need {
                Need::Store => hart.store_to_guest(ports, PAGE, Width::Double, 1).map(|_| 0),
                Need::LoadCode => hart.load_from_guest(ports, PAGE, Width::Word, Right::Execute),
                _ => hart.load_from_guest(ports, PAGE, Width::Double, Right::Read),
            })
        });
    }
}

/// With MPRV machine mode's loads and stores act as the mode in MPV and MPP.
#[test]
fn accesses_of_machine_mode_in_the_guests_place() {
    let mut guest = Guest::new(SV39, SV39);
    for case in cases(&[Need::Load, Need::Store]) {
        enter(&mut guest.world, M_MODE);
        case.prepare(&mut guest);
        guest.world.set(csr::MSTATUS, status::MPRV | hstatus::MSTATUS_MPV);
        let others = guest.world.read(csr::MSTATUS) & !status::MPP;
        guest.world.write(csr::MSTATUS, others | case.privilege.code() << 11);
        check(&mut guest, case, plain_access);
    }
}

/// Without MPV, or for machine mode, MPRV has nothing to do with the guest.
#[test]
fn mprv_without_mpv_is_an_access_of_the_host() {
    let mut guest = Guest::new(SV39, SV39);
    guest.map_first(PAGE, 0, DATA, V | R | A);
    guest.world.poke(RAM + DATA, 77);
    enter(&mut guest.world, M_MODE);
    for (mpv, privilege) in [(0, 1), (0, 0), (hstatus::MSTATUS_MPV, 3)] {
        guest.world.write(csr::MSTATUS, status::MPRV | mpv | privilege << 11);
        assert_eq!(guest.load(RAM + DATA), Ok(77));
        assert_eq!(guest.load(PAGE), trap(Exception::LoadAccessFault, PAGE));
    }
    guest.world.write(csr::MSTATUS, status::MPRV | hstatus::MSTATUS_MPV | 1 << 11);
    assert_eq!(guest.load(PAGE), Ok(77));
}

/// Without a first stage the guest's privilege does not matter; the second stage still decides.
#[test]
fn a_guest_without_tables_of_its_own_has_the_rights_of_the_second_stage() {
    let mut guest = Guest::new(BARE, SV39);
    let va = GUEST_RAM + DATA;
    for mode in [VU_MODE, VS_MODE] {
        for bits in rights() {
            enter(&mut guest.world, mode);
            guest.map_second(DATA, 0, V | A | D | bits);
            guest.world.hart.flush_second_stage(None);
            assert_eq!(guest.load(va).is_ok(), bits & U != 0 && bits & R != 0, "{bits:x}");
            let fetches = guest.world.fetch(va).is_ok();
            assert_eq!(fetches, bits & U != 0 && bits & X != 0, "{bits:x}");
        }
    }
}

/// Physical memory protection binds a guest like user and supervisor mode, and a load of code needs
/// the rights to read and to execute there.
#[test]
fn physical_memory_protection_is_beneath_both_stages() {
    for (bits, reads, loads_code) in [(1, true, false), (4, false, false), (5, true, true)] {
        let mut guest = Guest::new(SV39, SV39);
        guest.map_first(PAGE, 0, DATA, V | R | W | X | A | D);
        // The page of data first, then everything.
        guest.world.write(csr::PMPADDR0, (RAM + DATA) >> 2 | 0x1ff);
        guest.world.write(csr::PMPADDR0 + 1, u64::MAX);
        guest.world.write(csr::PMPCFG0, 0x1f00 | 0x18 | bits);
        enter(&mut guest.world, HS_MODE);
        guest.world.write(hcsr::HSTATUS, hstatus::SPVP);
        for (right, allowed) in [(Right::Read, reads), (Right::Execute, loads_code)] {
            for _ in 0..2 {
                let result = guest
                    .world
                    .with(|hart, ports| hart.load_from_guest(ports, PAGE, Width::Word, right));
                let fault =
                    Trap { is_guest_access: true, ..Trap::new(Exception::LoadAccessFault, PAGE) };
                let expected = if allowed { Ok(0) } else { Err(Abort::Trap(fault)) };
                assert_eq!(result, expected, "{bits} {right:?}");
            }
        }
    }
}

/// A fault of such an access says that its address is the guest's, though HS mode made it.
#[test]
fn faults_of_accesses_for_the_guest_set_gva_but_not_spv() {
    let mut guest = Guest::new(SV39, SV39);
    enter(&mut guest.world, HS_MODE);
    guest.world.write(csr::MEDELEG, u64::MAX);
    let result =
        guest.world.with(|hart, ports| hart.load_from_guest(ports, PAGE, Width::Word, Right::Read));
    let Err(Abort::Trap(trap)) = result else { panic!("{result:?}") };
    guest.world.hart.take_trap(trap);
    let both = hstatus::GVA | hstatus::SPV;
    assert_eq!(guest.world.read(hcsr::HSTATUS) & both, hstatus::GVA);
    assert_eq!(guest.world.read(csr::STVAL), PAGE);
}

/// The bits that widen rights count from the next access on, without a fence: what was allowed with
/// a bit is refused without it, and allowed again with it.
#[test]
fn the_bits_take_effect_at_once() {
    let own = (hcsr::VSSTATUS, status::MXR);
    let host = (csr::SSTATUS, status::MXR);
    let sum = (hcsr::VSSTATUS, status::SUM);
    // What the bit is, what stays set beside it, and rights that need it.
    let cases = [
        (host, own, R, X | U, Exception::LoadGuestPageFault),
        (own, sum, X, R | U, Exception::LoadPageFault),
        (host, sum, X, R | U, Exception::LoadPageFault),
        (sum, own, R | U, R | U, Exception::LoadPageFault),
    ];
    for ((number, bit), (other, beside), first, second, cause) in cases {
        let mut guest = Guest::new(SV39, SV39);
        guest.map_first(PAGE, 0, DATA, V | A | D | first);
        guest.map_second(DATA, 0, V | A | D | second);
        guest.world.set(other, beside);
        for _ in 0..3 {
            guest.world.set(number, bit);
            assert!(guest.load(PAGE).is_ok() && guest.load(PAGE).is_ok());
            let without = guest.world.read(number) & !bit;
            guest.world.write(number, without);
            let Err(Abort::Trap(trap)) = guest.load(PAGE) else { panic!("{number:#x} {bit:x}") };
            assert_eq!(trap.cause, cause);
        }
    }
}
