//! Page faults of the physical MMU: the guest's own, missing shadow entries, and devices.

use super::exits::Handled;
use super::vcpu::TrapAndEmulate;
use crate::emulator::Emulator;
use crate::error::HostError;
use crate::shadow::guest_walk::Access;
use crate::shadow::resolve::{Fault, Resolution, Resolver};
use crate::shadow::view::View;
use crate::supervisor::csr;
use crate::technique::{Site, Step};
use dcsim_hart::TrapRecord;
use dcsim_hart::csr::fields::status;

impl TrapAndEmulate {
    /// Handles a page fault, or asks for frames with nothing changed.
    pub(crate) fn handle_page_fault(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
    ) -> Result<Step, HostError> {
        let frames = self.spaces.fill_frames();
        if !self.reserve(site, frames) {
            return Ok(Step::Memory(frames));
        }
        self.begin(&mut site.meter(), record);
        site.meter().read_csr(csr::STVAL);
        let handled = self.resolve(site, record, access)?;
        Ok(self.life.finish(site, handled))
    }

    /// Finds out what a page fault means and does what is to be done about it.
    pub(crate) fn resolve(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
    ) -> Result<Handled, HostError> {
        let fault = Fault { address: record.value, access, pc: self.life.pc };
        let resolution = self.resolver().resolve(site, &fault)?;
        Ok(self.conclude(site, resolution))
    }

    /// Does what a fault came to.
    pub(crate) fn conclude(&mut self, site: &mut Site<'_>, resolution: Resolution) -> Handled {
        match resolution {
            Resolution::Retry(reason) => Handled::Resume(reason),
            Resolution::Completed { length, reason, float_written } => {
                self.life.pc = self.life.pc.wrapping_add(length);
                self.life.guest.status |= if float_written { status::FS } else { 0 };
                Handled::Resume(reason)
            }
            Resolution::Exception { cause, value, reason } => {
                self.reflect(&mut site.meter(), cause, value);
                Handled::Resume(reason)
            }
        }
    }

    /// What resolves the guest's page faults in its present state.
    pub(crate) fn resolver(&mut self) -> Resolver<'_> {
        Resolver {
            guest: &self.life.guest,
            view: View::of(&self.life.guest),
            map: &self.map,
            shadow: &mut self.spaces,
            updates_marks: self.updates_marks,
        }
    }
}
