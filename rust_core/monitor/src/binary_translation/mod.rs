//! Binary translation: the guest's kernel runs as code that the monitor made from it.
//!
//! As under trap-and-emulate the guest is in user mode and the monitor in supervisor mode. User
//! code of the guest executes directly. Its kernel's code never does: it is translated, block by
//! block, into code of the same instruction set in frames of the monitor ([`cache`], [`sheet`]),
//! which the trees of the guest's kernel map for execution only. So it does not matter whether a
//! sensitive instruction traps: none is ever executed.
//!
//! User code can be translated as well, for harts that show it what is the monitor's. It has a cache
//! of its own, which only the trees of the guest's user mode map: neither mode can execute what was
//! made for the other.
//!
//! * [`translator`] makes the code: innocuous instructions as they are, sensitive ones inlined
//!   ([`inline`]) or as calls of the monitor; [`emitter`] has the code and, for each instruction in
//!   it, what tells the guest's own state there;
//! * [`registers`] are the registers that translated code has for itself;
//! * [`locate`] finds the translated code for an address, or makes it, from code that [`fetch`]
//!   got; jumps are chained, indirect ones go through the [`sieve`];
//! * [`entry`] enters the guest, [`exits`] and [`memory`] handle its traps.
//!
//! Invariant: whenever the guest is in its kernel, [`vcpu`] can bring it to the instruction
//! boundary that bare metal would be at, with its own registers and the count of its own
//! instructions.

mod cache;
mod emitter;
mod entry;
mod exits;
mod fetch;
mod hole;
mod inline;
mod locate;
#[cfg(test)]
mod lockstep;
mod memory;
mod registers;
mod sheet;
mod sieve;
mod translator;
mod vcpu;

pub use vcpu::BinaryTranslation;

use crate::allocator::FrameAllocator;
use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::error::HostError;
use crate::guest_pages::PageMap;
use crate::ids::VmId;
use crate::life::Monitored;
use crate::overcommit::shared_frames::Departure;
use crate::shadow::tree::TableFrames;
use crate::technique::{Called, Phase, Site, Step, Technique};
use dcsim_hart::Privilege;
use dcsim_hart::csr::fields::status;
use dcsim_machine::{GuestMemory, Meter};
use dcsim_memory::{Memory, PhysicalAddress};
use vcpu::Origin;

impl Technique for BinaryTranslation {
    fn load(&mut self, site: &mut Site<'_>) {
        self.base.load(site);
        self.recheck = true;
    }

    fn unload(&mut self, site: &mut Site<'_>) {
        let hart = &mut site.pcpu.hart;
        let pc = match self.base.life.phase {
            Phase::Guest => Some(hart.pc),
            Phase::Trapped(record) => Some(record.pc),
            _ => None,
        };
        let place = pc.and_then(|pc| self.place_in_guest(pc));
        if place.is_some() {
            self.take_over(hart);
            // A trap that nobody has looked at is taken again.
            self.base.life.phase = Phase::Enter;
        }
        if let Some(place) = place.or(self.at) {
            self.settle_to_leave(hart, place);
        }
        self.loan.end(hart);
        // What the pCPU says of the floating-point unit is the translator's affair in its code.
        if self.is_translated_mode() {
            let own = self.base.life.guest.status & status::FS;
            hart.csrs.mstatus = hart.csrs.mstatus & !status::FS | own;
        }
        (self.float_is_open, self.step, self.is_strict) = (false, None, false);
        self.origin = Origin::Elsewhere;
        self.base.unload(site);
    }

    fn step(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        match self.base.life.phase {
            Phase::Enter => {
                self.base.read_mail(site)?;
                self.enter(site)
            }
            Phase::Guest => self.run_guest(site, until_cycles),
            Phase::Trapped(record) => self.handle(site, &record),
            Phase::Wait | Phase::Stopped => self.base.step(site, until_cycles),
        }
    }

    fn lines_changed(&mut self, site: &mut Site<'_>) {
        self.base.lines_changed(site);
        self.recheck = true;
        if self.base.life.phase == Phase::Guest && !self.stale(&site.memory).is_empty() {
            // The device makes the monitor look: what it wrote is executed.
            site.pcpu.bus.interrupted = true;
        }
    }

    fn wakes(&self, time: u64, external: bool, called: Called) -> Option<bool> {
        self.base.wakes(time, external, called)
    }

    fn timer_deadline(&self, time: u64) -> Option<u64> {
        self.base.timer_deadline(time)
    }

    fn guest_memory<'a>(
        &'a mut self,
        vm: VmId,
        memory: Memory<'a>,
        allocator: &'a mut FrameAllocator,
    ) -> Box<dyn GuestMemory + 'a> {
        self.base.guest_memory(vm, memory, allocator)
    }

    fn page_map(&self) -> Option<&PageMap> {
        self.base.page_map()
    }

    fn reclaim(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>, wanted: u64) {
        self.base.reclaim(meter, frames, wanted);
        if frames.allocator.available() < wanted {
            self.base.spaces.clear(meter, frames);
            self.cache.empty(meter, frames);
            self.other.empty(meter, frames);
        }
    }

    fn audit(&self, memory: &Memory<'_>, owners: &FrameAllocator, vm: VmId) -> Result<(), String> {
        self.base.audit(memory, owners, vm)
    }

    fn note_departed(&mut self, memory: &mut Memory<'_>, departures: &[Departure]) {
        for departure in departures {
            let frame = self.base.map.frame(memory, departure.page);
            let kept = frame.filter(|_| departure.keeps_content);
            for cache in [&mut self.cache, &mut self.other] {
                cache.move_content(memory, departure.frame, kept);
            }
        }
        self.recheck = true;
    }

    fn unmap_departed(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        departures: &[Departure],
    ) -> Result<(), HostError> {
        self.base.unmap_departed(meter, frames, departures)
    }

    fn own_frames(&self, memory: &Memory<'_>) -> Vec<PhysicalAddress> {
        let mut frames = self.base.own_frames(memory);
        for cache in [&self.cache, &self.other] {
            frames.extend(cache.sheets.iter().map(|(_, sheet)| sheet.frame));
        }
        frames
    }

    fn table_roots(&self) -> Vec<(PhysicalAddress, u32)> {
        self.base.table_roots()
    }

    fn forget_translations(&mut self) {
        self.base.forget_translations();
    }

    fn capture(&self, counters: &VmCounters) -> CpuState {
        self.base.capture(counters)
    }
}

impl BinaryTranslation {
    /// One step: guest instructions, translated or not, up to the next trap or to `until_cycles`.
    fn run_guest(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        let run = if self.is_translated_mode() {
            site.run_translated(Privilege::Supervisor, until_cycles)?
        } else {
            site.run_guest(Privilege::Supervisor, until_cycles)?
        };
        Ok(self.base.life.after_run(run))
    }
}
