//! The system reset extension, "SRST".

use super::{Call, Reply, SbiError};
use crate::devices::finisher::PowerEvent;
use crate::firmware::Platform;

const SHUTDOWN: u32 = 0;
const COLD_REBOOT: u32 = 1;
const WARM_REBOOT: u32 = 2;

const NO_REASON: u32 = 0;
const SYSTEM_FAILURE: u32 = 1;

pub(super) fn serve(platform: &mut dyn Platform, call: &Call) -> Reply {
    if call.function != 0 {
        return Err(SbiError::NotSupported);
    }
    let (kind, reason) = (call.arguments[0] as u32, call.arguments[1] as u32);
    if !matches!(reason, NO_REASON | SYSTEM_FAILURE) {
        return Err(SbiError::InvalidParameter);
    }
    let event = match kind {
        SHUTDOWN => PowerEvent::Off { code: reason },
        COLD_REBOOT | WARM_REBOOT => PowerEvent::Reset,
        _ => return Err(SbiError::InvalidParameter),
    };
    platform.change_power(event);
    Ok(0)
}
