//! Accesses of the guest to its virtual devices: fetch the instruction as the guest would, decode
//! it, make the access.

use super::exits::GuestPageFault;
use super::vcpu::{HardwareAssisted, register};
use crate::assumed;
use crate::device_access;
use crate::instruction;
use crate::reason::ExitReason;
use crate::shadow::guest_walk::Access;
use crate::technique::{Handled, Site};
use dcsim_hart::Exception;
use dcsim_hart::csr::fields::status;
use dcsim_hart::isa::instruction_length;
use dcsim_machine::Meter;

impl HardwareAssisted {
    /// Carries out an access to guest-physical memory that is not there.
    pub(super) fn access_device(&mut self, site: &mut Site<'_>, fault: &GuestPageFault) -> Handled {
        if fault.access == Access::Fetch || fault.in_walk {
            return self.refuse(site, fault);
        }
        let Some(bits) = fetch(&mut site.meter(), self.life.pc) else {
            // The guest has changed its mind about its code: let it find out.
            return Handled::Resume(ExitReason::SecondStageFill);
        };
        site.meter().assume(assumed::DECODE_ACCESS);
        let Some(access) = instruction::device_access(bits) else {
            return self.refuse(site, fault);
        };
        if fault.address & access.width.alignment_mask() != 0 {
            return self.refuse(site, fault);
        }
        let Some(done) = device_access::carry_out(site, &self.map, None, &access, fault.target)
        else {
            return self.refuse(site, fault);
        };
        if done.float_written {
            site.meter().set_csr(register::VSSTATUS, status::FS);
        }
        site.counters.emulated_instructions += 1;
        self.life.pc = self.life.pc.wrapping_add(access.length);
        Handled::Resume(device_access::reason(fault.target))
    }

    /// The guest takes an access fault.
    fn refuse(&mut self, site: &mut Site<'_>, fault: &GuestPageFault) -> Handled {
        let exception = match fault.access {
            Access::Fetch => Exception::InstructionAccessFault,
            Access::Load => Exception::LoadAccessFault,
            Access::Store => Exception::StoreAccessFault,
        };
        self.inject(&mut site.meter(), exception.code(), fault.address);
        Handled::Resume(ExitReason::OtherException)
    }
}

/// The bits of the guest's instruction at an address; `None` if the guest could not fetch it.
fn fetch(meter: &mut Meter<'_>, address: u64) -> Option<u32> {
    let low = meter.load_guest_code(address)?;
    if instruction_length(low) == 2 {
        return Some(u32::from(low));
    }
    let high = meter.load_guest_code(address.wrapping_add(2))?;
    Some(u32::from(high) << 16 | u32::from(low))
}
