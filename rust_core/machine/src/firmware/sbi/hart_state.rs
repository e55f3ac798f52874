//! The hart state management extension, "HSM".

use super::{Call, Reply, SbiError};
use crate::firmware::{HartState, Platform, StartPoint};

/// Bytes of the shortest instruction: what must at least be memory at a start address.
const SHORTEST_INSTRUCTION: u64 = 2;

const SUSPEND_RETENTIVE: u32 = 0;
const SUSPEND_NON_RETENTIVE: u32 = 0x8000_0000;

pub(super) fn serve(platform: &mut dyn Platform, call: &Call) -> Reply {
    let [first, second, third, ..] = call.arguments;
    match call.function {
        0 => start(platform, first, StartPoint { address: second, opaque: third }),
        1 => {
            platform.stop_hart();
            Ok(0)
        }
        2 => existing(platform, first).map(|hart| platform.hart_state(hart) as u64),
        3 => suspend(platform, first as u32, StartPoint { address: second, opaque: third }),
        _ => Err(SbiError::NotSupported),
    }
}

fn start(platform: &mut dyn Platform, hart: u64, point: StartPoint) -> Reply {
    let hart = existing(platform, hart)?;
    check_address(platform, point.address)?;
    if platform.hart_state(hart) != HartState::Stopped {
        return Err(SbiError::AlreadyAvailable);
    }
    platform.start_hart(hart, point);
    Ok(0)
}

fn suspend(platform: &mut dyn Platform, kind: u32, point: StartPoint) -> Reply {
    match kind {
        SUSPEND_RETENTIVE => platform.suspend_hart(None),
        SUSPEND_NON_RETENTIVE => {
            check_address(platform, point.address)?;
            platform.suspend_hart(Some(point));
        }
        _ => return Err(SbiError::InvalidParameter),
    }
    Ok(0)
}

fn existing(platform: &dyn Platform, hart: u64) -> Result<usize, SbiError> {
    let known = usize::try_from(hart).ok().filter(|hart| *hart < platform.hart_count());
    known.ok_or(SbiError::InvalidParameter)
}

fn check_address(platform: &mut dyn Platform, address: u64) -> Result<(), SbiError> {
    let executable = address.is_multiple_of(2) && platform.is_memory(address, SHORTEST_INSTRUCTION);
    if executable { Ok(()) } else { Err(SbiError::InvalidAddress) }
}
