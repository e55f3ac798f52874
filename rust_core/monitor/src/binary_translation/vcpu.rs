//! The vCPU of a guest whose kernel is translated.

use super::cache::Cache;
use super::emitter::{Fix, Position};
use super::hole::{Hole, is_open};
use super::registers::{Loan, TARGET, take_over};
use super::sheet::{Owner, Place};
use super::sieve;
use crate::cpu_state::CpuState;
use crate::guest_pages::PageMap;
use crate::shadow::Shadow;
use crate::technique::Site;
use crate::trap_and_emulate::TrapAndEmulate;
use dcsim_hart::csr::fields::status;
use dcsim_hart::isa::Register;
use dcsim_hart::{Hart, Privilege};
use dcsim_machine::firmware::FirmwareConfig;
use dcsim_memory::Memory;

/// How the guest came to an address that is looked up.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Origin {
    /// Otherwise.
    #[default]
    Elsewhere,
    /// Through the exit of a block.
    Exit(Place),
    /// Through an indirect jump.
    Jump,
}

/// A vCPU whose guest kernel is translated, and whose guest's users are, too, or run directly.
#[derive(Debug)]
pub struct BinaryTranslation {
    /// The guest's supervisor mode, its shadow trees, its firmware and devices.
    pub(super) base: TrapAndEmulate,
    /// The translated code of the mode that the guest is in, or was last of those translated.
    pub(super) cache: Cache,
    /// The translated code of the other mode: each executes what was made from its own only.
    pub(super) other: Cache,
    /// The mode whose code executes as it is.
    direct: Option<Privilege>,
    /// Registers for translated code.
    pub(super) loan: Loan,
    /// Where in the cache the guest's kernel goes on; `None`: where that is has to be looked up.
    pub(super) at: Option<Place>,
    /// The kernel executes floating-point instructions with its own registers.
    pub(super) float_is_open: bool,
    /// How it came to where it goes on.
    pub(super) origin: Origin,
    /// The mapping of the next address has to be looked at.
    pub(super) is_strict: bool,
    /// The instruction to be executed alone, and its bits.
    pub(super) step: Option<(u64, u32)>,
    /// Devices may have written code.
    pub(super) recheck: bool,
}

impl BinaryTranslation {
    /// A vCPU with these registers, its guest's pages at `map`, on a machine whose firmware would
    /// be set up like this.
    pub fn new(
        state: CpuState,
        map: PageMap,
        mut shadow: Shadow,
        firmware: FirmwareConfig,
    ) -> Self {
        let cache = Cache::new(Privilege::Supervisor);
        shadow.place_code(cache.base());
        Self {
            base: TrapAndEmulate::new(state, map, shadow, firmware),
            cache,
            other: Cache::new(Privilege::User),
            direct: Some(Privilege::User),
            loan: Loan::default(),
            at: None,
            float_is_open: false,
            origin: Origin::Elsewhere,
            is_strict: false,
            step: None,
            recheck: false,
        }
    }

    /// The same vCPU, whose guest's users are translated or not.
    pub fn with_translated_users(mut self, translated: bool) -> Self {
        self.direct = (!translated).then_some(Privilege::User);
        self
    }

    /// Whether what executes is translated.
    pub(super) fn is_translated_mode(&self) -> bool {
        self.direct != Some(self.base.life.guest.privilege)
    }

    /// Takes the cache of the mode that the guest is in.
    pub(super) fn face_mode(&mut self) {
        if self.cache.mode != self.base.life.guest.privilege {
            std::mem::swap(&mut self.cache, &mut self.other);
            self.origin = Origin::Elsewhere;
        }
    }

    /// Whether code of a guest page is translated.
    pub(super) fn holds(&self, page: u64) -> bool {
        self.cache.holds(page) || self.other.holds(page)
    }

    /// Whether nothing is translated.
    pub(super) fn has_no_code(&self) -> bool {
        self.cache.is_empty() && self.other.is_empty()
    }

    /// Guest pages with translations whose content is no longer what was translated.
    pub(super) fn stale(&self, memory: &Memory<'_>) -> Vec<u64> {
        let caches = [&self.cache, &self.other];
        caches.into_iter().flat_map(|cache| cache.stale(memory)).collect()
    }

    /// Whether the guest's kernel executes.
    pub(super) fn in_kernel(&self) -> bool {
        self.base.life.guest.privilege == Privilege::Supervisor
    }

    /// What is known of the instruction at a place.
    pub(super) fn position(&self, place: Place) -> Position {
        let known = match self.cache.sheets.get(place).map(|sheet| sheet.owner) {
            Some(Owner::Sieve) => sieve::POSITION,
            _ if is_open(Hole::NextPosition) => {
                self.cache.sheets.behind(place).map(|(_, position)| *position).unwrap_or_default()
            }
            _ => self.cache.sheets.position(place).copied().unwrap_or_default(),
        };
        if is_open(Hole::Spills) { Position { fix: Fix::None, ..known } } else { known }
    }

    /// Where the guest is at the instruction boundary of its own that belongs to a position, and
    /// the registers that it has there.
    pub(super) fn boundary(hart: &Hart, position: &Position) -> (u64, Vec<(Register, u64)>) {
        let float = |register: Register| hart.f[register.index()];
        let restored = |pair: &(Register, Register)| (pair.0, float(pair.1));
        match &position.fix {
            Fix::None => (position.guest, Vec::new()),
            Fix::Restore(register, spill) => (position.guest, vec![(*register, float(*spill))]),
            Fix::RestoreBoth(pairs) => (position.guest, pairs.iter().map(restored).collect()),
            Fix::Set(register, value) => (position.guest, vec![(*register, *value)]),
            Fix::Jump(link) => {
                let mut registers: Vec<_> = super::registers::SPILLS.iter().map(restored).collect();
                registers.extend(*link);
                (float(TARGET), registers)
            }
        }
    }

    /// Brings the guest to an instruction boundary, if it is in translated code: its address is
    /// known then, and its registers are its own.
    pub(super) fn settle(&mut self, site: &mut Site<'_>) {
        let Some(place) = self.at.take() else { return };
        let position = self.position(place);
        let (pc, registers) = Self::boundary(&site.pcpu.hart, &position);
        self.base.life.pc = pc;
        let mut meter = site.meter();
        meter.lookup(1);
        for (register, value) in registers {
            meter.load_state(1);
            meter.write_register(register, value);
        }
    }

    /// The same when the vCPU leaves its pCPU, which is host software's affair.
    pub(super) fn settle_to_leave(&mut self, hart: &mut Hart, place: Place) {
        let position = self.position(place);
        let (pc, registers) = Self::boundary(hart, &position);
        for (register, value) in registers {
            if register != Register::R0 {
                hart.x[register.index()] = value;
            }
        }
        self.base.life.pc = pc;
        self.at = None;
    }

    /// Takes over what the pCPU's registers tell of the guest's kernel.
    pub(super) fn take_over(&mut self, hart: &Hart) {
        if self.loan.is_out() && self.in_kernel() {
            take_over(hart, &mut self.base.life.guest);
        }
        if self.float_is_open {
            let physical = hart.csrs.mstatus & status::FS;
            self.base.life.guest.status = self.base.life.guest.status & !status::FS | physical;
        }
    }
}
