//! Accesses of the guest to its virtual devices: fetch the instruction, decode it, make the access.

use super::exits::Handled;
use super::instruction::{DeviceAccess, Transfer, device_access, extend};
use super::vcpu::TrapAndEmulate;
use crate::assumed;
use crate::error::HostError;
use crate::guest_pages::GuestPages;
use crate::reason::ExitReason;
use crate::shadow::entry;
use crate::shadow::guest_walk::Access;
use crate::shadow::view::View;
use crate::technique::Site;
use dcsim_hart::csr::fields::status;
use dcsim_hart::isa::instruction_length;
use dcsim_hart::{BusError, TrapRecord, Width};
use dcsim_machine::Meter;
use dcsim_machine::board::map;
use dcsim_memory::PhysicalAddress;

/// The upper half of a floating-point register that holds a single-precision value.
const BOX: u64 = 0xffff_ffff << 32;

impl TrapAndEmulate {
    /// Carries out an access to guest-physical `target`, which is no memory.
    pub(super) fn access_device(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
        target: u64,
    ) -> Result<Handled, HostError> {
        if access == Access::Fetch {
            return Ok(self.refuse(site, record.value, access));
        }
        let Some(bits) = self.fetch(site)? else {
            // The code's translation is gone: let the guest fault it in again.
            return Ok(Handled::Resume(ExitReason::ShadowFill));
        };
        site.meter().assume(assumed::DECODE_ACCESS);
        let Some(instruction) = device_access(bits) else {
            return Ok(self.refuse(site, record.value, access));
        };
        let aligned = record.value & instruction.width.alignment_mask() == 0;
        if !aligned || !self.carry_out(site, &instruction, target) {
            return Ok(self.refuse(site, record.value, access));
        }
        self.pc = self.pc.wrapping_add(instruction.length);
        site.counters.emulated_instructions += 1;
        Ok(Handled::Resume(reason(target)))
    }

    /// Fetches the instruction at the guest's `pc` through the shadow tree that the hardware just
    /// fetched it through.
    fn fetch(&mut self, site: &mut Site<'_>) -> Result<Option<u32>, HostError> {
        let started = site.reading();
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let bits = self.fetch_word(&mut meter);
        site.book_walk_since(started);
        bits
    }

    fn fetch_word(&mut self, meter: &mut Meter<'_>) -> Result<Option<u32>, HostError> {
        let Some(low) = self.fetch_half(meter, self.pc)? else { return Ok(None) };
        if instruction_length(low) == 2 {
            return Ok(Some(u32::from(low)));
        }
        let high = self.fetch_half(meter, self.pc.wrapping_add(2))?;
        Ok(high.map(|high| u32::from(high) << 16 | u32::from(low)))
    }

    fn fetch_half(
        &mut self,
        meter: &mut Meter<'_>,
        address: u64,
    ) -> Result<Option<u16>, HostError> {
        let view = View::of(&self.guest);
        let Some(tree) = self.spaces.tree(meter, self.guest.translation, view) else {
            return Ok(None);
        };
        let leaf = tree.leaf(meter, address)?;
        if leaf & entry::VALID == 0 {
            return Ok(None);
        }
        let place = PhysicalAddress(entry::address(leaf).0 + address % 4096);
        let mut half = [0; 2];
        meter.read_bytes(place, &mut half)?;
        Ok(Some(u16::from_le_bytes(half)))
    }

    /// Makes the access at the board. `false`: the board refuses it.
    fn carry_out(&mut self, site: &mut Site<'_>, access: &DeviceAccess, target: u64) -> bool {
        let mut meter = site.meter();
        meter.lookup(1);
        meter.assume(assumed::DEVICE_MODEL);
        match access.transfer {
            Transfer::Load { to, signed } => {
                let Ok(value) = load_device(site, target, access.width) else { return false };
                site.meter().write_register(to, extend(value, access.width, signed));
            }
            Transfer::FloatLoad { to } => {
                let Ok(value) = load_device(site, target, access.width) else { return false };
                let boxed = if access.width == Width::Word { value | BOX } else { value };
                site.meter().write_float_register(to, boxed);
                self.guest.status |= status::FS;
            }
            Transfer::Store { from } => {
                let value = meter.read_register(from);
                return self.store_device(site, target, access.width, value).is_ok();
            }
            Transfer::FloatStore { from } => {
                let value = meter.read_float_register(from);
                return self.store_device(site, target, access.width, value).is_ok();
            }
        }
        true
    }

    fn store_device(
        &mut self,
        site: &mut Site<'_>,
        target: u64,
        width: Width,
        value: u64,
    ) -> Result<(), BusError> {
        let mut pages = GuestPages {
            memory: site.memory.reborrow(),
            allocator: site.allocator,
            map: &self.map,
            vm: site.vm,
        };
        site.board.store(&mut pages, target, width, value & width.value_mask()).map(|_| ())
    }
}

fn load_device(site: &mut Site<'_>, target: u64, width: Width) -> Result<u64, BusError> {
    let now = site.now_cycles();
    site.board.load(target, width, now).map(|value| value & width.value_mask())
}

/// The reason that an access to this address counts as.
fn reason(target: u64) -> ExitReason {
    let within = |region: map::Region| region.offset_of(target, 1).is_some();
    if within(map::VIRTIO) {
        ExitReason::MmioVirtio
    } else if within(map::UART) {
        ExitReason::MmioConsole
    } else if within(map::PLIC) || within(map::ACLINT) {
        ExitReason::MmioInterrupt
    } else {
        ExitReason::MmioOther
    }
}
