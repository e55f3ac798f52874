//! Trap-and-emulate: the guest kernel runs in user mode, and every sensitive instruction traps.
//!
//! The physical hart has three tenants: the guest in user mode, the monitor in supervisor mode
//! (played by this module through the meter), and nobody in machine mode, which delegates
//! everything. The guest's supervisor mode is a record ([`crate::supervisor::Supervisor`]) and a
//! choice of shadow tree; user programs of the guest and those of its kernel's instructions that
//! are not sensitive execute directly.
//!
//! * `vcpu` has the state, `entry` the way into the guest, `exits` the way out, by reason;
//! * `emulate` carries out privileged instructions, `calls` calls to the firmware;
//! * `page_fault` resolves page faults.

mod calls;
mod emulate;
pub(crate) mod entry;
pub(crate) mod exits;
mod page_fault;
mod vcpu;

pub use vcpu::TrapAndEmulate;

use crate::allocator::FrameAllocator;
use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::error::HostError;
use crate::guest_pages::{GuestPages, PageMap, WatchedPages};
use crate::life::{Life, Monitored};
use crate::mail::Letters;
use crate::overcommit::shared_frames::Departure;
use crate::pcpu::MonitorLevel;
use crate::resident::{extract_user, install_user};
use crate::shadow::tree::TableFrames;
use crate::supervisor::Inputs;
use crate::technique::{Called, Site, Step, Technique};
use dcsim_hart::csr::fields::status;
use dcsim_hart::{Privilege, TrapRecord};
use dcsim_machine::firmware::StartPoint;
use dcsim_machine::{GuestMemory, Meter};
use dcsim_memory::{Memory, PhysicalAddress};
use vcpu::{Installed, Phase};

impl Monitored for TrapAndEmulate {
    const LEVEL: Privilege = Privilege::Supervisor;

    fn life(&self) -> &Life {
        &self.life
    }

    fn life_mut(&mut self) -> &mut Life {
        &mut self.life
    }

    fn enter(&mut self, site: &mut Site<'_>) -> Result<Step, HostError> {
        Self::enter(self, site)
    }

    fn handle(&mut self, site: &mut Site<'_>, record: &TrapRecord) -> Result<Step, HostError> {
        Self::handle(self, site, record)
    }

    fn restart(&mut self, meter: &mut Meter<'_>, start: StartPoint) {
        Self::restart(self, meter, start);
    }

    fn receive(&mut self, site: &mut Site<'_>, letters: &Letters) -> Result<(), HostError> {
        Self::receive(self, site, letters)
    }
}

impl Technique for TrapAndEmulate {
    fn load(&mut self, site: &mut Site<'_>) {
        site.pcpu.play(MonitorLevel::Supervisor);
        let hart = &mut site.pcpu.hart;
        if self.last_pcpu != Some(hart.id) {
            self.spaces.forget_asids();
            self.last_pcpu = Some(hart.id);
        }
        install_user(hart, &self.life.resting);
        hart.csrs.mstatus = hart.csrs.mstatus & !status::FS | self.life.guest.status & status::FS;
        self.installed = Installed::default();
        self.life.begin_stay(site.counters);
    }

    fn unload(&mut self, site: &mut Site<'_>) {
        self.spaces.leave();
        let hart = &mut site.pcpu.hart;
        extract_user(hart, &mut self.life.resting);
        // In the other phases the record is newer than the pCPU's register.
        if self.life.is_in_hart() {
            self.life.guest.status =
                self.life.guest.status & !status::FS | hart.csrs.mstatus & status::FS;
        }
        if self.life.phase == Phase::Guest {
            self.life.pc = hart.pc;
            self.life.phase = Phase::Enter;
        }
        hart.set_privilege(Privilege::Supervisor);
        site.pcpu.bus.interrupted = false;
    }

    fn seat(&mut self, vcpu: usize) {
        self.let_act(vcpu);
    }

    fn call(&mut self, site: &mut Site<'_>) {
        self.answer_call(site);
    }

    fn take_called(&mut self) -> Vec<usize> {
        self.spaces.take_called()
    }

    fn step(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        self.advance(site, until_cycles)
    }

    fn lines_changed(&mut self, site: &mut Site<'_>) {
        if self.life.phase == Phase::Guest && site.board.lines(site.vcpu).supervisor_external {
            site.pcpu.bus.interrupted = true;
        }
    }

    fn wakes(&self, time: u64, external: bool, called: Called) -> Option<bool> {
        self.would_wake(Inputs { time, external }, called)
    }

    fn timer_deadline(&self, time: u64) -> Option<u64> {
        self.life.timer_deadline(time)
    }

    fn guest_memory<'a>(
        &'a mut self,
        vm: crate::VmId,
        memory: Memory<'a>,
        allocator: &'a mut FrameAllocator,
    ) -> Box<dyn GuestMemory + 'a> {
        let pages = GuestPages { memory, allocator, map: &self.map, vm };
        Box::new(WatchedPages { pages, tables: self.spaces.traced_tables() })
    }

    fn audit(
        &self,
        memory: &Memory<'_>,
        owners: &FrameAllocator,
        vm: crate::VmId,
    ) -> Result<(), String> {
        self.spaces.audit(memory, owners, vm)
    }

    fn page_map(&self) -> Option<&PageMap> {
        Some(&self.map)
    }

    fn reclaim(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>, wanted: u64) {
        self.spaces.reclaim(meter, frames, wanted, None);
    }

    fn unmap_departed(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        departures: &[Departure],
    ) -> Result<(), HostError> {
        self.spaces.unmap_departed(meter, frames, departures)
    }

    fn own_frames(&self, _: &Memory<'_>) -> Vec<PhysicalAddress> {
        let resting = self.seats.resting().flat_map(|seat| seat.spaces.frames());
        self.spaces.frames().into_iter().chain(resting).collect()
    }

    fn table_roots(&self) -> Vec<(PhysicalAddress, u32)> {
        self.spaces.table_roots()
    }

    fn forget_translations(&mut self) {
        self.spaces.forget_asids();
    }

    fn capture(&self, counters: &VmCounters) -> CpuState {
        self.life.capture(counters)
    }
}
