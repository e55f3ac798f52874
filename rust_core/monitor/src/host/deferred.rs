//! Device work that waits: for frames, or for pages that are swapped out.

use super::Host;
use crate::error::HostError;
use crate::exit::ExitKind;
use crate::guest_pages::Place;
use crate::ids::VmId;
use dcsim_machine::{IoStatus, RequestTag, Unavailable};
use dcsim_memory::{Memory, PageStore};
use std::collections::BTreeSet;

/// Packets of a VM that wait; more are lost.
const MOST_PACKETS: usize = 64;

/// What waits.
#[derive(Debug)]
pub(super) enum Work {
    /// The end of a disk request.
    Completion { tag: RequestTag, status: IoStatus },
    /// A packet for the guest.
    Packet(Vec<u8>),
}

/// Work of a VM's devices that waits.
#[derive(Debug)]
pub(super) struct Deferred {
    /// Whose.
    pub(super) vm: VmId,
    pub(super) work: Work,
}

/// What devices of a VM wait for, as the model was told.
#[derive(Copy, Clone, Debug)]
pub(super) enum Awaited {
    /// A page that is swapped out.
    Page(u64),
    /// More free frames than there were.
    MoreFramesThan(u64),
}

/// What somebody has to do before a VM's devices can go on.
pub(super) type Lack = (VmId, ExitKind);

impl Host {
    /// Lets everything that waits try again. Returns what it waits for still, if the model does not
    /// know.
    pub(super) fn retry_devices(
        &mut self,
        store: &mut PageStore,
    ) -> Result<Option<Lack>, HostError> {
        if let Some(lack) = self.complete_deferred(store)? {
            return Ok(Some(lack));
        }
        let starved = self.vms.values().filter(|vm| vm.board.needs_memory()).map(|vm| vm.id);
        for vm in starved.collect::<Vec<_>>() {
            if let Some(kind) = self.retry_board(store, vm)? {
                return Ok(Some((vm, kind)));
            }
        }
        Ok(None)
    }

    /// Lets the devices of a VM try again. Returns what they wait for still, if the model does not
    /// know.
    pub(super) fn retry_board(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
    ) -> Result<Option<ExitKind>, HostError> {
        if self.waits(store, vm) {
            return Ok(None);
        }
        match self.with_board(store, vm, |board, memory| board.retry(memory))? {
            Ok(()) => {
                self.collect_events(store, vm, None)?;
                Ok(None)
            }
            Err(unavailable) => self.lack(store, vm, unavailable).map(Some),
        }
    }

    /// Lets everything that waits try again, as a run would: for a VM on no pCPU, whose devices
    /// found what they lacked.
    pub fn resume_devices(&mut self, store: &mut PageStore) -> Result<(), HostError> {
        self.retry_devices(store).map(|_| ())
    }

    /// Whether devices of a VM wait for frames, or for pages that are swapped out.
    pub fn devices_wait(&self, vm: VmId) -> Result<bool, HostError> {
        Ok(self.vm(vm)?.board.needs_memory() || self.has_deferred(vm))
    }

    /// Completes what can be completed, each VM's in order.
    pub(super) fn complete_deferred(
        &mut self,
        store: &mut PageStore,
    ) -> Result<Option<Lack>, HostError> {
        let mut waiting = BTreeSet::new();
        let mut index = 0;
        while let Some(vm) = self.deferred.get(index).map(|deferred| deferred.vm) {
            if waiting.contains(&vm) || self.waits(store, vm) {
                waiting.insert(vm);
                index += 1;
                continue;
            }
            let Some(deferred) = self.deferred.remove(index) else { break };
            if let Err(unavailable) = self.carry_out(store, &deferred)? {
                self.deferred.insert(index, deferred);
                return Ok(Some((vm, self.lack(store, vm, unavailable)?)));
            }
            self.collect_events(store, vm, None)?;
        }
        Ok(None)
    }

    fn carry_out(
        &mut self,
        store: &mut PageStore,
        Deferred { vm, work }: &Deferred,
    ) -> Result<Result<(), Unavailable>, HostError> {
        self.with_board(store, *vm, |board, memory| match work {
            Work::Completion { tag, status } => board.complete(memory, *tag, *status).map(|_| ()),
            Work::Packet(bytes) => board.receive_packet(memory, bytes).map(|_| ()),
        })
    }

    /// Keeps a packet until what it waits for is there. `false`: there are too many.
    pub(super) fn defer_packet(&mut self, vm: VmId, payload: &[u8]) -> bool {
        let is_packet = |each: &&Deferred| each.vm == vm && matches!(each.work, Work::Packet(_));
        if self.deferred.iter().filter(is_packet).count() >= MOST_PACKETS {
            return false;
        }
        self.deferred.push_back(Deferred { vm, work: Work::Packet(payload.to_vec()) });
        true
    }

    /// Whether work of a VM's devices waits.
    pub(super) fn has_deferred(&self, vm: VmId) -> bool {
        self.deferred.iter().any(|deferred| deferred.vm == vm)
    }

    /// Whether the devices of a VM wait for something that the model knows of.
    fn waits(&mut self, store: &mut PageStore, vm: VmId) -> bool {
        let waits = match self.awaited.get(&vm).copied() {
            None => return false,
            Some(Awaited::Page(page)) => self.is_swapped(store, vm, page),
            Some(Awaited::MoreFramesThan(few)) => self.allocator.free_count() <= few,
        };
        if !waits {
            self.awaited.remove(&vm);
        }
        waits
    }

    /// The model is told what the devices of a VM wait for: once of a page that is swapped out, and
    /// of frames if no vCPU is there to ask again.
    pub(super) fn note_told(&mut self, vm: VmId, kind: &ExitKind) {
        let is_off = self.vms.get(&vm).is_some_and(|vm| vm.on_pcpu().is_none());
        let awaited = match kind {
            ExitKind::SwapIn { page } => Awaited::Page(*page),
            ExitKind::Memory if is_off => Awaited::MoreFramesThan(self.allocator.free_count()),
            _ => return,
        };
        self.awaited.insert(vm, awaited);
    }

    fn is_swapped(&mut self, store: &mut PageStore, vm: VmId, page: u64) -> bool {
        let map = self.vms.get(&vm).and_then(|vm| vm.technique.page_map());
        let memory = Memory { store, frames: &mut self.frames };
        map.is_some_and(|map| map.place(&memory, page) == Place::Swapped)
    }

    /// What devices that could not reach a page wait for.
    pub(super) fn lack(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        Unavailable { address }: Unavailable,
    ) -> Result<ExitKind, HostError> {
        let page = self.vm(vm)?.technique.page_map().and_then(|map| map.page_of(address));
        match page {
            Some(page) if self.is_swapped(store, vm, page) => Ok(ExitKind::SwapIn { page }),
            _ => Ok(ExitKind::Memory),
        }
    }
}
