//! The timer extension, "TIME".

use super::{Call, Reply, SbiError};
use crate::firmware::Platform;

pub(super) fn serve(platform: &mut dyn Platform, call: &Call) -> Reply {
    match call.function {
        0 => {
            platform.set_timer(call.arguments[0]);
            Ok(0)
        }
        _ => Err(SbiError::NotSupported),
    }
}
