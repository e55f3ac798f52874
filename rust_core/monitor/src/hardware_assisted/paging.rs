//! How guest addresses become host-physical ones: by a second stage of tables, or by shadow tables in
//! the place of the guest's own.
//!
//! Without a second stage (`hgatp` is Bare) the hart walks one stage, `vsatp`, which then holds a
//! shadow tree. Its page faults, accesses to `satp` and fences are the monitor's.

use super::second_stage::{FILL_FRAMES, SecondStage};
use super::vcpu::HardwareAssisted;
use crate::allocator::FrameAllocator;
use crate::ids::VmId;
use crate::shadow::Shadow;
use crate::shadow::traced::tables::TracedTables;
use crate::shadow::tree::TableFrames;
use crate::shadow::view::View;
use crate::technique::Site;
use dcsim_hart::csr::fields::hypervisor_status;
use dcsim_machine::Meter;
use dcsim_memory::Memory;

/// The tables of a guest that are the monitor's.
#[derive(Debug)]
pub enum Paging {
    /// The second stage.
    Nested(SecondStage),
    /// Shadow tables.
    Shadow(Shadow),
}

impl Paging {
    /// Fields of `hstatus` by which the monitor keeps what it plays for the guest.
    pub fn traps(&self) -> u64 {
        match self {
            Self::Nested(_) => 0,
            Self::Shadow(_) => hypervisor_status::VTVM,
        }
    }

    /// Frames that a fault of the monitor's tables may take.
    pub fn fill_frames(&self) -> u64 {
        match self {
            Self::Nested(_) => FILL_FRAMES,
            Self::Shadow(shadow) => shadow.fill_frames(),
        }
    }

    /// The shadow tables, if it has these.
    pub fn shadow(&mut self) -> Option<&mut Shadow> {
        match self {
            Self::Nested(_) => None,
            Self::Shadow(shadow) => Some(shadow),
        }
    }

    /// The guest's traced pages, if there are such.
    pub fn traced_tables(&mut self) -> Option<&mut TracedTables> {
        match self {
            Self::Nested(_) => None,
            Self::Shadow(shadow) => shadow.traced_tables(),
        }
    }

    /// Gives up tables of a guest on no pCPU until `wanted` frames are free.
    pub fn give_up(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>, wanted: u64) {
        match self {
            Self::Nested(second_stage) => second_stage.clear(meter, frames),
            Self::Shadow(shadow) => shadow.reclaim(meter, frames, wanted, None),
        }
    }

    /// Compares every table with who holds the frames that it names; says what is wrong.
    pub fn audit(
        &self,
        memory: &Memory<'_>,
        owners: &FrameAllocator,
        vm: VmId,
    ) -> Result<(), String> {
        match self {
            Self::Nested(second_stage) => second_stage.audit(memory, owners, vm),
            Self::Shadow(shadow) => shadow.audit(memory, owners, vm),
        }
    }
}

impl HardwareAssisted {
    /// Makes sure that `count` frames can be taken, and frees shadow tables for that if it has to.
    /// `false`: not now; nothing that the guest could see was changed.
    pub(super) fn reserve(&mut self, site: &mut Site<'_>, count: u64) -> bool {
        match &mut self.paging {
            Paging::Nested(_) => site.allocator.reserve(count).is_ok(),
            Paging::Shadow(shadow) => {
                let in_use = (self.life.guest.translation, View::of_resident(&self.life.guest));
                shadow.reserve(site, count, in_use)
            }
        }
    }
}
