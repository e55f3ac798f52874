//! A check of every access that a guest causes, by a table of owners that is kept apart.
//!
//! An instrument for tests. The monitor decides what a guest can reach by the entries of tables
//! that it makes; whether it decides well is not asked here, but of each access that is made: in
//! whose name, for what ([`Use`]), and whose is the frame. A [`Guard`] is told so by the lowest
//! layer ([`dcsim_memory::Frames`] of every access by physical address, the allocator of every frame
//! that changes hands), and uses nothing of the code that it watches.
//!
//! * [`owners`]: whose each frame is;
//! * [`rules`]: what may be done to it in whose name;
//! * [`copies`]: that what a guest must not write does not change while it executes.

pub mod copies;
pub mod owners;
pub mod rules;

use crate::allocator::FrameOwner;
use crate::config::PagingKind;
use crate::ids::VmId;
use copies::Copies;
use dcsim_memory::{Memory, PhysicalAddress, Use, Witness};
use owners::OwnerTable;
use rules::{Actor, Code};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Accesses that a guard has seen guests cause, by what they were made for.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Seen([u64; Use::ALL.len()]);

impl Seen {
    /// Accesses of a kind.
    pub fn count(&self, purpose: Use) -> u64 {
        self.0[purpose as usize]
    }
}

/// What watches a host.
#[derive(Debug)]
pub struct Guard(Mutex<State>);

#[derive(Debug)]
struct State {
    owners: OwnerTable,
    pagings: BTreeMap<VmId, PagingKind>,
    actor: Actor,
    seen: Seen,
    /// Of so many times that a guest executes, one is compared with copies.
    copied_every: u64,
    executions: u64,
    copies: Option<Copies>,
    /// The first breach that nobody has been told of.
    found: Option<String>,
}

impl Guard {
    /// A guard for frames that nobody has yet. It compares what a guest must not write with copies
    /// once in `copied_every` times that one executes.
    pub fn new(base: PhysicalAddress, count: u64, copied_every: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            owners: OwnerTable::new(base, count),
            pagings: BTreeMap::new(),
            actor: Actor::Nobody,
            seen: Seen::default(),
            copied_every: copied_every.max(1),
            executions: 0,
            copies: None,
            found: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host has other frames now, all of them free.
    pub fn restart(&self, base: PhysicalAddress, count: u64) {
        self.state().owners = OwnerTable::new(base, count);
    }

    /// A VM is paged in this way.
    pub fn admit(&self, vm: VmId, paging: PagingKind) {
        self.state().pagings.insert(vm, paging);
    }

    /// A frame was given to somebody.
    pub fn given(&self, frame: PhysicalAddress, owner: FrameOwner) {
        let mut state = self.state();
        let given = state.owners.give(frame, owner);
        state.note(given);
    }

    /// A frame was taken back.
    pub fn taken_back(&self, frame: PhysicalAddress) {
        let mut state = self.state();
        let taken = state.owners.take_back(frame);
        state.note(taken);
    }

    /// A page of a VM lies in a shared frame from now on.
    pub fn joined(&self, frame: PhysicalAddress, vm: VmId) {
        let mut state = self.state();
        let joined = state.owners.join(frame, vm);
        state.note(joined);
    }

    /// One of its pages there does no longer.
    pub fn left(&self, frame: PhysicalAddress, vm: VmId) {
        let mut state = self.state();
        let left = state.owners.leave(frame, vm);
        state.note(left);
    }

    /// From now on the monitor acts for a VM, until what is returned ends.
    pub fn act_for(self: &Arc<Self>, vm: VmId) -> Acting {
        let before = std::mem::replace(&mut self.state().actor, Actor::Monitor(vm));
        Acting { guard: Arc::clone(self), before }
    }

    /// A guest begins to execute.
    pub fn guest_begins(&self, vm: VmId, code: Code, memory: &Memory<'_>) {
        let mut state = self.state();
        let paging = state.pagings.get(&vm).copied().unwrap_or(PagingKind::None);
        state.actor = Actor::Guest(vm, paging, code);
        state.executions += 1;
        if state.executions.is_multiple_of(state.copied_every) {
            state.copies = Some(Copies::take(memory, &state.owners, vm));
        }
    }

    /// It ends.
    pub fn guest_ends(&self, vm: VmId, memory: &Memory<'_>) {
        let mut state = self.state();
        state.actor = Actor::Monitor(vm);
        if let Some(copies) = state.copies.take() {
            let compared = copies.compare(memory, &state.owners);
            state.note(compared);
        }
    }

    /// The first breach since this was last asked.
    pub fn take_found(&self) -> Option<String> {
        self.state().found.take()
    }

    /// What guests were seen to do.
    pub fn seen(&self) -> Seen {
        self.state().seen
    }
}

impl State {
    fn note(&mut self, result: Result<(), String>) {
        if let Err(breach) = result {
            self.found.get_or_insert(breach);
        }
    }
}

impl Witness for Guard {
    fn saw(&self, purpose: Use, address: PhysicalAddress) {
        let mut state = self.state();
        if state.actor == Actor::Nobody {
            return;
        }
        if matches!(state.actor, Actor::Guest(..)) || purpose >= Use::DeviceRead {
            state.seen.0[purpose as usize] += 1;
        }
        let owner = state.owners.of(address);
        let shares = state.actor.vm().is_some_and(|vm| state.owners.shares(address, vm));
        if !state.actor.may(purpose, owner, shares) {
            let actor = state.actor;
            let place = address.0;
            state.note(Err(format!("{actor}: {purpose:?} at {place:#x}, which is {owner:?}")));
        }
    }
}

/// The time for which a monitor acts for a VM.
#[derive(Debug)]
#[must_use]
pub struct Acting {
    guard: Arc<Guard>,
    before: Actor,
}

impl Drop for Acting {
    fn drop(&mut self) {
        self.guard.state().actor = self.before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dcsim_memory::{Frames, PageStore};

    const BASE: PhysicalAddress = PhysicalAddress(0x8000_0000);
    const VM: VmId = VmId(1);

    fn frame(number: u64) -> PhysicalAddress {
        PhysicalAddress(BASE.0 + number * 4096)
    }

    /// What a guard finds when `act` happens in the name of the guest of VM 1, which has frame 0 as
    /// a page and frame 1 as a shadow table; frame 2 is another guest's.
    fn found(act: impl FnOnce(&mut Memory<'_>)) -> Option<String> {
        let guard = Guard::new(BASE, 4, 1);
        let (mut store, mut frames) = (PageStore::new(1 << 20), Frames::new(BASE, 4));
        frames.watch(Some(guard.clone()));
        guard.admit(VM, PagingKind::ShadowTlb);
        guard.given(frame(0), FrameOwner::Guest { vm: VM, page: 0 });
        guard.given(frame(1), FrameOwner::Shadow { vm: VM });
        guard.given(frame(2), FrameOwner::Guest { vm: VmId(2), page: 0 });
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        let _acting = guard.act_for(VM);
        guard.guest_begins(VM, Code::Own, &memory);
        act(&mut memory);
        guard.guest_ends(VM, &memory);
        guard.take_found()
    }

    #[test]
    fn a_guest_has_its_own_pages_and_its_hart_their_tables() {
        let none = found(|memory| {
            memory.write_u64(frame(0), 1).unwrap();
            assert!(memory.table_offset(frame(1)).is_some());
            assert!(memory.markable_offset(frame(1)).is_ok());
        });
        assert_eq!(none, None);
    }

    #[test]
    fn every_access_to_what_is_not_its_own_is_found() {
        assert!(found(|memory| _ = memory.read_u8(frame(2))).is_some());
        assert!(found(|memory| _ = memory.read_u8(frame(3))).is_some());
        assert!(found(|memory| _ = memory.write_u8(frame(1), 1)).is_some());
        assert!(found(|memory| _ = memory.code_page(frame(1))).is_some());
        assert!(found(|memory| _ = memory.table_offset(frame(0))).is_some());
        assert!(found(|memory| _ = memory.device_write(frame(2), &[1])).is_some());
    }

    #[test]
    fn bytes_that_change_unseen_are_found() {
        let behind_its_back = |frame_number: u64, byte: u8| {
            found(|memory| {
                // As a stale entry of a software TLB would.
                let offset = memory.markable_offset(frame(frame_number)).unwrap();
                memory.store.bytes_mut()[offset] = byte;
            })
        };
        // Accessed and dirty bits alone may change.
        assert_eq!(behind_its_back(1, 0xc0), None);
        assert!(behind_its_back(1, 1).is_some());
    }

    #[test]
    fn a_shared_frame_is_read_by_who_is_in_it_and_written_by_nobody() {
        let guard = Guard::new(BASE, 4, 1);
        let (mut store, mut frames) = (PageStore::new(1 << 20), Frames::new(BASE, 4));
        frames.watch(Some(guard.clone()));
        guard.given(frame(0), FrameOwner::Shared);
        guard.joined(frame(0), VM);
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        let mut found = |vm, act: fn(&mut Memory<'_>)| {
            let _acting = guard.act_for(vm);
            guard.guest_begins(vm, Code::Own, &memory);
            act(&mut memory);
            guard.guest_ends(vm, &memory);
            guard.take_found()
        };
        assert_eq!(found(VM, |memory| _ = memory.read_u8(frame(0))), None);
        assert!(found(VM, |memory| _ = memory.write_u8(frame(0), 1)).is_some());
        assert!(found(VmId(2), |memory| _ = memory.read_u8(frame(0))).is_some());
        guard.left(frame(0), VM);
        assert!(found(VM, |memory| _ = memory.read_u8(frame(0))).is_some());
        guard.left(frame(0), VM);
        assert!(guard.take_found().is_some(), "a page that leaves twice");
    }

    #[test]
    fn a_frame_that_is_given_twice_is_found() {
        let guard = Guard::new(BASE, 4, 1);
        guard.given(frame(0), FrameOwner::Shadow { vm: VM });
        assert_eq!(guard.take_found(), None);
        guard.given(frame(0), FrameOwner::Guest { vm: VM, page: 0 });
        assert!(guard.take_found().is_some());
        guard.taken_back(frame(1));
        assert!(guard.take_found().is_some());
    }
}
