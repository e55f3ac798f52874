//! Nodes: pCPUs and frames that are near each other.
//!
//! Frames and pCPUs are divided among the nodes in order, in parts as equal as whole ones can be. A
//! data-cache miss of a pCPU on a line of another node's frames costs more; nothing else does.

use crate::allocator::FrameOwner;
use crate::ids::VmId;
use dcsim_memory::PAGE_BYTES;
use std::collections::BTreeMap;
use std::ops::Range;

/// A machine whose memory is not equally near to all of its pCPUs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Numa {
    /// How many nodes there are.
    pub nodes: usize,
}

impl Numa {
    /// The node of the pCPU with a number, of `count`.
    pub fn node_of_pcpu(self, number: usize, count: usize) -> usize {
        number * self.nodes / count.max(1)
    }

    /// The frames of a node, of `count`; the last node has what is left over.
    pub fn frames(self, node: usize, count: u64) -> Range<u64> {
        let each = count / self.nodes as u64;
        let end = if node + 1 == self.nodes { count } else { each * (node as u64 + 1) };
        each * node as u64..end
    }

    /// The addresses of a node's frames, of `count` from `base` on.
    pub fn addresses(self, node: usize, base: u64, count: u64) -> Range<u64> {
        let frames = self.frames(node, count);
        base + frames.start * PAGE_BYTES as u64..base + frames.end * PAGE_BYTES as u64
    }
}

/// From which node each VM is given frames first.
#[derive(Clone, Debug)]
pub struct Homes {
    numa: Numa,
    frame_count: u64,
    node_of: BTreeMap<VmId, usize>,
}

impl Homes {
    /// Nobody has a home yet.
    pub fn new(numa: Numa, frame_count: u64) -> Self {
        Self { numa, frame_count, node_of: BTreeMap::new() }
    }

    /// Gives a VM a home, or none: its pages are dealt to all nodes in turn.
    pub fn settle(&mut self, vm: VmId, node: Option<usize>) {
        match node {
            Some(node) => self.node_of.insert(vm, node % self.numa.nodes),
            None => self.node_of.remove(&vm),
        };
    }

    /// The number of the frame from which on to look for a free one for an owner. What a monitor
    /// keeps for a VM without a home is on the first node.
    pub fn first_frame(&self, owner: FrameOwner) -> u64 {
        let node = match (owner.vm().and_then(|vm| self.node_of.get(&vm)), owner) {
            (Some(node), _) => *node,
            (None, FrameOwner::Guest { page, .. }) => (page % self.numa.nodes as u64) as usize,
            (None, _) => 0,
        };
        self.numa.frames(node, self.frame_count).start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_and_every_pcpu_has_one_node() {
        for (nodes, frames, pcpus) in [(1, 10, 1), (2, 101, 4), (4, 103, 6), (3, 1000, 3)] {
            let numa = Numa { nodes };
            let ranges: Vec<_> = (0..nodes).map(|node| numa.frames(node, frames)).collect();
            assert_eq!((ranges[0].start, ranges[nodes - 1].end), (0, frames));
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            let of: Vec<_> = (0..pcpus).map(|pcpu| numa.node_of_pcpu(pcpu, pcpus)).collect();
            assert!(of.is_sorted() && of[0] == 0 && of[pcpus - 1] < nodes);
        }
        assert_eq!(Numa { nodes: 2 }.node_of_pcpu(2, 4), 1);
        assert_eq!(Numa { nodes: 2 }.addresses(1, 0x8000_0000, 8), 0x8000_4000..0x8000_8000);
    }

    #[test]
    fn pages_without_a_home_are_dealt_to_all_nodes() {
        let mut homes = Homes::new(Numa { nodes: 2 }, 100);
        let (at_home, dealt) = (VmId(1), VmId(2));
        homes.settle(at_home, Some(1));
        for page in 0..4 {
            assert_eq!(homes.first_frame(FrameOwner::Guest { vm: at_home, page }), 50);
            let expected = if page % 2 == 0 { 0 } else { 50 };
            assert_eq!(homes.first_frame(FrameOwner::Guest { vm: dealt, page }), expected);
        }
        assert_eq!(homes.first_frame(FrameOwner::Shadow { vm: at_home }), 50);
        assert_eq!(homes.first_frame(FrameOwner::Shadow { vm: dealt }), 0);
    }
}
