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
use crate::pcpu::MonitorLevel;
use crate::reason::ExitReason;
use crate::resident::{Bank, extract_supervisor, extract_user, install_supervisor, install_user};
use crate::shadow::tree::TableFrames;
use crate::supervisor::{Inputs, Supervisor};
use crate::technique::{GuestRun, Phase, Site, Step, Technique};
use dcsim_hart::Privilege;
use dcsim_machine::{GuestMemory, Meter};
use dcsim_memory::Memory;
use paging::Paging;
use vcpu::Installed;

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
        install_user(hart, &self.resting);
        install_supervisor(hart, &self.in_hart(), Bank::Guest);
        self.installed = Installed::default();
        self.reason = ExitReason::VcpuLoad;
        site.counters.count_exit(ExitReason::VcpuLoad);
    }

    fn unload(&mut self, site: &mut Site<'_>) {
        let hart = &mut site.pcpu.hart;
        let (pc, privilege) = match self.phase {
            Phase::Guest => (hart.pc, hart.privilege),
            // The trapped instruction is executed again.
            Phase::Trapped(record) => (record.pc, record.from),
            _ => (self.pc, self.guest.privilege),
        };
        let translation = self.guest.translation;
        self.guest = extract_supervisor(hart, privilege, Bank::Guest);
        if let Paging::Shadow(_) = self.paging {
            self.guest.translation = translation;
        }
        extract_user(hart, &mut self.resting);
        self.pc = pc;
        if matches!(self.phase, Phase::Guest | Phase::Trapped(_)) {
            self.phase = Phase::Enter;
        }
        vcpu::dismiss(hart);
        site.pcpu.bus.interrupted = false;
    }

    fn step(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        match self.phase {
            Phase::Enter => self.enter(site),
            Phase::Guest => self.run_guest(site, until_cycles),
            Phase::Trapped(record) => self.handle(site, &record),
            Phase::Wait => {
                self.idle(site, until_cycles);
                Ok(Step::Done)
            }
            Phase::Stopped => {
                site.wait_until(until_cycles);
                Ok(Step::Done)
            }
        }
    }

    fn lines_changed(&mut self, site: &mut Site<'_>) {
        let raised = site.board.lines(0).supervisor_external;
        if self.phase == Phase::Guest && Some(raised) != self.installed.external {
            site.pcpu.bus.interrupted = true;
        }
    }

    fn wakes(&self, time: u64, external: bool) -> Option<bool> {
        match self.phase {
            Phase::Wait => Some(self.guest.wakes(Inputs { time, external })),
            Phase::Stopped => Some(false),
            _ => None,
        }
    }

    fn timer_deadline(&self, time: u64) -> Option<u64> {
        self.guest.timer_deadline(time)
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

    fn reclaim(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        wanted: u64,
    ) -> bool {
        let before = frames.allocator.free_count();
        if before < wanted {
            // Under a new identifier the TLB knows nothing of the tables that go.
            self.identifier = None;
            self.paging.give_up(meter, frames, wanted);
        }
        frames.allocator.free_count() > before
    }

    fn capture(&self, counters: &VmCounters) -> CpuState {
        CpuState {
            pc: self.pc,
            supervisor: self.guest.clone(),
            instructions: self.resting.instructions + counters.instructions(),
            waiting: self.phase == Phase::Wait,
            resume: self.resume,
            ..self.resting.clone()
        }
    }
}

impl HardwareAssisted {
    /// The guest's supervisor mode as it goes into the hart: where `vsatp` is the monitor's, the
    /// guest's own value never gets there.
    fn in_hart(&self) -> Supervisor {
        let translation = match self.paging {
            Paging::Nested(_) => self.guest.translation,
            Paging::Shadow(_) => 0,
        };
        Supervisor { translation, ..self.guest.clone() }
    }

    /// One step: guest instructions up to the next trap or to `until_cycles`.
    fn run_guest(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        match site.run_guest(Privilege::Supervisor, until_cycles)? {
            GuestRun::Deadline => Ok(Step::Done),
            GuestRun::Trap(record) => {
                self.phase = Phase::Trapped(record);
                Ok(Step::Done)
            }
            GuestRun::Lost(what) => Ok(Step::Fault(what)),
        }
    }

    /// One step: time passes until something wakes the guest, or until `until_cycles`.
    fn idle(&mut self, site: &mut Site<'_>, until_cycles: u64) {
        if !self.is_woken(site) {
            let wake = self.wake_cycle(site).unwrap_or(u64::MAX);
            site.wait_until(wake.min(until_cycles));
        }
        if self.is_woken(site) {
            if let Some(start) = self.resume.take() {
                self.restart(&mut site.meter(), start);
            }
            self.phase = Phase::Enter;
        }
    }

    /// Whether something now ends the guest's wait.
    fn is_woken(&self, site: &Site<'_>) -> bool {
        let external = site.board.lines(0).supervisor_external;
        self.guest.wakes(Inputs { time: site.pcpu.hart.clock.time(), external })
    }
}
