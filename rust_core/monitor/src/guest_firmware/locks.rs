//! The calls by which a guest's kernel says that it spins for a lock, and that it gave one up.
//!
//! They are an SBI extension of our own. A vCPU that waits for a kick needs no pCPU: the model is
//! told, and may give it to somebody else.

use super::{Departure, VirtualMachine};
use dcsim_machine::firmware::Platform;
use dcsim_machine::firmware::sbi::{Call, Reply, SbiError};

/// The number of the extension.
pub(super) const EXTENSION: u64 = 0x0a44_4354;

/// Serves a call of this extension.
pub(super) fn serve(platform: &mut VirtualMachine<'_>, call: &Call) -> Reply {
    match call.function {
        0 => wait(platform, call.arguments[0]),
        1 => kick(platform, call.arguments[0]),
        _ => Err(SbiError::NotSupported),
    }
}

/// The caller spins for a lock that `holder` has, or nobody that is known.
fn wait(platform: &mut VirtualMachine<'_>, holder: u64) -> Reply {
    let holder = if holder == u64::MAX { None } else { Some(existing(platform, holder)?) };
    platform.meter.load_state(1);
    let now = platform.meter.now_cycles();
    if !platform.mail.take_kick(platform.vcpu, now) {
        platform.meter.store_state(1);
        platform.departure = Departure::Spin(holder);
    }
    Ok(0)
}

/// A lock was given up for which `vcpu` waits.
fn kick(platform: &mut VirtualMachine<'_>, vcpu: u64) -> Reply {
    let vcpu = existing(platform, vcpu)?;
    platform.meter.store_state(1);
    let at_cycles = platform.ring(vcpu);
    platform.mail.kick(vcpu, at_cycles);
    Ok(0)
}

fn existing(platform: &VirtualMachine<'_>, hart: u64) -> Result<usize, SbiError> {
    let known = usize::try_from(hart).ok().filter(|hart| *hart < platform.hart_count());
    known.ok_or(SbiError::InvalidParameter)
}
