//! Hardware assistance: the guest runs in the modes VS and VU of the hypervisor extension.
//!
//! The monitor plays HS mode (through the meter). The guest's supervisor registers are the hart's
//! VS registers ([`crate::resident`]); its system calls, page faults and other exceptions go
//! straight to its kernel, and so do its interrupts: the timer through `vstimecmp`, software
//! interrupts, and the external line, which the monitor mirrors in `hvip`. Guest-physical addresses
//! are translated by a second stage of tables ([`second_stage`]), filled at the guest-page faults
//! of first touches. What is left to the monitor are those faults, devices, calls to the firmware,
//! waiting, and the counters that count for everybody.
//!
//! A part without a second stage needs shadow tables ([`paging`]), and then page faults, `satp` and
//! fences are the monitor's too.
//!
//! * `vcpu` has the state, `entry` the way into the guest, `exits` the way out;
//! * `device` makes accesses to devices, `inject` gives the guest an exception;
//! * `shadowed` is what shadow tables need;
//! * `emulate` carries out instructions that trap, `calls` calls to the firmware.
//!
//! Privileged architecture, "H" extension for hypervisor support.

mod calls;
mod device;
mod emulate;
mod entry;
mod exits;
mod inject;
pub mod paging;
pub mod second_stage;
mod shadowed;
mod vcpu;

pub use vcpu::HardwareAssisted;

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
use crate::shadow::Shadow;
use crate::shadow::tree::TableFrames;
use crate::supervisor::{Inputs, Supervisor};
use crate::technique::{Called, Phase, Site, Step, Technique};
use dcsim_hart::{Privilege, TrapRecord};
use dcsim_machine::firmware::StartPoint;
use dcsim_machine::{GuestMemory, Meter};
use dcsim_memory::{Memory, PAGE_BYTES, PhysicalAddress};
use paging::Paging;
use vcpu::Installed;

impl Monitored for HardwareAssisted {
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

impl Technique for HardwareAssisted {
    fn load(&mut self, site: &mut Site<'_>) {
        site.pcpu.play(MonitorLevel::Supervisor);
        let hart = &mut site.pcpu.hart;
        if self.last_pcpu != Some(hart.id) {
            // The TLB there may hold what was true when the guest was last on it.
            self.identifier = None;
            if let Paging::Shadow(shadow) = &mut self.paging {
                shadow.forget_asids();
            }
            self.last_pcpu = Some(hart.id);
        }
        self.assist(hart);
        install_user(hart, &self.life.resting);
        install_supervisor(hart, &self.in_hart(), Bank::Guest);
        self.installed = Installed::default();
        self.life.begin_stay(site.counters);
    }

    fn unload(&mut self, site: &mut Site<'_>) {
        if let Some(shadow) = self.paging.shadow() {
            shadow.leave();
        }
        let hart = &mut site.pcpu.hart;
        let (pc, privilege) = match self.life.phase {
            Phase::Guest => (hart.pc, hart.privilege),
            // The trapped instruction is executed again.
            Phase::Trapped(record) => (record.pc, record.from),
            _ => (self.life.pc, self.life.guest.privilege),
        };
        let translation = self.life.guest.translation;
        self.life.guest = extract_supervisor(hart, privilege, Bank::Guest);
        if let Paging::Shadow(_) = self.paging {
            self.life.guest.translation = translation;
        }
        extract_user(hart, &mut self.life.resting);
        self.life.pc = pc;
        if self.life.is_in_hart() {
            self.life.phase = Phase::Enter;
        }
        vcpu::dismiss(hart);
        site.pcpu.bus.interrupted = false;
    }

    fn seat(&mut self, vcpu: usize) {
        self.let_act(vcpu);
    }

    fn call(&mut self, site: &mut Site<'_>) {
        self.answer_call(site);
    }

    fn take_called(&mut self) -> Vec<usize> {
        self.paging.shadow().map(Shadow::take_called).unwrap_or_default()
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
        Box::new(WatchedPages { pages, tables: self.paging.traced_tables() })
    }

    fn page_map(&self) -> Option<&PageMap> {
        Some(&self.map)
    }

    fn audit(
        &self,
        memory: &Memory<'_>,
        owners: &FrameAllocator,
        vm: crate::VmId,
    ) -> Result<(), String> {
        self.paging.audit(memory, owners, vm)
    }

    fn reclaim(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>, wanted: u64) {
        if frames.allocator.available() < wanted {
            // Under a new identifier the TLB knows nothing of the tables that go.
            self.identifier = None;
            self.paging.give_up(meter, frames, wanted);
        }
    }

    fn unmap_departed(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        departures: &[Departure],
    ) -> Result<(), HostError> {
        match &mut self.paging {
            Paging::Shadow(shadow) => shadow.unmap_departed(meter, frames, departures),
            Paging::Nested(stage) => {
                for Departure { page, frame, .. } in departures {
                    let address = self.map.base() + page * PAGE_BYTES as u64;
                    stage.unmap(meter, address, *frame)?;
                }
                if let Some(identifier) = self.identifier {
                    meter.flush_machine(identifier.number);
                }
                Ok(())
            }
        }
    }

    fn own_frames(&self, _: &Memory<'_>) -> Vec<PhysicalAddress> {
        match &self.paging {
            Paging::Shadow(shadow) => shadow.frames(),
            Paging::Nested(stage) => stage.frames(),
        }
    }

    fn table_roots(&self) -> Vec<(PhysicalAddress, u32)> {
        match &self.paging {
            Paging::Shadow(shadow) => shadow.table_roots(),
            Paging::Nested(stage) => stage.table_roots(),
        }
    }

    fn forget_translations(&mut self) {
        self.identifier = None;
        if let Paging::Shadow(shadow) = &mut self.paging {
            shadow.forget_asids();
        }
    }

    fn capture(&self, counters: &VmCounters) -> CpuState {
        self.life.capture(counters)
    }
}

impl HardwareAssisted {
    /// The guest's supervisor mode as it goes into the hart: where `vsatp` is the monitor's, the
    /// guest's own value never gets there.
    fn in_hart(&self) -> Supervisor {
        let translation = match self.paging {
            Paging::Nested(_) => self.life.guest.translation,
            Paging::Shadow(_) => 0,
        };
        Supervisor { translation, ..self.life.guest.clone() }
    }
}
