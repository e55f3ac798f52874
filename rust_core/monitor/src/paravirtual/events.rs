//! The event channel: interrupt lines of the board become bits of the shared page.
//!
//! The virtual interrupt controller stays between the two, so that a line is told once for each
//! time that it rises; but it is the monitor that claims and completes, and that acknowledges
//! virtio devices, all of it without an exit.

use super::abi::Reply;
use super::vcpu::Paravirtual;
use crate::assumed;
use crate::guest_pages::GuestPages;
use crate::technique::Site;
use dcsim_hart::Width;
use dcsim_machine::board::map;
use dcsim_machine::firmware::sbi::SbiError;

/// Registers of the interrupt controller, and its parts for the supervisor context of a hart.
const PRIORITY: u64 = map::PLIC.base;

const fn enable(hart: usize) -> u64 {
    map::PLIC.base + 0x2080 + 0x100 * hart as u64
}

const fn threshold(hart: usize) -> u64 {
    map::PLIC.base + 0x20_1000 + 0x2000 * hart as u64
}

const fn claim(hart: usize) -> u64 {
    threshold(hart) + 4
}

/// Interrupt lines that have a bit: all that boards have devices on.
const LINES: u64 = 32;

/// Registers of a virtio device.
const INTERRUPT_STATUS: u64 = 0x60;
const INTERRUPT_ACKNOWLEDGE: u64 = 0x64;
pub const QUEUE_NOTIFY: u64 = 0x50;

impl Paravirtual {
    /// Has the lines told to a hart from now on, which has a page for that.
    pub(super) fn listen(&mut self, site: &mut Site<'_>, hart: u64) -> Reply {
        let known = usize::try_from(hart).ok().filter(|hart| *hart < site.mail.count());
        let hart = known.ok_or(SbiError::InvalidParameter)?;
        if !self.has_page(hart) {
            return Err(SbiError::Denied);
        }
        let before = std::mem::replace(&mut self.agreement.listener, hart);
        if before != hart {
            self.store_device(site, enable(before), 0);
            self.open_lines(site);
        }
        Ok(0)
    }

    fn has_page(&self, hart: usize) -> bool {
        let own = (self.life.number, self.agreement.shared);
        let others = self.seats.resting().map(super::vcpu::Seat::page);
        std::iter::once(own).chain(others).any(|(number, page)| number == hart && page.is_some())
    }

    /// Opens the interrupt controller to all lines: from now on they are told as events.
    pub(super) fn open_lines(&self, site: &mut Site<'_>) {
        for line in 1..LINES {
            self.store_device(site, PRIORITY + 4 * line, 1);
        }
        let hart = self.agreement.listener;
        self.store_device(site, enable(hart), u64::from(u32::MAX));
        self.store_device(site, threshold(hart), 0);
    }

    /// Takes what is raised from the interrupt controller, each line once.
    pub(super) fn take_lines(&self, site: &mut Site<'_>) -> u64 {
        let mut lines = 0;
        while site.board.lines(site.vcpu).supervisor_external {
            let line = load_device(site, claim(site.vcpu));
            let again = line == 0 || lines & 1 << line != 0;
            if let Some(registers) = virtio_registers(line) {
                let status = load_device(site, registers + INTERRUPT_STATUS);
                self.store_device(site, registers + INTERRUPT_ACKNOWLEDGE, status);
            }
            self.store_device(site, claim(site.vcpu), line);
            if again {
                break;
            }
            lines |= 1 << line;
        }
        lines
    }

    /// Writes a register of a device. One that does not exist ignores it.
    pub(super) fn store_device(&self, site: &mut Site<'_>, address: u64, value: u64) {
        site.meter().assume(assumed::DEVICE_MODEL);
        let mut pages = GuestPages {
            memory: site.memory.reborrow(),
            allocator: site.allocator,
            map: &self.map,
            vm: site.vm,
        };
        let _ = site.board.store(&mut pages, address, Width::Word, value);
    }
}

/// Reads a register of a device. One that does not exist reads as zero.
fn load_device(site: &mut Site<'_>, address: u64) -> u64 {
    site.meter().assume(assumed::DEVICE_MODEL);
    let now = site.now_cycles();
    site.board.load(address, Width::Word, now).unwrap_or(0)
}

/// The registers of the virtio device on a line.
fn virtio_registers(line: u64) -> Option<u64> {
    let slot = (0..map::VIRTIO_SLOTS).find(|slot| map::virtio_interrupt(*slot) as u64 == line)?;
    Some(map::virtio_slot(slot).base)
}
