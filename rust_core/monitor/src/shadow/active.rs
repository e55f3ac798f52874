//! Making a pCPU translate through a shadow tree.

use super::Shadow;
use super::spaces::current_asid;
use super::tree::TableFrames;
use super::view::View;
use crate::error::HostError;
use crate::technique::Site;
use dcsim_hart::csr::fields::satp;
use dcsim_machine::Meter;

/// The value of `satp` with which the pCPU of the site translates through the tree for a view.
/// Makes the tree if it has to, and empties a TLB whose generation of identifiers is over.
pub fn root_register(
    site: &mut Site<'_>,
    shadow: &mut Shadow,
    translation: u64,
    view: View,
) -> Result<u64, HostError> {
    let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
    let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
    let root = shadow.enter(&mut meter, &mut frames, translation, view)?;
    let asid = current_asid(root.asid, site.asids);
    if site.pcpu.asid_generation != asid.generation {
        meter.flush_tlb_all();
        site.pcpu.asid_generation = asid.generation;
    }
    let mode = if root.levels == 4 { satp::SV48 } else { satp::SV39 };
    Ok(mode << 60 | u64::from(asid.number) << 44 | root.table.0 >> 12)
}
