//! The inter-processor interrupt extension, "sPI".

use super::hart_mask::harts;
use super::{Call, Reply, SbiError};
use crate::firmware::Platform;

pub(super) fn serve(platform: &mut dyn Platform, call: &Call) -> Reply {
    if call.function != 0 {
        return Err(SbiError::NotSupported);
    }
    let [mask, base, ..] = call.arguments;
    for hart in harts(platform, mask, base)? {
        platform.send_interrupt(hart);
    }
    Ok(0)
}
