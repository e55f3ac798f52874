//! The steal-time accounting extension, "STA": each hart can have a record in the guest's memory of the
//! time for which it was ready and had no pCPU.
//!
//! What was stolen the host knows when it loads a vCPU; the record says so before the guest goes on.
//! A record whose page has no frame just then is written the next time. It counts from the call on.

use super::{GuestPort, VirtualMachine};
use crate::error::HostError;
use crate::guest_pages::{PageMap, Place, provide_for};
use crate::mail::Stolen;
use crate::shadow::tree::TableFrames;
use dcsim_machine::Meter;
use dcsim_machine::firmware::Platform;
use dcsim_machine::firmware::sbi::{Call, Reply, SbiError};
use dcsim_memory::PhysicalAddress;

/// The number of the extension.
pub(super) const EXTENSION: u64 = 0x53_5441;
const SET_MEMORY: u64 = 0;
/// The call that gives a hart its record.
pub(super) const SET: (u64, u64) = (EXTENSION, SET_MEMORY);

/// The size of a record, and its alignment.
const BYTES: u64 = 64;
/// In a record: the sequence number, odd while the rest is written, with flags that are zero above it.
const SEQUENCE: u64 = 0;
/// In a record: the stolen time in nanoseconds.
const STEAL: u64 = 8;

/// Serves a call of this extension.
pub(super) fn serve(platform: &mut VirtualMachine<'_>, call: &Call) -> Reply {
    let [low, high, flags, ..] = call.arguments;
    if call.function != SET_MEMORY {
        return Err(SbiError::NotSupported);
    }
    let stops = (low, high) == (u64::MAX, u64::MAX);
    if flags != 0 || !(stops || low.is_multiple_of(BYTES)) {
        return Err(SbiError::InvalidParameter);
    }
    if !stops && (high != 0 || !platform.map.contains(low, BYTES)) {
        return Err(SbiError::InvalidAddress);
    }
    platform.meter.store_state(1);
    platform.mail.keep_steal_record(platform.vcpu, None);
    if stops {
        return Ok(0);
    }
    if !platform.write_memory(low, &[0; BYTES as usize]) {
        return Err(SbiError::Failed);
    }
    platform.mail.keep_steal_record(platform.vcpu, Some(low));
    Ok(0)
}

/// Adds to a record. `false`: its page has no frame that could be written now.
pub(super) fn tell(
    port: &mut dyn GuestPort,
    meter: &mut Meter<'_>,
    frames: &mut TableFrames<'_>,
    map: &PageMap,
    stolen: Stolen,
) -> Result<bool, HostError> {
    let Some(frame) = frame_of(meter, frames, map, stolen.record)? else { return Ok(false) };
    let place = |offset| PhysicalAddress(frame.0 + offset);
    let sequence = meter.load(place(SEQUENCE))? & 0xffff_ffff;
    meter.store(place(SEQUENCE), (sequence | 1) & 0xffff_ffff)?;
    let before = meter.load(place(STEAL))?;
    meter.store(place(STEAL), before.wrapping_add(stolen.nanoseconds))?;
    meter.store(place(SEQUENCE), ((sequence | 1) + 1) & 0xffff_ffff)?;
    port.memory_written(stolen.record);
    Ok(true)
}

/// Where a record lies, if it can be written there.
fn frame_of(
    meter: &mut Meter<'_>,
    frames: &mut TableFrames<'_>,
    map: &PageMap,
    record: u64,
) -> Result<Option<PhysicalAddress>, HostError> {
    let known = map.page_of(record).and_then(|page| Some((page, map.slot(page)?)));
    let Some((page, slot)) = known else { return Ok(None) };
    let is_own = matches!(Place::of(meter.load(slot)?), Place::Own(_));
    if !is_own && frames.allocator.check(1).is_err() {
        return Ok(None);
    }
    match provide_for(meter, frames, map, page, true) {
        Ok(provided) => Ok(Some(PhysicalAddress(provided.frame.0 + record % super::PAGE))),
        Err(HostError::Swapped { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
