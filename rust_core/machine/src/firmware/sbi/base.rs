//! The base extension: what this implementation is and has.

use super::{Call, Reply, SbiError, is_available};
use crate::firmware::Platform;

/// Version 2.0: the major number above bit 24.
const SPECIFICATION_VERSION: u64 = 2 << 24;
/// An identity of our own; the specification's list has none for it. "dc".
const IMPLEMENTATION_ID: u64 = 0x6463;
const IMPLEMENTATION_VERSION: u64 = 1;

pub(super) fn serve(_: &mut dyn Platform, call: &Call) -> Reply {
    match call.function {
        0 => Ok(SPECIFICATION_VERSION),
        1 => Ok(IMPLEMENTATION_ID),
        2 => Ok(IMPLEMENTATION_VERSION),
        3 => Ok(u64::from(is_available(call.arguments[0]))),
        // Vendor, architecture and implementation: as in the hart's own registers.
        4..=6 => Ok(0),
        _ => Err(SbiError::NotSupported),
    }
}
