//! Four rings: the guest kernel keeps the hart's supervisor mode, and the monitor plays machine
//! mode above it.
//!
//! The hart has three tenants: the guest's users in user mode, its kernel in supervisor mode, and
//! the monitor in machine mode (played by this module through the meter). The guest's supervisor
//! registers are the hart's own ([`crate::resident`]); system calls, breakpoints and misaligned
//! atomics go straight to the guest kernel, and so do its interrupts: the timer through `stimecmp`,
//! software interrupts, and the external line, which the monitor mirrors in `mip`. What the monitor
//! keeps are translation, waiting and returns from traps (`mstatus.TVM`, `TW` and `TSR`), and all
//! page faults, since a shadow entry may be missing.
//!
//! One shadow tree serves an address space: the hart checks privilege, SUM and MXR itself.
//!
//! * `vcpu` has the state, `entry` the way into the guest, `exits` the way out;
//! * `emulate` carries out what traps, `calls` calls to the firmware.

mod calls;
mod emulate;
mod entry;
mod exits;
mod vcpu;

pub use vcpu::FourRings;

use crate::allocator::FrameAllocator;
use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::error::HostError;
use crate::guest_pages::{GuestPages, PageMap, WatchedPages};
use crate::life::{Life, Monitored};
use crate::mail::Letters;
use crate::overcommit::shared_frames::Departure;
use crate::pcpu::MonitorLevel;
use crate::resident::{Bank, extract_supervisor, extract_user, install_supervisor, install_user};
use crate::shadow::tree::TableFrames;
use crate::supervisor::{Inputs, Supervisor};
use crate::technique::{Called, Phase, Site, Step, Technique};
use dcsim_hart::{Privilege, TrapRecord};
use dcsim_machine::firmware::StartPoint;
use dcsim_machine::{GuestMemory, Meter};
use dcsim_memory::{Memory, PhysicalAddress};
use vcpu::Installed;

impl Monitored for FourRings {
    const LEVEL: Privilege = Privilege::Machine;

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

impl Technique for FourRings {
    fn load(&mut self, site: &mut Site<'_>) {
        site.pcpu.play(MonitorLevel::Machine);
        let hart = &mut site.pcpu.hart;
        if self.last_pcpu != Some(hart.id) {
            self.spaces.forget_asids();
            self.last_pcpu = Some(hart.id);
        }
        install_user(hart, &self.life.resting);
        // The guest's own `satp` never gets into the hart.
        let guest = Supervisor { translation: 0, ..self.life.guest.clone() };
        install_supervisor(hart, &guest, Bank::Host);
        self.installed = Installed::default();
        self.life.begin_stay(site.counters);
    }

    fn unload(&mut self, site: &mut Site<'_>) {
        self.spaces.leave();
        let hart = &mut site.pcpu.hart;
        let (pc, privilege) = match self.life.phase {
            Phase::Guest => (hart.pc, hart.privilege),
            // The trapped instruction is executed again.
            Phase::Trapped(record) => (record.pc, record.from),
            _ => (self.life.pc, self.life.guest.privilege),
        };
        let in_hart = self.life.is_in_hart();
        let registers = extract_supervisor(hart, privilege, Bank::Host);
        // In the other phases the record is newer than the pCPU's register.
        let status = if in_hart { registers.status } else { self.life.guest.status };
        self.life.guest =
            Supervisor { status, translation: self.life.guest.translation, ..registers };
        extract_user(hart, &mut self.life.resting);
        self.life.pc = pc;
        if in_hart {
            self.life.phase = Phase::Enter;
        }
        hart.set_privilege(Privilege::Machine);
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
        let raised = site.board.lines(site.vcpu).supervisor_external;
        if self.life.phase == Phase::Guest && Some(raised) != self.installed.external {
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
