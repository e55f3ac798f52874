//! Saving a VM and making one from a saved state.

use super::{BASE, Host, PAGE};
use crate::config::{TechniqueKind, VmConfig};
use crate::error::HostError;
use crate::guest_pages::{GuestPages, Place};
use crate::ids::VmId;
use crate::paravirtual::check_saved;
use crate::state::VmState;
use dcsim_machine::{DiskImage, Persist};
use dcsim_memory::{Memory, PageId, PageStore, PhysicalAddress};

impl Host {
    /// Copies a VM out of the host: it must be on no pCPU, and its devices must be at rest. Pages
    /// are shared with the VM until one side writes.
    pub fn save_vm(&mut self, store: &mut PageStore, vm: VmId) -> Result<VmState, HostError> {
        let machine = self.at_rest(vm)?;
        if machine.config.technique == TechniqueKind::Process {
            return Err(HostError::Refused(format!(
                "{vm} is a process-level machine: what the host's kernel knows of its program \
                 cannot be saved; start the program again instead"
            )));
        }
        let busy = machine.board.in_flight();
        let unsettled = !machine.vcpus.iter().all(|vcpu| vcpu.events.is_empty())
            || machine.board.needs_memory()
            || self.deferred.iter().any(|deferred| deferred.vm == vm);
        if busy > 0 || unsettled {
            return Err(HostError::Refused(format!(
                "{vm} cannot be saved: {busy} disk requests are in flight{}",
                if unsettled { " and events are not handled" } else { "" }
            )));
        }
        let board = machine.board.save();
        let mut cpus = self.vm_mut(vm)?.capture();
        let others = cpus.split_off(1);
        let cpu = cpus.pop().ok_or(HostError::NoSuchVm(vm))?;
        let mut state = VmState { cpu, others, board, pages: Vec::new() };
        let saved = self.save_pages(store, vm, &mut state);
        if let Err(error) = saved.and_then(|()| self.replace_saved_pages(store, vm, &mut state)) {
            state.release(store);
            return Err(error);
        }
        Ok(state)
    }

    /// Puts what the guest would read in each of its pages into a state, wherever it is.
    fn save_pages(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        state: &mut VmState,
    ) -> Result<(), HostError> {
        for (number, place) in self.guest_places(store, vm)?.into_iter().enumerate() {
            let page = match place {
                Place::Swapped => self.swapped_content(store, (vm, number as u64))?,
                _ => self.share_page(store, place.frame()),
            };
            state.pages.push(page);
        }
        Ok(())
    }

    /// Puts pages into a state that are saved as something else than their content.
    fn replace_saved_pages(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        state: &mut VmState,
    ) -> Result<(), HostError> {
        for (number, page) in state.pages.iter_mut().enumerate() {
            let machine = self.vms.get(&vm).ok_or(HostError::NoSuchVm(vm))?;
            let memory = Memory { store, frames: &mut self.frames };
            let Some(content) = machine.technique.saved_page(&memory, number as u64) else {
                continue;
            };
            let zeros = content.iter().all(|byte| *byte == 0);
            let saved = if zeros { PageId::ZERO } else { store.insert(&content)? };
            store.release(std::mem::replace(page, saved));
        }
        Ok(())
    }

    /// Creates a VM that goes on where a saved one stopped, with `disk` or, without one, the disk
    /// as it was saved.
    pub fn restore_vm(
        &mut self,
        store: &mut PageStore,
        config: VmConfig,
        state: &VmState,
        disk: Option<DiskImage>,
    ) -> Result<VmId, HostError> {
        if config.memory_bytes != state.memory_bytes() {
            return Err(HostError::State(format!(
                "it has {} bytes of memory, not {}",
                state.memory_bytes(),
                config.memory_bytes
            )));
        }
        if config.vcpus != 1 + state.others.len() {
            return Err(HostError::State(format!(
                "it has {} vCPUs, not {}",
                1 + state.others.len(),
                config.vcpus
            )));
        }
        check_interface(&config, state)?;
        if let Some(agreement) = state.cpu.agreement.as_ref().filter(|_| state.cpu.instructions > 0)
        {
            check_saved(agreement, self.profile.isa, config.large_pages)
                .map_err(HostError::State)?;
        }
        let disk = disk.or_else(|| state.board.disk.clone());
        let board_config = self.board_config(&config, disk.clone());
        let made = config.clone();
        let vm = self.add_vm(store, config, &board_config, |host, store, id| {
            host.make_technique(store, id, &made, |_, _| Ok(state.cpus()))
        })?;
        let mut devices = state.board.clone();
        devices.disk = disk;
        let restored = self
            .vm_mut(vm)?
            .board
            .restore(&devices)
            .map_err(|error| HostError::State(error.to_string()))
            .and_then(|()| self.install_pages(store, vm, &state.pages));
        if let Err(error) = restored {
            self.destroy_vm(store, vm)?;
            return Err(error);
        }
        self.collect_events(store, vm, None)?;
        self.take_dirty_pages(vm)?;
        Ok(vm)
    }

    /// Where each page of a guest is.
    fn guest_places(&mut self, store: &mut PageStore, vm: VmId) -> Result<Vec<Place>, HostError> {
        let machine = self.vms.get(&vm).ok_or(HostError::NoSuchVm(vm))?;
        let pages = machine.config.memory_bytes / PAGE;
        let memory = Memory { store, frames: &mut self.frames };
        let place = |page| match machine.technique.page_map() {
            Some(map) => map.place(&memory, page),
            None => BASE.checked_add(page * PAGE).map_or(Place::Absent, Place::Own),
        };
        Ok((0..pages).map(place).collect())
    }

    /// A reference to the page in a frame; pages of zeros all become the zero page.
    fn share_page(&mut self, store: &mut PageStore, frame: Option<PhysicalAddress>) -> PageId {
        let page = frame.and_then(|frame| self.frames.page_id(frame)).unwrap_or(PageId::ZERO);
        if store.page(page) == store.page(PageId::ZERO) {
            return PageId::ZERO;
        }
        frame.and_then(|frame| self.frames.share(store, frame)).unwrap_or(PageId::ZERO)
    }

    /// Gives a guest the pages of a saved one.
    fn install_pages(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        pages: &[PageId],
    ) -> Result<(), HostError> {
        let wanted = pages.iter().filter(|page| **page != PageId::ZERO).count() as u64;
        let machine = self.vms.get(&vm).ok_or(HostError::NoSuchVm(vm))?;
        let map = machine.technique.page_map();
        if map.is_some() {
            self.allocator.check_all(wanted).map_err(|_| self.too_little(wanted))?;
        }
        for (number, page) in pages.iter().enumerate().filter(|(_, page)| **page != PageId::ZERO) {
            let number = number as u64;
            let frame = match map {
                None => BASE.checked_add(number * PAGE),
                Some(map) => {
                    let memory = Memory { store, frames: &mut self.frames };
                    let allocator = &mut self.allocator;
                    GuestPages { memory, allocator, map, vm }.provide(number).ok()
                }
            };
            let frame = frame.ok_or(HostError::FrameNotReserved)?;
            let page = store.retain(*page);
            self.frames.replace(store, frame, page);
        }
        Ok(())
    }
}

/// A guest that began with a monitor that it knows cannot go on without, nor the other way round.
fn check_interface(config: &VmConfig, state: &VmState) -> Result<(), HostError> {
    let knows = state.cpu.agreement.is_some();
    if state.cpu.instructions == 0 || knows == config.technique.needs_interface() {
        return Ok(());
    }
    let (is, not) = if knows { ("", "not ") } else { ("not ", "") };
    Err(HostError::State(format!(
        "its kernel did {is}find a paravirtual interface when it started, and the technique `{}` \
         has {not}one",
        config.technique.name()
    )))
}
