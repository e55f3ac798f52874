//! Accesses of a guest to its virtual devices: the access is carried out at the VM's board.
//!
//! A technique finds out that an access is none to memory, decodes it
//! ([`crate::instruction::device_access`]) and has it made here.

use crate::assumed;
use crate::guest_pages::{GuestPages, PageMap, WatchedPages};
use crate::instruction::{DeviceAccess, Transfer, extend};
use crate::reason::ExitReason;
use crate::shadow::traced::tables::TracedTables;
use crate::technique::Site;
use dcsim_hart::isa::Register;
use dcsim_hart::{BusError, Width};
use dcsim_machine::board::map;

/// The upper half of a floating-point register that holds a single-precision value.
const BOX: u64 = 0xffff_ffff << 32;

/// What an access did to the registers, beside the one that it loads.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Done {
    /// A floating-point register was written: the guest's unit is dirty now.
    pub float_written: bool,
}

/// Makes an access at guest-physical `target`, which is no memory; what it makes the device write
/// to the guest's memory is noted in `tables`. `None`: the board refuses it.
pub fn carry_out(
    site: &mut Site<'_>,
    map: &PageMap,
    tables: Option<&mut TracedTables>,
    access: &DeviceAccess,
    target: u64,
) -> Option<Done> {
    let mut meter = site.meter();
    meter.lookup(1);
    meter.assume(assumed::DEVICE_MODEL);
    match access.transfer {
        Transfer::Load { to, signed } => {
            let value = load(site, target, access.width).ok()?;
            site.meter().write_register(to, extend(value, access.width, signed));
        }
        Transfer::FloatLoad { to } => {
            let value = load(site, target, access.width).ok()?;
            write_float(site, to, access.width, value);
            return Some(Done { float_written: true });
        }
        Transfer::Store { from } => {
            let value = meter.read_register(from);
            store(site, map, tables, target, access.width, value).ok()?;
        }
        Transfer::FloatStore { from } => {
            let value = meter.read_float_register(from);
            store(site, map, tables, target, access.width, value).ok()?;
        }
    }
    Some(Done { float_written: false })
}

fn write_float(site: &mut Site<'_>, to: Register, width: Width, value: u64) {
    let boxed = if width == Width::Word { value | BOX } else { value };
    site.meter().write_float_register(to, boxed);
}

fn load(site: &mut Site<'_>, target: u64, width: Width) -> Result<u64, BusError> {
    let now = site.now_cycles();
    site.board.load(target, width, now).map(|value| value & width.value_mask())
}

fn store(
    site: &mut Site<'_>,
    map: &PageMap,
    tables: Option<&mut TracedTables>,
    target: u64,
    width: Width,
    value: u64,
) -> Result<(), BusError> {
    let memory = site.memory.reborrow();
    let pages = GuestPages { memory, allocator: site.allocator, map, vm: site.vm };
    let mut pages = WatchedPages { pages, tables };
    site.board.store(&mut pages, target, width, value & width.value_mask()).map(|_| ())
}

/// The reason that an access to this address counts as.
pub fn reason(target: u64) -> ExitReason {
    let within = |region: map::Region| region.offset_of(target, 1).is_some();
    if map::is_doorbell(target) {
        ExitReason::MmioNotify
    } else if within(map::VIRTIO) {
        ExitReason::MmioVirtio
    } else if within(map::UART) {
        ExitReason::MmioConsole
    } else if within(map::PLIC) || within(map::ACLINT) {
        ExitReason::MmioInterrupt
    } else {
        ExitReason::MmioOther
    }
}
