//! The remote fence extension, "RFNC". The fences of the hypervisor extension are not there.

use super::hart_mask::harts;
use super::{Call, Reply, SbiError};
use crate::firmware::{Fence, Platform};

pub(super) fn serve(platform: &mut dyn Platform, call: &Call) -> Reply {
    let [mask, base, start, bytes, asid, _] = call.arguments;
    let fence = match call.function {
        0 => Fence::Instructions,
        1 => address_fence(start, bytes, None)?,
        2 => {
            let asid = u16::try_from(asid).map_err(|_| SbiError::InvalidParameter)?;
            address_fence(start, bytes, Some(asid))?
        }
        _ => return Err(SbiError::NotSupported),
    };
    for hart in harts(platform, mask, base)? {
        platform.fence(hart, fence);
    }
    Ok(0)
}

/// Start and size 0, or the largest size, mean everything.
fn address_fence(start: u64, bytes: u64, asid: Option<u16>) -> Result<Fence, SbiError> {
    if (start, bytes) == (0, 0) || bytes == u64::MAX {
        return Ok(Fence::Everything { asid });
    }
    match start.checked_add(bytes) {
        // An empty range elsewhere: nothing is covered, and a page too much does no harm.
        Some(_) => Ok(Fence::Range { start, bytes: bytes.max(1), asid }),
        None => Err(SbiError::InvalidAddress),
    }
}
