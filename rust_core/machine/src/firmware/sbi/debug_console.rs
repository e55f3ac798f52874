//! The debug console extension, "DBCN".

use super::{Call, Reply, SbiError};
use crate::firmware::Platform;

/// The most bytes that one call moves; the caller sees how many it were.
pub(super) const MAXIMUM_BYTES: u64 = 1 << 16;
/// Console read.
pub(super) const READ: u64 = 1;

pub(super) fn serve(platform: &mut dyn Platform, call: &Call) -> Reply {
    let [first, ..] = call.arguments;
    match call.function {
        0 => write(platform, call),
        READ => read(platform, call),
        2 => {
            platform.write_console(&[first as u8]);
            Ok(0)
        }
        _ => Err(SbiError::NotSupported),
    }
}

fn write(platform: &mut dyn Platform, call: &Call) -> Reply {
    let (address, length) = buffer(platform, call)?;
    let mut bytes = vec![0; length];
    if !platform.read_memory(address, &mut bytes) {
        return Err(SbiError::Failed);
    }
    platform.write_console(&bytes);
    Ok(length as u64)
}

fn read(platform: &mut dyn Platform, call: &Call) -> Reply {
    let (address, length) = buffer(platform, call)?;
    let mut count = 0;
    while count < length {
        let Some(byte) = platform.read_console() else { break };
        if !platform.write_memory(address + count as u64, &[byte]) {
            return Err(SbiError::Failed);
        }
        count += 1;
    }
    Ok(count as u64)
}

/// The buffer that a call names: its address, and as much of its length as one call moves.
fn buffer(platform: &mut dyn Platform, call: &Call) -> Result<(u64, usize), SbiError> {
    let [bytes, low, high, ..] = call.arguments;
    if high != 0 || !platform.is_memory(low, bytes) {
        return Err(SbiError::InvalidParameter);
    }
    Ok((low, bytes.min(MAXIMUM_BYTES) as usize))
}
