//! Entering the guest: interrupts, translated code for a kernel, the right tree, and off.

use super::hole::{Hole, is_open};
use super::registers::show;
use super::sheet::Sheets;
use super::sieve::Sieve;
use super::vcpu::{BinaryTranslation, Origin};
use crate::error::HostError;
use crate::ledger::Activity;
use crate::shadow::tree::TableFrames;
use crate::shadow::view::View;
use crate::supervisor::{Inputs, csr};
use crate::technique::{Phase, Site, Step};
use crate::trap_and_emulate::entry::install;
use dcsim_hart::csr::fields::status;
use dcsim_machine::Meter;

/// Pages of code that an instruction can lie in.
const CODE_FRAMES: u64 = 2;

/// Frames that finding the next instruction takes at most beside those of shadow tables: its pages,
/// the translation, the sieve or the single step.
const LOCATE_FRAMES: u64 = CODE_FRAMES + 2 * Sheets::NEW_FRAMES + Sieve::NEW_FRAMES;

impl BinaryTranslation {
    /// One step: from the monitor into the guest, or into a trap of its own on the way.
    pub(super) fn enter(&mut self, site: &mut Site<'_>) -> Result<Step, HostError> {
        let external = site.board.lines(site.vcpu).supervisor_external;
        let inputs = Inputs { time: site.pcpu.hart.clock.time(), external };
        let wanted = self.frames_to_enter(inputs);
        if !self.reserve(site, wanted) {
            return Ok(Step::Memory(wanted));
        }
        // If that took all translations, the next one takes more frames.
        let wanted = self.frames_to_enter(inputs);
        if site.allocator.check(wanted).is_err() {
            return Ok(Step::Memory(wanted));
        }
        self.forget_stale(site)?;
        if self.base.life.guest.deliverable(inputs).is_some() {
            self.settle(site);
            self.origin = Origin::Elsewhere;
        }
        self.base.deliver_interrupt(&mut site.meter(), inputs);
        if self.is_translated_mode() && self.at.is_none() {
            self.face_mode();
            self.float_is_open = false;
            if !self.locate(site)? {
                site.book(Activity::Handler(self.base.life.reason));
                return Ok(Step::Done);
            }
        }
        self.tell_marks(site);
        if !self.is_translated_mode() && View::of(&self.base.life.guest) == View::Bare {
            // Without translation both modes have one tree, and code of the guest's own must not find
            // the cache.
            self.unmap_sheets(site)?;
        }
        self.base.install_tree(site)?;
        self.install_registers(&mut site.meter(), inputs);
        site.book(Activity::Handler(self.base.life.reason));
        self.base.life.phase = Phase::Guest;
        Ok(Step::Done)
    }

    /// Frames that an entry may take. A look ahead of the simulator: it costs nothing.
    fn frames_to_enter(&self, inputs: Inputs) -> u64 {
        let delivers = self.base.life.guest.deliverable(inputs).is_some();
        let looks = self.at.is_none() || self.recheck;
        if delivers || (self.is_translated_mode() && looks) {
            LOCATE_FRAMES + self.base.spaces.code_frames()
        } else if self.base.has_tree_after(inputs) {
            0
        } else {
            self.base.spaces.entry_frames()
        }
    }

    /// Makes sure that frames can be taken, and frees shadow trees for that, then translations.
    pub(super) fn reserve(&mut self, site: &mut Site<'_>, count: u64) -> bool {
        if self.base.reserve(site, count) {
            return true;
        }
        if site.allocator.last_failure_was_injected() || self.has_no_code() {
            return false;
        }
        self.settle(site);
        if self.empty(site).is_err() {
            return false;
        }
        site.allocator.check(count).is_ok()
    }

    /// Forgets translations of code that devices have written.
    fn forget_stale(&mut self, site: &mut Site<'_>) -> Result<(), HostError> {
        let is_due = std::mem::take(&mut self.recheck) && !is_open(Hole::Devices);
        if !is_due || self.has_no_code() {
            return Ok(());
        }
        site.meter().lookup(1);
        for page in self.stale(&site.memory) {
            self.settle(site);
            self.forget(site, page)?;
        }
        Ok(())
    }

    /// Forgets translations of a guest page. The guest must be at an instruction boundary.
    pub(super) fn forget(&mut self, site: &mut Site<'_>, page: u64) -> Result<(), HostError> {
        self.origin = Origin::Elsewhere;
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        for cache in [&mut self.cache, &mut self.other] {
            cache.forget(&mut meter, &mut frames, &mut self.base.spaces, page)?;
        }
        Ok(())
    }

    /// Tells the engine which instructions count as the guest's. An instrument of the simulator.
    fn tell_marks(&mut self, site: &mut Site<'_>) {
        for sheet in self.cache.sheets.unmarked() {
            if let Some(page) = site.memory.frames.page_id(sheet.frame) {
                site.interpreter.mark(page, Some(sheet.marks().clone()));
                sheet.is_unmarked = false;
            }
        }
    }

    /// Arms the timer, opens the counters that the guest may read, and leaves for the guest.
    fn install_registers(&mut self, meter: &mut Meter<'_>, inputs: Inputs) {
        if !self.is_translated_mode() {
            self.loan.give_back(meter);
            return self.base.install_registers(meter, inputs);
        }
        // Translated code lets interrupts in by itself, so the timer is armed even while they are
        // shut out; when it expires, the register that code checks tells it.
        let timer = self.base.life.guest.timer_deadline(inputs.time).unwrap_or(u64::MAX);
        install(meter, &mut self.base.installed.timer, csr::STIMECMP, timer);
        let readable = self.base.readable_counters();
        let counters = &mut self.base.installed.counters;
        install(meter, counters, csr::SCOUNTEREN, readable);
        let float = if self.float_is_open {
            self.base.life.guest.status & status::FS
        } else {
            self.loan.take(meter);
            if self.in_kernel() {
                show(meter, &self.base.life.guest, inputs);
            }
            status::FS
        };
        meter.write_csr(csr::SSTATUS, float | status::SPIE);
        let address = self.cache.address(self.at.unwrap_or(0));
        meter.write_csr(csr::SEPC, address);
        meter.leave();
    }
}

impl BinaryTranslation {
    /// Whether the guest is in translated code now, and where.
    pub(super) fn place_in_guest(&self, pc: u64) -> Option<u64> {
        if self.is_translated_mode() { self.cache.place(pc) } else { None }
    }
}
