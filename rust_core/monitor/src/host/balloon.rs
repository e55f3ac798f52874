//! Memory that guests give to their host, and how the host asks for it.

use super::{Host, PAGE};
use crate::assumed;
use crate::error::HostError;
use crate::exit::ExitKind;
use crate::ids::VmId;
use crate::vm::BalloonRequest;
use dcsim_machine::{BalloonOperation, Board, GuestMemory, Meter};
use dcsim_memory::{Memory, PageStore};
use std::collections::BTreeMap;

/// The path of host software that taking pages is booked under.
const PATH: &str = "balloon";

/// A VM's balloon.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Balloon {
    /// The pages that the host wants.
    pub target_pages: u64,
    /// The pages that the guest says it has given.
    pub actual_pages: u64,
    /// Pages given since the VM began.
    pub inflated_pages: u64,
    /// Pages taken back since.
    pub deflated_pages: u64,
    /// Pages reported free since.
    pub reported_pages: u64,
    /// Frames that became free as pages were given or reported.
    pub freed_frames: u64,
    /// Page numbers that the guest does not have.
    pub refused_pages: u64,
    /// How often the guest has told its statistics.
    pub statistics_updates: u64,
    /// The latest of them, by the tags of Virtio 1.2, section 5.5.6.4.
    pub statistics: BTreeMap<u16, u64>,
}

impl Host {
    /// A VM's balloon, if it has one.
    pub fn balloon(&self, vm: VmId) -> Result<Option<Balloon>, HostError> {
        let Some(device) = self.vm(vm)?.board.balloon() else { return Ok(None) };
        let (state, counters) = (device.state(), device.counters());
        Ok(Some(Balloon {
            target_pages: u64::from(state.target_pages),
            actual_pages: u64::from(state.actual_pages),
            inflated_pages: counters.inflated_pages,
            deflated_pages: counters.deflated_pages,
            reported_pages: counters.reported_pages,
            freed_frames: self.vm(vm)?.given_pages,
            refused_pages: counters.refused_pages,
            statistics_updates: counters.statistics_updates,
            statistics: state.statistics.clone(),
        }))
    }

    /// Sets how many pages of a VM its balloon shall hold; no more than it has.
    pub fn set_balloon_target(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        pages: u64,
    ) -> Result<(), HostError> {
        self.check_has_balloon(vm)?;
        let pages = pages.min(self.vm(vm)?.config.memory_bytes / PAGE) as u32;
        let set = |board: &mut Board, _: &mut dyn GuestMemory| {
            board.set_balloon_target(pages);
            Ok(())
        };
        self.with_board(store, vm, set).map(|_| ())
    }

    /// Asks a VM for fresh statistics. `false` if it cannot be asked now: it has no driver, has not
    /// answered since it was last asked, or the host has no frame for the question.
    pub fn ask_balloon_statistics(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
    ) -> Result<bool, HostError> {
        self.check_has_balloon(vm)?;
        let asked =
            self.with_board(store, vm, |board, memory| board.ask_balloon_statistics(memory))?;
        Ok(asked.unwrap_or(false))
    }

    fn check_has_balloon(&self, vm: VmId) -> Result<(), HostError> {
        if self.vm(vm)?.config.balloon {
            return Ok(());
        }
        Err(HostError::Refused(format!("{vm} has no balloon")))
    }

    /// Turns what a VM's devices asked for, made to by a vCPU if there is one, into events, and does
    /// what its balloon asked for.
    pub(super) fn collect_events(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        vcpu: Option<usize>,
    ) -> Result<(), HostError> {
        self.vm_mut(vm)?.collect_events(vcpu);
        while let Some(request) = self.vm_mut(vm)?.balloon.pop_front() {
            self.serve_balloon(store, vm, vcpu, &request)?;
        }
        Ok(())
    }

    fn serve_balloon(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        vcpu: Option<usize>,
        request: &BalloonRequest,
    ) -> Result<(), HostError> {
        if request.operation != BalloonOperation::Deflate {
            self.take_pages(store, vm, &request.pages)?;
        }
        let pages = request.pages.len() as u64;
        let when = |operation| if request.operation == operation { pages } else { 0 };
        let machine = self.vm_mut(vm)?;
        let number = machine.speaker(vcpu);
        machine.vcpus[number].events.push_back(ExitKind::Balloon {
            inflated: when(BalloonOperation::Inflate),
            deflated: when(BalloonOperation::Deflate),
            reported: when(BalloonOperation::Report),
        });
        self.finish_request(store, vm, request.tag)
    }

    /// Tells whether the page had a frame.
    fn take_page(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        address: u64,
    ) -> Result<bool, HostError> {
        let machine = self.vms.get_mut(&vm).ok_or(HostError::NoSuchVm(vm))?;
        let memory = Memory { store, frames: &mut self.frames };
        let mut guest = machine.technique.guest_memory(vm, memory, &mut self.allocator);
        let given = guest.give_up(address);
        drop(guest);
        let map = machine.technique.page_map();
        let Some(page) = map.and_then(|map| map.page_of(address)) else { return Ok(false) };
        if given {
            self.forget_content(vm, page);
        } else {
            // It is absent, or elsewhere, if it is not one that has to stay.
            self.give_back_swapped(store, vm, page)?;
        }
        Ok(given)
    }

    /// Frees the frames of pages that a guest does without. The pCPU that it is on does the work, or
    /// the first.
    fn take_pages(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        addresses: &[u64],
    ) -> Result<(), HostError> {
        let pcpu = self.vm(vm)?.on_pcpu().map_or(0, |(_, pcpu)| pcpu);
        let _acting = self.act_for(vm);
        self.collect_dirty();
        let mut given = 0;
        for address in addresses {
            given += u64::from(self.take_page(store, vm, *address)?);
        }
        self.vm_mut(vm)?.given_pages += given;
        self.settle_departures(store, pcpu)?;
        let memory = Memory { store, frames: &mut self.frames };
        let mut meter = Meter::new(&mut self.pcpus[pcpu].hart, memory);
        // The list is read, and an entry of the map; where there was a frame, the entry goes.
        meter.load_state(2 * addresses.len() as u64);
        meter.store_state(given);
        (0..given).for_each(|_| meter.assume(assumed::FREE_LIST));
        self.book_path(pcpu, PATH)
    }
}
