//! Address spaces with traced tables: which roots each has, and under what identifiers TLBs know them.

use super::super::asid::Asid;
use super::super::view::View;
use super::node::NodeId;
use dcsim_hart::csr::fields::satp;

/// The root of a space in one view.
#[derive(Debug)]
pub(super) struct SpaceRoot {
    pub(super) node: NodeId,
    /// The identifier that each vCPU has for it.
    asids: Vec<Option<Asid>>,
}

impl SpaceRoot {
    pub(super) fn new(node: NodeId) -> Self {
        Self { node, asids: Vec::new() }
    }

    pub(super) fn asid(&self, vcpu: usize) -> Option<Asid> {
        self.asids.get(vcpu).copied().flatten()
    }

    pub(super) fn asid_mut(&mut self, vcpu: usize) -> &mut Option<Asid> {
        if self.asids.len() <= vcpu {
            self.asids.resize(vcpu + 1, None);
        }
        &mut self.asids[vcpu]
    }
}

/// An address space, with its root in each view.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) translation: u64,
    pub(super) last_use: u64,
    pub(super) roots: [Option<SpaceRoot>; View::COUNT],
}

impl Space {
    pub(super) fn is_in(&self, asid: Option<u16>) -> bool {
        let bare = satp::mode(self.translation) == satp::BARE;
        !bare && asid.is_none_or(|wanted| wanted == satp::asid(self.translation))
    }
}
