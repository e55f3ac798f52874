//! Whose each of the host's frames is, asked of everybody but the allocator.
//!
//! Pages are counted in the maps of guests as they lie in memory, tables and code where those who
//! made them keep them, compressed pages in their pool. What the allocator has given to somebody and
//! nobody knows of is lost; what two know of, or what is free as well, is in danger. A look from
//! outside: it costs no guest anything, and a host of a gibibyte a fraction of a millisecond.

use super::Host;
use crate::allocator::{FrameAllocator, FrameOwner};
use crate::error::HostError;
use crate::guest_pages::Place;
use crate::ids::VmId;
use crate::vm::Vm;
use dcsim_memory::{Memory, PageStore, PhysicalAddress};

/// How many frames of a host are used for what.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Census {
    /// Each has a page of one guest.
    pub pages: u64,
    /// Each has a page of several.
    pub shared: u64,
    /// Tables, records and code that the monitor has made for guests.
    pub tables: u64,
    /// Compressed pages.
    pub compressed: u64,
    /// Nobody holds them; what is kept back for some is among them.
    pub free: u64,
}

impl Census {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.pages + self.shared + self.tables + self.compressed + self.free
    }
}

/// What a frame is used for.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Used {
    Page,
    Shared,
    Table,
    Compressed,
}

/// What is known of each frame so far.
struct Count<'a> {
    allocator: &'a FrameAllocator,
    used: Vec<Option<Used>>,
    census: Census,
    /// Pages in shared frames.
    sharers: u64,
}

impl Host {
    /// Counts the host's frames. Refuses if one is lost, or held twice.
    pub fn count_frames(&mut self, store: &mut PageStore) -> Result<Census, HostError> {
        let memory = Memory { store, frames: &mut self.frames };
        let mut count = Count::new(&self.allocator);
        let counted = self
            .vms
            .values()
            .try_for_each(|vm| count.add_vm(&memory, vm))
            .and_then(|()| count.add(self.swap.pool.frames(), Used::Compressed))
            .and_then(|()| count.end());
        let census = counted.map_err(HostError::Frames)?;
        Ok(Census { free: census.free + self.frame_count - self.allocator.count(), ..census })
    }

    /// Takes a frame for a VM that nobody knows of then: for tests, which show that it is missed.
    pub fn lose_frame(&mut self, vm: VmId) {
        self.allocator.allocate(FrameOwner::Monitor { vm });
    }
}

impl<'a> Count<'a> {
    fn new(allocator: &'a FrameAllocator) -> Self {
        let used = vec![None; usize::try_from(allocator.count()).unwrap_or_default()];
        Self { allocator, used, census: Census::default(), sharers: 0 }
    }

    /// All that a VM has.
    fn add_vm(&mut self, memory: &Memory<'_>, vm: &Vm) -> Result<(), String> {
        self.add(vm.technique.own_frames(memory), Used::Table)?;
        let Some(map) = vm.technique.page_map() else {
            // The machine is the guest's.
            return self.add(self.allocator.addresses(), Used::Page);
        };
        self.add(map.tables().iter().copied(), Used::Table)?;
        for (_, place) in map.resident(memory) {
            match place {
                Place::Own(frame) => self.hold(frame, Used::Page)?,
                Place::Shared(frame) => self.join(frame)?,
                Place::Absent | Place::Swapped => {}
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        frames: impl IntoIterator<Item = PhysicalAddress>,
        used: Used,
    ) -> Result<(), String> {
        frames.into_iter().try_for_each(|frame| self.hold(frame, used))
    }

    fn slot(&mut self, frame: PhysicalAddress) -> Result<&mut Option<Used>, String> {
        let index = self.allocator.index_of(frame);
        let slot = index.and_then(|index| self.used.get_mut(index));
        slot.ok_or_else(|| format!("{frame:?} is used and is none of the host's frames"))
    }

    /// A frame is used for this, and for nothing else.
    fn hold(&mut self, frame: PhysicalAddress, used: Used) -> Result<(), String> {
        if let Some(before) = self.slot(frame)?.replace(used) {
            return Err(format!("{frame:?} is used twice: as {before:?} and as {used:?}"));
        }
        *match used {
            Used::Page => &mut self.census.pages,
            Used::Shared => &mut self.census.shared,
            Used::Table => &mut self.census.tables,
            Used::Compressed => &mut self.census.compressed,
        } += 1;
        Ok(())
    }

    /// One more page is in a shared frame.
    fn join(&mut self, frame: PhysicalAddress) -> Result<(), String> {
        self.sharers += 1;
        match self.slot(frame)? {
            Some(Used::Shared) => Ok(()),
            _ => self.hold(frame, Used::Shared),
        }
    }

    /// Compares what was found with what the allocator has given away.
    fn end(mut self) -> Result<Census, String> {
        for (frame, used) in self.allocator.addresses().zip(&self.used) {
            match (self.allocator.owner_of(frame), used) {
                (None, None) => self.census.free += 1,
                (Some(_), Some(_)) => {}
                (Some(owner), None) => {
                    return Err(format!("{frame:?} is lost: it was given to {owner:?}"));
                }
                (None, Some(used)) => return Err(format!("{frame:?} is free and used: {used:?}")),
            }
        }
        let known = (self.allocator.free_count(), self.allocator.shared().page_count());
        if (self.census.free, self.sharers) != known {
            let (free, sharers) = known;
            return Err(format!(
                "{} frames are free and {} pages share some, and {free} and {sharers} are known",
                self.census.free, self.sharers
            ));
        }
        Ok(self.census)
    }
}
