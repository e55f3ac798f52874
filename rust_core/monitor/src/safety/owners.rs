//! Whose each frame of a host is: a table beside the allocator's own.

use crate::allocator::FrameOwner;
use crate::ids::VmId;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};
use std::collections::BTreeMap;

/// The table.
#[derive(Clone, Debug)]
pub struct OwnerTable {
    base: PhysicalAddress,
    owners: Vec<Option<FrameOwner>>,
    /// Pages of VMs in shared frames.
    sharers: BTreeMap<(usize, VmId), u64>,
}

impl OwnerTable {
    /// `count` frames from `base` upwards, all of them nobody's.
    pub fn new(base: PhysicalAddress, count: u64) -> Self {
        let owners = vec![None; usize::try_from(count).unwrap_or(usize::MAX)];
        Self { base, owners, sharers: BTreeMap::new() }
    }

    /// Whose the frame is that holds an address.
    pub fn of(&self, address: PhysicalAddress) -> Option<FrameOwner> {
        self.owners.get(self.number(address)?).copied().flatten()
    }

    /// All frames that are the host's, with their owners.
    pub fn iter(&self) -> impl Iterator<Item = (PhysicalAddress, Option<FrameOwner>)> {
        let address = |number: usize| PhysicalAddress(self.base.0 + (number * PAGE_BYTES) as u64);
        self.owners.iter().enumerate().map(move |(number, owner)| (address(number), *owner))
    }

    /// Somebody has a frame now; it must have been nobody's.
    pub fn give(&mut self, frame: PhysicalAddress, owner: FrameOwner) -> Result<(), String> {
        match self.replace(frame, Some(owner))? {
            None => Ok(()),
            Some(before) => Err(format!("{frame:?} of {before:?} was given to {owner:?}")),
        }
    }

    /// Nobody has a frame any more; it must have been somebody's.
    pub fn take_back(&mut self, frame: PhysicalAddress) -> Result<(), String> {
        let before = self.replace(frame, None)?;
        before.map(|_| ()).ok_or_else(|| format!("{frame:?} was free and was taken back"))
    }

    /// A page of a VM lies in a shared frame from now on.
    pub fn join(&mut self, frame: PhysicalAddress, vm: VmId) -> Result<(), String> {
        let Some(number) =
            self.number(frame).filter(|_| self.of(frame) == Some(FrameOwner::Shared))
        else {
            return Err(format!("{frame:?} is not shared, and a page of {vm} joined it"));
        };
        *self.sharers.entry((number, vm)).or_default() += 1;
        Ok(())
    }

    /// One of its pages there does no longer.
    pub fn leave(&mut self, frame: PhysicalAddress, vm: VmId) -> Result<(), String> {
        let none = || format!("no page of {vm} is in {frame:?}, and one left");
        let number = self.number(frame).ok_or_else(none)?;
        let count = self.sharers.get_mut(&(number, vm)).ok_or_else(none)?;
        *count -= 1;
        if *count == 0 {
            self.sharers.remove(&(number, vm));
        }
        Ok(())
    }

    /// Whether a page of a VM lies in the frame that holds an address, which is shared.
    pub fn shares(&self, address: PhysicalAddress, vm: VmId) -> bool {
        self.number(address).is_some_and(|number| self.sharers.contains_key(&(number, vm)))
    }

    fn replace(
        &mut self,
        frame: PhysicalAddress,
        owner: Option<FrameOwner>,
    ) -> Result<Option<FrameOwner>, String> {
        let slot = self.number(frame).and_then(|number| self.owners.get_mut(number));
        let slot = slot.ok_or_else(|| format!("there is no frame {frame:?}"))?;
        Ok(std::mem::replace(slot, owner))
    }

    fn number(&self, address: PhysicalAddress) -> Option<usize> {
        usize::try_from(address.offset_from(self.base)? / PAGE_BYTES as u64).ok()
    }
}
