//! Whose each frame of a host is: a table beside the allocator's own.

use crate::allocator::FrameOwner;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

/// The table.
#[derive(Clone, Debug)]
pub struct OwnerTable {
    base: PhysicalAddress,
    owners: Vec<Option<FrameOwner>>,
}

impl OwnerTable {
    /// `count` frames from `base` upwards, all of them nobody's.
    pub fn new(base: PhysicalAddress, count: u64) -> Self {
        Self { base, owners: vec![None; usize::try_from(count).unwrap_or(usize::MAX)] }
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
