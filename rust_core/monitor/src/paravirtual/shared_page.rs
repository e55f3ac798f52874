//! The page that guest and monitor both write.

use super::abi::shared::PENDING;
use super::vcpu::Paravirtual;
use crate::error::HostError;
use crate::guest_pages::PageMap;
use crate::technique::Site;
use dcsim_machine::Meter;
use dcsim_memory::PhysicalAddress;

impl Paravirtual {
    /// The frame of the shared page, if there is one.
    pub(super) fn shared_frame(
        &self,
        meter: &mut Meter<'_>,
    ) -> Result<Option<PhysicalAddress>, HostError> {
        let page = self.agreement.shared.and_then(|address| self.map.page_of(address));
        let Some(slot) = page.and_then(|page| self.map.slot(page)) else { return Ok(None) };
        Ok(PageMap::decode(meter.load(slot)?))
    }

    /// Changes a number in the shared page.
    pub(super) fn change_shared(
        &self,
        site: &mut Site<'_>,
        offset: u64,
        change: impl FnOnce(u64) -> u64,
    ) -> Result<(), HostError> {
        let mut meter = site.meter();
        let Some(frame) = self.shared_frame(&mut meter)? else { return Ok(()) };
        let place = PhysicalAddress(frame.0 + offset);
        let before = meter.load(place)?;
        Ok(meter.store(place, change(before))?)
    }

    /// Events that the guest has not taken yet.
    pub(super) fn pending_events(&self, meter: &mut Meter<'_>) -> Result<u64, HostError> {
        let Some(frame) = self.shared_frame(meter)? else { return Ok(0) };
        Ok(meter.load(PhysicalAddress(frame.0 + PENDING))?)
    }
}
