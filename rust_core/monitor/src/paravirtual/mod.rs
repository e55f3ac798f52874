//! Paravirtual: the guest kernel knows its monitor, and calls it instead of being watched.
//!
//! The monitor is in machine mode (played by this module through the meter). The kernel keeps the
//! hart's supervisor mode where machine mode can hold it there. All exceptions and interrupts go straight to it, system calls and
//! page faults included, and it returns from them and sets its timer by itself. The monitor keeps
//! what reaches beyond the guest: translation and waiting (`mstatus.TVM` and `TW`), for which the
//! kernel makes calls, and access faults, by which it notices the first touch of a page and
//! accesses to devices. Elsewhere the kernel runs in user mode like its programs; then all traps come
//! to the monitor, which hands them over and keeps kernel and programs apart.
//!
//! Paging is *direct*: the hardware walks the guest's own tables. They hold host addresses, the
//! guest can only read them, and every change is checked.
//!
//! * [`abi`]: the interface in numbers; `agreement`: the state that it has; `layout`: which of the
//!   two modes; `seal`: what the kernel has given up; `shared_page`: the page that both sides write;
//! * `calls`: serving calls; `events`: interrupt lines as bits of a page; `upcall`: handing traps to
//!   a kernel in user mode;
//! * `tables`, `large`, `record`, `survey`: what may be in page tables; `fences`: what other harts
//!   have to forget of them;
//! * `window`, `names`: how the guest sees its memory, and reads its page tables back;
//! * `vcpu`, `entry`, `exits`: the vCPU, the way in and the way out.

pub mod abi;
mod agreement;
mod audit;
mod calls;
mod entry;
mod events;
mod exits;
mod fences;
#[cfg(test)]
mod hostile_test;
mod large;
mod layout;
mod names;
mod record;
mod seal;
mod shared_page;
mod survey;
mod tables;
#[cfg(test)]
mod test_world;
mod upcall;
#[cfg(test)]
mod user_mode_test;
mod vcpu;
mod window;

pub use agreement::{Agreement, check_saved};
pub use layout::Layout;
pub use vcpu::Paravirtual;

use crate::allocator::{FrameAllocator, FrameOwner};
use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::error::HostError;
use crate::guest_pages::{GuestPages, PageMap};
use crate::ids::VmId;
use crate::ledger::Activity;
use crate::life::{Life, Monitored};
use crate::mail::Letters;
use crate::pcpu::MonitorLevel;
use crate::reason::ExitReason;
use crate::resident::{Bank, extract_supervisor, extract_user, install_supervisor, install_user};
use crate::shadow::entry as page_entry;
use crate::shadow::tree::TableFrames;
use crate::supervisor::{Inputs, Supervisor};
use crate::technique::{Called, Phase, Site, Step, Technique};
use dcsim_hart::csr::fields::{environment, interrupt};
use dcsim_hart::{Exception, IsaProfile, Privilege, TrapRecord};
use dcsim_machine::firmware::{Fence, FirmwareConfig, StartPoint, csr as machine};
use dcsim_machine::{GuestMemory, Meter};
use dcsim_memory::{Memory, PAGE_BYTES, PageId, PhysicalAddress};
use exits::{ACCESS_FAULTS, machine_status};
use names::Names;
use record::Record;
use tables::guest_entries;
use window::Window;

/// The host's frames from the first upwards, of which the guest may come to have any.
const FIRST_FRAME: PhysicalAddress = PhysicalAddress(dcsim_machine::board::map::MEMORY_BASE);

/// What a guest with a supervisor mode does not handle by itself: its calls and access faults.
fn monitored() -> u64 {
    let calls = [Exception::EcallFromSupervisor];
    calls.iter().chain(&ACCESS_FAULTS).fold(0, |set, each| set | 1 << each.code())
}

/// What a host has for a guest.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The kind of its pCPUs.
    pub isa: IsaProfile,
    /// The guest's memory lies in large pages of the host's.
    pub large_pages: bool,
    /// How the firmware of the guest's machine would be set up.
    pub firmware: FirmwareConfig,
}

/// Makes a vCPU with what the monitor needs for it beside the guest's pages.
pub fn create(
    memory: &mut Memory<'_>,
    frames: &mut TableFrames<'_>,
    state: CpuState,
    map: PageMap,
    offer: &Offer,
) -> Result<Paravirtual, HostError> {
    let layout = Layout::on(offer.isa);
    let count = frames.allocator.count();
    let name_tables = take(memory, frames, Names::tables_for(FIRST_FRAME, count))?;
    let tables = take(memory, frames, Window::frames_for(&map))?;
    let window = Window::new(memory, layout, &map, &tables, FIRST_FRAME, &name_tables)?;
    let names = Names::new(layout, FIRST_FRAME, count, name_tables);
    Ok(Paravirtual::new(state, map, window, names, offer))
}

/// Frames for tables, cleared.
fn take(
    memory: &mut Memory<'_>,
    frames: &mut TableFrames<'_>,
    count: u64,
) -> Result<Vec<PhysicalAddress>, HostError> {
    let free = frames.allocator.available();
    frames.allocator.check(count).map_err(|_| HostError::Memory { wanted: count, free })?;
    let owner = FrameOwner::Monitor { vm: frames.vm };
    let taken: Vec<_> = (0..count).filter_map(|_| frames.allocator.allocate(owner)).collect();
    for frame in &taken {
        memory.frames.replace(memory.store, *frame, PageId::ZERO);
    }
    Ok(taken)
}

impl Monitored for Paravirtual {
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
        self.take_letters(site, letters)
    }

    fn is_woken_by(&self, inputs: Inputs) -> bool {
        Self::is_woken_by(self, inputs)
    }
}

impl Technique for Paravirtual {
    fn load(&mut self, site: &mut Site<'_>) {
        site.pcpu.play(MonitorLevel::Machine);
        let marks = if self.updates_marks { environment::ADUE } else { 0 };
        let layout = self.agreement.layout;
        let mode = layout.mode(self.life.guest.privilege);
        let status = machine_status(self.life.guest.status, mode);
        let counters = upcall::counters(layout, self.life.guest.privilege);
        let hart = &mut site.pcpu.hart;
        let others =
            [(machine::MCOUNTEREN, counters), (machine::MENVCFG, environment::STCE | marks)];
        for (number, value) in delegation(layout).into_iter().chain(others) {
            hart.write_csr(number, value);
        }
        install_user(hart, &self.life.resting);
        install_supervisor(
            hart,
            &Supervisor { translation: 0, ..self.life.guest.clone() },
            Bank::Host,
        );
        hart.write_csr(machine::MSTATUS, status);
        self.installed = None;
        let time = hart.clock.time();
        self.stolen += self.stopped_at.take().map_or(0, |stopped| time.saturating_sub(stopped));
        self.life.reason = ExitReason::VcpuLoad;
        self.empty_tlb(site);
        site.counters.count_exit(ExitReason::VcpuLoad);
    }

    fn unload(&mut self, site: &mut Site<'_>) {
        let hart = &mut site.pcpu.hart;
        let (pc, privilege) = match self.life.phase {
            Phase::Guest => (hart.pc, hart.privilege),
            // The trapped instruction is executed again.
            Phase::Trapped(record) => (record.pc, record.from),
            _ => (self.life.pc, machine_privilege(hart.read_csr(machine::MSTATUS).unwrap_or(0))),
        };
        let found = extract_supervisor(hart, privilege, Bank::Host);
        let guest = &self.life.guest;
        self.life.guest = match self.agreement.layout {
            Layout::Supervisor => Supervisor { translation: guest.translation, ..found },
            Layout::User => {
                let Supervisor { status, timer_compare, .. } = found;
                Supervisor { status, timer_compare, ..guest.clone() }
            }
        };
        extract_user(hart, &mut self.life.resting);
        self.life.pc = pc;
        if self.life.is_in_hart() {
            self.life.phase = Phase::Enter;
        }
        let rests = matches!(self.life.phase, Phase::Wait | Phase::Stopped);
        self.stopped_at = (!rests).then(|| hart.clock.time());
        hart.set_privilege(Privilege::Machine);
        self.empty_tlb(site);
        site.pcpu.play(MonitorLevel::Supervisor);
    }

    fn seat(&mut self, vcpu: usize) {
        self.let_act(vcpu);
    }

    fn call(&mut self, site: &mut Site<'_>) {
        self.answer_call(site);
    }

    fn take_fences(&mut self) -> Vec<Fence> {
        self.fences.take()
    }

    fn step(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        self.advance(site, until_cycles)
    }

    fn lines_changed(&mut self, site: &mut Site<'_>) {
        let raised = site.board.lines(site.vcpu).supervisor_external;
        if self.life.phase == Phase::Guest && raised && self.agreement.shared.is_some() {
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
        vm: VmId,
        memory: Memory<'a>,
        allocator: &'a mut FrameAllocator,
    ) -> Box<dyn GuestMemory + 'a> {
        Box::new(GuestPages { memory, allocator, map: &self.map, vm })
    }

    fn own_frames(&self, memory: &Memory<'_>) -> Vec<PhysicalAddress> {
        self.names.frames(memory).chain(self.window.frames(memory)).collect()
    }

    fn audit(&self, memory: &Memory<'_>, owners: &FrameAllocator, vm: VmId) -> Result<(), String> {
        audit::check(self, memory, owners, vm)
    }

    fn page_map(&self) -> Option<&PageMap> {
        Some(&self.map)
    }

    fn capture(&self, counters: &VmCounters) -> CpuState {
        let mut agreement = self.agreement.clone();
        agreement.roots.extend(&self.arriving);
        CpuState { agreement: Some(agreement), ..self.life.capture(counters) }
    }

    /// A page table is saved with guest-physical addresses, and without the window.
    fn saved_page(&self, memory: &Memory<'_>, page: u64) -> Option<Box<[u8; PAGE_BYTES]>> {
        let record = Record(self.map.entry(memory, page));
        let (level, frame) = (record.level()?, PageMap::decode(record.0)?);
        let mut content = Box::new([0; PAGE_BYTES]);
        for index in 0..guest_entries(level) {
            let entry = memory.read_u64(PhysicalAddress(frame.0 + index * 8)).ok()?;
            let place = index as usize * 8;
            let saved = self.saved_entry(memory, entry);
            content[place..place + 8].copy_from_slice(&saved.to_le_bytes());
        }
        Some(content)
    }
}

impl Paravirtual {
    /// An entry with a guest-physical address.
    fn saved_entry(&self, memory: &Memory<'_>, entry: u64) -> u64 {
        if entry & page_entry::VALID == 0 {
            return entry;
        }
        let page = self.names.look_up(memory, page_entry::address(entry)).unwrap_or(0);
        page_entry::compose(PhysicalAddress(page), entry & 0x3ff)
    }

    /// Translations of one guest are no other's: there is nothing in the TLB that tells them apart.
    fn empty_tlb(&mut self, site: &mut Site<'_>) {
        site.meter().flush_tlb_all();
        if !self.seats.are_several() {
            // Otherwise there are other TLBs.
            self.epoch = self.epoch.wrapping_add(1);
        }
        site.book(Activity::Handler(ExitReason::VcpuLoad));
    }
}

/// Which traps the guest takes by itself, and which interrupts the monitor takes.
fn delegation(layout: Layout) -> [(u16, u64); 3] {
    let (exceptions, interrupts, taken) = match layout {
        Layout::Supervisor => (!monitored(), u64::MAX, interrupt::MEIP),
        Layout::User => (0, 0, interrupt::MEIP | interrupt::STIP),
    };
    [(machine::MEDELEG, exceptions), (machine::MIDELEG, interrupts), (machine::MIE, taken)]
}

/// The mode that the guest is going to be in.
fn machine_privilege(status: u64) -> Privilege {
    dcsim_hart::csr::fields::status::previous_machine_privilege(status).min(Privilege::Supervisor)
}
