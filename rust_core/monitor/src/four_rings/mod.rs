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

use crate::allocator::{FrameAllocator, Shortage};
use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::error::HostError;
use crate::guest_pages::{GuestPages, PageMap, WatchedPages};
use crate::pcpu::MonitorLevel;
use crate::reason::ExitReason;
use crate::resident::{Bank, extract_supervisor, extract_user, install_supervisor, install_user};
use crate::shadow::tree::TableFrames;
use crate::shadow::view::View;
use crate::supervisor::{Inputs, Supervisor};
use crate::technique::{GuestRun, Phase, Site, Step, Technique};
use dcsim_hart::Privilege;
use dcsim_machine::{GuestMemory, Meter};
use dcsim_memory::Memory;
use vcpu::Installed;

/// Makes sure that `count` frames can be taken, and frees shadow trees for that if it has to.
/// `false`: not now; nothing that the guest could see was changed.
fn reserve(vcpu: &mut FourRings, site: &mut Site<'_>, count: u64) -> bool {
    match site.allocator.reserve(count) {
        Ok(()) => true,
        Err(Shortage::Injected) => false,
        Err(Shortage::Frames { wanted }) => {
            let in_use = (vcpu.guest.translation, View::of_resident(&vcpu.guest));
            let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
            let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
            vcpu.spaces.reclaim(&mut meter, &mut frames, wanted, Some(in_use));
            site.allocator.check(count).is_ok()
        }
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
        install_user(hart, &self.resting);
        // The guest's own `satp` never gets into the hart.
        let guest = Supervisor { translation: 0, ..self.guest.clone() };
        install_supervisor(hart, &guest, Bank::Host);
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
        let in_hart = matches!(self.phase, Phase::Guest | Phase::Trapped(_));
        let registers = extract_supervisor(hart, privilege, Bank::Host);
        // In the other phases the record is newer than the pCPU's register.
        let status = if in_hart { registers.status } else { self.guest.status };
        self.guest = Supervisor { status, translation: self.guest.translation, ..registers };
        extract_user(hart, &mut self.resting);
        self.pc = pc;
        if in_hart {
            self.phase = Phase::Enter;
        }
        hart.set_privilege(Privilege::Machine);
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

    fn reclaim(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        wanted: u64,
    ) -> bool {
        let before = frames.allocator.free_count();
        self.spaces.reclaim(meter, frames, wanted, None);
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

impl FourRings {
    /// One step: guest instructions up to the next trap or to `until_cycles`.
    fn run_guest(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        match site.run_guest(Privilege::Machine, until_cycles)? {
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
