//! The vCPU of a guest whose kernel knows its monitor.

use super::Offer;
use super::agreement::Agreement;
use super::layout::Layout;
use super::names::Names;
use super::tables::Tables;
use super::window::Window;
use crate::cpu_state::CpuState;
use crate::guest_pages::PageMap;
use crate::life::Life;
use crate::shadow::tree::TableFrames;
use crate::technique::Site;
use dcsim_hart::csr::fields::satp;
use dcsim_hart::{Privilege, TrapRecord};
use dcsim_machine::Meter;

/// A vCPU whose guest kernel calls its monitor.
#[derive(Debug)]
pub struct Paravirtual {
    /// Where it is in its life. In `guest`: `translation` is the guest's: its root by guest-physical
    /// address, 0 while it is in none. The other registers are in the hart while the vCPU is on a
    /// pCPU, and here only as far as a handler read them. A kernel in user mode has no others but
    /// these: `privilege` tells whether it runs or a program, `vector` where it takes traps.
    pub life: Life,
    /// Where the guest's pages are, and what they are used for.
    pub map: PageMap,
    /// How the guest sees its memory.
    pub window: Window,
    /// What the guest calls frames.
    pub names: Names,
    /// What was agreed on.
    pub agreement: Agreement,
    /// Roots that a saved guest brought and that are not checked yet.
    pub arriving: Vec<u64>,
    /// Counts the times that the whole TLB was emptied, modulo 256.
    pub epoch: u8,
    /// `satp` of the pCPU, if it is known.
    pub installed: Option<u64>,
    /// Accessed and dirty bits are set by the hart, as the firmware of a bare machine chooses.
    pub updates_marks: bool,
    /// The time at which the vCPU lost its pCPU though it did not wait.
    pub stopped_at: Option<u64>,
    /// Ticks that the guest has not been told of for which the vCPU had no pCPU.
    pub stolen: u64,
}

impl Paravirtual {
    /// A vCPU with these registers, its guest's pages at `map`, on a host that has this for it.
    pub fn new(
        state: CpuState,
        map: PageMap,
        mut window: Window,
        names: Names,
        offer: &Offer,
    ) -> Self {
        let mut agreement = Agreement {
            layout: Layout::on(offer.isa),
            large_pages: offer.large_pages,
            ..state.agreement.clone().unwrap_or_default()
        };
        window.seal.clone_from(&agreement.seal);
        Self {
            life: Life::new(state),
            map,
            window,
            names,
            arriving: std::mem::take(&mut agreement.roots).into_iter().collect(),
            agreement,
            epoch: 1,
            installed: None,
            updates_marks: offer.firmware.updates_dirty_bits,
            stopped_at: None,
            stolen: 0,
        }
    }

    /// The guest's page tables, and the meter of the pCPU that works on them.
    pub(super) fn with_tables<T>(
        &mut self,
        site: &mut Site<'_>,
        act: impl FnOnce(&mut Tables<'_, '_>) -> T,
    ) -> T {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        act(&mut Tables {
            meter: &mut meter,
            frames: TableFrames { allocator: site.allocator, vm: site.vm },
            map: &self.map,
            names: &mut self.names,
            window: &self.window,
            epoch: &mut self.epoch,
            untranslated: !self.agreement.translated,
        })
    }

    /// Whether the guest's kernel runs in the mode of its programs.
    pub(super) fn in_user_mode(&self) -> bool {
        self.agreement.layout == Layout::User
    }

    /// Whether it is the guest's kernel that trapped, rather than a program.
    pub(super) fn is_from_kernel(&self, record: &TrapRecord) -> bool {
        let from = if self.in_user_mode() { self.life.guest.privilege } else { record.from };
        from == Privilege::Supervisor
    }

    /// The guest-physical address of the root that the guest is in.
    pub(super) fn root(&self) -> Option<u64> {
        (self.life.guest.translation != 0).then(|| satp::root(self.life.guest.translation))
    }
}
