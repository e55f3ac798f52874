//! VMs coming and going: what each is made of, and giving all of it back.

use super::{BASE, Host, PAGE};
use crate::allocator::FrameOwner;
use crate::bare_metal::BareMetal;
use crate::binary_translation::BinaryTranslation;
use crate::config::{LARGE_PAGE_BYTES, PagingKind, TechniqueKind, VmConfig};
use crate::cpu_state::CpuState;
use crate::error::HostError;
use crate::four_rings::FourRings;
use crate::guest_pages::{GuestPages, PageMap, map_frames};
use crate::hardware_assisted::HardwareAssisted;
use crate::hardware_assisted::paging::Paging;
use crate::hardware_assisted::second_stage::{ROOT_FRAMES, SecondStage};
use crate::ids::VmId;
use crate::mail::Mail;
use crate::paravirtual::{self, Offer, abi::check_announcement};
use crate::process::ProcessMachine;
use crate::shadow::Shadow;
use crate::shadow::tree::TableFrames;
use crate::technique::Technique;
use crate::trap_and_emulate::TrapAndEmulate;
use crate::vm::Vm;
use dcsim_machine::board::map::MEMORY_BASE;
use dcsim_machine::device_tree::device_tree;
use dcsim_machine::loader::{ImageError, Plan, load};
use dcsim_machine::{Board, BoardConfig, DiskImage, GuestMemory};
use dcsim_memory::{Frames, Memory, PageId, PageStore, PhysicalAddress};
use std::collections::BTreeSet;

/// What executes a VM, and what its vCPUs have to tell each other.
type Made = (Box<dyn Technique>, Mail);

/// VMs coming and going.
impl Host {
    /// Creates a VM with its first vCPU at the kernel's entry point.
    pub fn create_vm(
        &mut self,
        store: &mut PageStore,
        config: VmConfig,
        kernel: &[u8],
        disk: Option<DiskImage>,
    ) -> Result<VmId, HostError> {
        let board_config = self.board_config(&config, disk);
        if config.technique == TechniqueKind::Process {
            return self.create_process_machine(store, config, &board_config);
        }
        let plan = Plan::read(kernel).map_err(image_error)?;
        if config.technique.needs_interface() {
            check_announcement(kernel).map_err(HostError::Refused)?;
        }
        let tree = device_tree(&board_config).map_err(|e| HostError::Image(e.to_string()))?;
        let (others, made) = (config.vcpus - 1, config.clone());
        self.add_vm(store, config, &board_config, |host, store, id| {
            host.make_technique(store, id, &made, |memory, ram_bytes| {
                let placement = load(memory, ram_bytes, &plan, &tree).map_err(image_error)?;
                let first = CpuState::at_entry(placement.entry, placement.device_tree);
                let others = std::iter::repeat_n(CpuState::stopped(), others);
                Ok(std::iter::once(first).chain(others).collect())
            })
        })
    }

    /// Creates a process-level machine, whose program is loaded when it first runs.
    fn create_process_machine(
        &mut self,
        store: &mut PageStore,
        config: VmConfig,
        board_config: &BoardConfig,
    ) -> Result<VmId, HostError> {
        let program = config.process.clone().ok_or_else(|| {
            HostError::Refused("the technique `process` needs a program to execute".to_owned())
        })?;
        let linux = program.linux(config.memory_bytes, config.entropy_seed);
        let linux = linux.map_err(HostError::Refused)?;
        let pages = config.memory_bytes / PAGE;
        self.add_vm(store, config, board_config, |host, store, id| {
            let map = host.new_map(store, id, pages)?;
            let machine = ProcessMachine::new(linux, program.first_program(), map);
            Ok((Box::new(machine) as Box<dyn Technique>, Mail::new([true])))
        })
    }

    /// Removes a VM that is on no pCPU.
    pub fn destroy_vm(&mut self, store: &mut PageStore, vm: VmId) -> Result<(), HostError> {
        self.at_rest(vm)?;
        self.vms.remove(&vm);
        self.count_vcpus();
        self.dirty.remove(&vm);
        self.index.forget_vm(vm);
        self.awaited.remove(&vm);
        self.forget_all_swapped(store, vm);
        self.deferred.retain(|deferred| deferred.vm != vm);
        self.give_back(store, vm);
        Ok(())
    }

    fn count_vcpus(&mut self) {
        self.has_several = self.vms.values().any(Vm::has_several);
    }

    /// A VM that is on no pCPU.
    pub(super) fn at_rest(&self, vm: VmId) -> Result<&Vm, HostError> {
        let found = self.vm(vm)?;
        match found.on_pcpu() {
            None => Ok(found),
            Some((_, pcpu)) => Err(HostError::Refused(format!("{vm} is on pCPU {pcpu}"))),
        }
    }

    /// Adds a VM that `make` makes; gives everything back if that fails.
    pub(super) fn add_vm(
        &mut self,
        store: &mut PageStore,
        config: VmConfig,
        board_config: &BoardConfig,
        make: impl FnOnce(&mut Self, &mut PageStore, VmId) -> Result<Made, HostError>,
    ) -> Result<VmId, HostError> {
        self.check_config(&config)?;
        let id = VmId(self.next_vm);
        if let Some(guard) = self.allocator.guard() {
            guard.admit(id, config.paging);
        }
        self.allocator.settle(id, config.memory_node);
        let injection = self.allocator.suspend_failures();
        let made = make(self, store, id);
        self.allocator.resume_failures(injection);
        let (technique, mail) = match made {
            Ok(made) => made,
            Err(error) => {
                self.give_back(store, id);
                return Err(error);
            }
        };
        self.next_vm += 1;
        self.vms.insert(id, Vm::new(id, config, Board::new(board_config), technique, mail));
        self.count_vcpus();
        self.collect_dirty();
        self.dirty.insert(id, BTreeSet::new());
        Ok(id)
    }

    fn check_config(&self, config: &VmConfig) -> Result<(), HostError> {
        config.check_vcpus().map_err(HostError::Refused)?;
        config.check_paging().map_err(HostError::Refused)?;
        config.check_large_pages().map_err(HostError::Refused)?;
        config.check_translate_user().map_err(HostError::Refused)?;
        config.check_balloon().map_err(HostError::Refused)?;
        config.technique.check_isa(self.profile.isa).map_err(HostError::Refused)?;
        config.paging.check_second_stage(self.profile.second_stage).map_err(HostError::Refused)?;
        if !self.profile.missing.is_empty() && config.technique != TechniqueKind::Process {
            let needs = "a machine's kernel has all extensions; only a process-level machine can be \
                         on a host that lacks some";
            return Err(HostError::Refused(needs.to_owned()));
        }
        let bytes = config.memory_bytes;
        if bytes == 0 || !bytes.is_multiple_of(PAGE) || bytes / PAGE > MOST_GUEST_PAGES {
            return Err(HostError::Refused(format!(
                "a VM cannot have {bytes} bytes of memory: whole pages of {PAGE} bytes, at most \
                 {MOST_GUEST_PAGES} of them"
            )));
        }
        let alone = self.vms.is_empty();
        if self.owner.is_some() || (config.technique == TechniqueKind::BareMetal && !alone) {
            return Err(HostError::Refused(
                "a bare-metal guest owns its host: there can be no other VM".to_owned(),
            ));
        }
        if config.technique == TechniqueKind::BareMetal && config.vcpus > self.pcpus.len() {
            return Err(HostError::Refused(format!(
                "a bare-metal guest has no more harts than its host has: {}, not {}",
                self.pcpus.len(),
                config.vcpus
            )));
        }
        Ok(())
    }

    pub(super) fn make_technique(
        &mut self,
        store: &mut PageStore,
        id: VmId,
        config: &VmConfig,
        fill: impl FnOnce(&mut dyn GuestMemory, u64) -> Result<Vec<CpuState>, HostError>,
    ) -> Result<Made, HostError> {
        let pages = config.memory_bytes / PAGE;
        match config.technique {
            TechniqueKind::BareMetal => {
                self.give_machine_to(store, id, pages)?;
                let mut memory = Memory { store, frames: &mut self.frames };
                let (state, others, mail) = split(fill(&mut memory, config.memory_bytes)?)?;
                Ok((Box::new(BareMetal::new(state, others, config.firmware())), mail))
            }
            kind => {
                let map = self.new_map(store, id, pages)?;
                if config.large_pages {
                    self.give_runs(store, id, &map)?;
                }
                let memory = Memory { store, frames: &mut self.frames };
                let allocator = &mut self.allocator;
                let mut guest = GuestPages { memory, allocator, map: &map, vm: id };
                let (state, others, mail) = split(fill(&mut guest, config.memory_bytes)?)?;
                let firmware = config.firmware();
                if kind == TechniqueKind::Paravirtual {
                    let mut memory = Memory { store, frames: &mut self.frames };
                    let mut frames = TableFrames { allocator: &mut self.allocator, vm: id };
                    let offer =
                        Offer { isa: self.profile.isa, large_pages: config.large_pages, firmware };
                    let vcpu = paravirtual::create(&mut memory, &mut frames, state, map, &offer)?;
                    return Ok((Box::new(vcpu.with_others(others)), mail));
                }
                let shadow = Shadow::new(config.paging, config.vcpus);
                let technique: Box<dyn Technique> = match kind {
                    TechniqueKind::BinaryTranslation => {
                        let vcpu = BinaryTranslation::new(state, map, shadow, firmware);
                        Box::new(vcpu.with_translated_users(config.translate_user))
                    }
                    TechniqueKind::FourRings => {
                        let vcpu = FourRings::new(state, map, shadow, firmware);
                        Box::new(vcpu.with_others(others))
                    }
                    TechniqueKind::HardwareAssisted => {
                        let paging = if config.paging == PagingKind::Nested {
                            let stage =
                                SecondStage::new(store, &mut self.frames, &mut self.allocator, id);
                            let stage = stage.ok_or(self.too_little(ROOT_FRAMES))?;
                            Paging::Nested(stage.with_large_pages(config.large_pages))
                        } else {
                            Paging::Shadow(shadow)
                        };
                        let vcpu = HardwareAssisted::new(state, map, paging, firmware);
                        Box::new(vcpu.with_others(others))
                    }
                    _ => {
                        let vcpu = TrapAndEmulate::new(state, map, shadow, firmware);
                        Box::new(vcpu.with_others(others))
                    }
                };
                Ok((technique, mail))
            }
        }
    }

    /// Gives each large page of a guest a run of frames.
    fn give_runs(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        map: &PageMap,
    ) -> Result<(), HostError> {
        let count = LARGE_PAGE_BYTES / PAGE;
        for first in (0..map.pages()).step_by(count as usize) {
            let owner = |number| FrameOwner::Guest { vm, page: first + number };
            let run = self.allocator.allocate_run(count, owner);
            let run = run.ok_or_else(|| self.too_little(map.pages() - first))?;
            for page in first..first + count {
                let frame = PhysicalAddress(run.0 + (page - first) * PAGE);
                // It may have been a table of another guest.
                self.frames.replace(store, frame, PageId::ZERO);
                let slot = map.slot(page).ok_or(HostError::FrameNotReserved)?;
                let mut memory = Memory { store, frames: &mut self.frames };
                memory.write_u64(slot, PageMap::encode(frame))?;
            }
        }
        Ok(())
    }

    /// An empty map of a guest's pages, in frames of its own.
    fn new_map(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        pages: u64,
    ) -> Result<PageMap, HostError> {
        let wanted = map_frames(pages);
        self.allocator.check_all(wanted).map_err(|_| self.too_little(wanted))?;
        let owner = FrameOwner::Monitor { vm };
        let tables: Vec<_> = (0..wanted).filter_map(|_| self.allocator.allocate(owner)).collect();
        for table in &tables {
            // It may have been a shadow table of another guest.
            self.frames.replace(store, *table, PageId::ZERO);
        }
        Ok(PageMap::new(MEMORY_BASE, pages, tables))
    }

    /// Makes the machine one of `pages` frames, all of them the guest's: what is beyond its memory
    /// must not be there.
    fn give_machine_to(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        pages: u64,
    ) -> Result<(), HostError> {
        if pages > self.frame_count {
            return Err(self.too_little(pages));
        }
        self.owner = Some(vm);
        self.resize_memory(store, pages);
        for page in 0..pages {
            self.allocator.allocate(FrameOwner::Guest { vm, page });
        }
        Ok(())
    }

    fn resize_memory(&mut self, store: &mut PageStore, frames: u64) {
        self.frames.release_all(store);
        self.frames = Frames::new(BASE, frames);
        self.allocator = self.allocator.resized(frames);
        if let Some(guard) = self.allocator.guard() {
            self.frames.watch(Some(guard.clone()));
        }
        for (number, pcpu) in self.pcpus.iter_mut().enumerate() {
            // The harts of a guest that owned the machine had its numbers.
            pcpu.hart.id = number;
            pcpu.hart.forget_pages();
            pcpu.host_monitor();
        }
    }

    /// Gives the frames of a VM back, and the rest of the machine if it had owned it.
    fn give_back(&mut self, store: &mut PageStore, vm: VmId) {
        self.collect_dirty();
        self.allocator.release_vm(vm);
        // Frames of shadow tables that were freed before still hold content.
        for number in (0..self.frames.count()).filter(|n| self.allocator.owner(*n).is_none()) {
            let address = self.frames.address_of(number);
            self.frames.replace(store, address, PageId::ZERO);
        }
        self.frames.take_dirty();
        if self.owner == Some(vm) {
            self.owner = None;
            self.resize_memory(store, self.frame_count);
        }
    }

    pub(super) fn board_config(&self, config: &VmConfig, disk: Option<DiskImage>) -> BoardConfig {
        BoardConfig {
            harts: config.vcpus,
            ram_bytes: config.memory_bytes,
            disk,
            network: config.network,
            console: config.console,
            balloon: config.balloon,
            free_page_reporting: config.free_page_reporting,
            entropy_seed: config.entropy_seed,
            bootargs: config.bootargs.clone(),
            isa: config.technique.guest_isa(self.profile.isa),
            hz: self.profile.timing.hz,
            timebase_hz: self.profile.timing.timebase_hz,
            ..BoardConfig::default()
        }
    }

    pub(super) fn too_little(&self, wanted: u64) -> HostError {
        HostError::Memory { wanted, free: self.free_frame_count() }
    }
}

/// The registers of the first vCPU and of the others, and mailboxes for all.
fn split(mut states: Vec<CpuState>) -> Result<(CpuState, Vec<CpuState>, Mail), HostError> {
    let mut mail = Mail::new(states.iter().map(|state| !state.stopped));
    for (number, state) in states.iter().enumerate() {
        mail.keep_steal_record(number, state.steal_record);
    }
    let others = states.split_off(1.min(states.len()));
    let first = states.pop().ok_or_else(|| HostError::State("it has no vCPU".to_owned()))?;
    Ok((first, others, mail))
}

/// 16 GiB: more than any guest here needs, and small enough for every table to be made.
const MOST_GUEST_PAGES: u64 = 1 << 22;

#[allow(clippy::needless_pass_by_value, reason = "used with map_err")]
fn image_error(error: ImageError) -> HostError {
    match error {
        ImageError::Memory(_) => HostError::Refused(format!("the guest's memory: {error}")),
        _ => HostError::Image(error.to_string()),
    }
}
