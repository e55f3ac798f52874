//! A guest's pages as handlers reach them: through the meter, which charges each look and copy.

use super::{PageMap, Place, departure};
use crate::allocator::FrameOwner;
use crate::error::HostError;
use crate::shadow::tree::TableFrames;
use dcsim_machine::Meter;
use dcsim_memory::PhysicalAddress;

/// The frame of a guest page for a handler, to be read; given and cleared at the first touch.
pub fn provide(
    meter: &mut Meter<'_>,
    frames: &mut TableFrames<'_>,
    map: &PageMap,
    page: u64,
) -> Result<PhysicalAddress, HostError> {
    provide_for(meter, frames, map, page, false).map(|provided| provided.frame)
}

/// What a page is in.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Provided {
    /// The frame.
    pub frame: PhysicalAddress,
    /// It may be written.
    pub writable: bool,
    /// It was taken out of one that it shared.
    pub broke: bool,
}

/// The same, to be written if `writes`: a page that shares its frame is taken out of it.
pub fn provide_for(
    meter: &mut Meter<'_>,
    frames: &mut TableFrames<'_>,
    map: &PageMap,
    page: u64,
    writes: bool,
) -> Result<Provided, HostError> {
    let slot = map.slot(page).ok_or(HostError::FrameNotReserved)?;
    let place = Place::of(meter.load(slot)?);
    frames.allocator.samples().note(frames.vm, page);
    let frame = match place {
        Place::Own(frame) => return Ok(Provided { frame, writable: true, broke: false }),
        Place::Shared(frame) if !writes => {
            return Ok(Provided { frame, writable: false, broke: false });
        }
        Place::Swapped => return Err(HostError::Swapped { page }),
        Place::Shared(shared) => unshare(meter, frames, page, shared)?,
        Place::Absent => {
            let owner = FrameOwner::Guest { vm: frames.vm, page };
            let frame = frames.allocator.allocate(owner).ok_or(HostError::FrameNotReserved)?;
            meter.clear_page(frame)?;
            frame
        }
    };
    meter.store(slot, PageMap::encode(frame))?;
    Ok(Provided { frame, writable: true, broke: place != Place::Absent })
}

/// Takes a page out of the frame that it shares: into a copy, or, if it is alone there, by making the
/// frame its own.
fn unshare(
    meter: &mut Meter<'_>,
    frames: &mut TableFrames<'_>,
    page: u64,
    shared: PhysicalAddress,
) -> Result<PhysicalAddress, HostError> {
    let vm = frames.vm;
    frames.allocator.depart(departure(vm, page, shared));
    meter.lookup(1);
    if frames.allocator.adopt(shared, vm, page) {
        meter.store_state(1);
        return Ok(shared);
    }
    let owner = FrameOwner::Guest { vm, page };
    let frame = frames.allocator.allocate(owner).ok_or(HostError::FrameNotReserved)?;
    meter.copy_page(shared, frame)?;
    frames.allocator.leave(shared, vm, page);
    meter.store_state(1);
    Ok(frame)
}
