//! Sets of harts as arguments (chapter "Binary Encoding", "Hart list parameter").

use super::SbiError;
use crate::firmware::Platform;

/// All harts, whatever the mask says.
const ALL: u64 = u64::MAX;

/// The harts of a mask that starts at hart `base`, ascending. Every one of them must exist.
pub(super) fn harts(platform: &dyn Platform, mask: u64, base: u64) -> Result<Vec<usize>, SbiError> {
    let count = platform.hart_count();
    if base == ALL {
        return Ok((0..count).collect());
    }
    (0..64)
        .filter(|bit| mask >> bit & 1 != 0)
        .map(|bit| {
            let hart = base.checked_add(bit).and_then(|hart| usize::try_from(hart).ok());
            hart.filter(|hart| *hart < count).ok_or(SbiError::InvalidParameter)
        })
        .collect()
}
