//! What the TLBs of the vCPUs that use the tables may hold which the tables do not say any more.
//!
//! The architecture lets a TLB keep what is dropped until its own hart fences; the monitor does not.
//! A TLB must not let the guest write to a page that becomes traced: its vCPU is *called* then, and
//! executes nothing of the guest before it has emptied its TLB. Neither may a vCPU go on with a root
//! that is gone. What a fence of one address would not reach is *behind*: the vCPU's next fence
//! empties its TLB.

use super::super::spaces::key;
use super::super::view::View;

/// What is known of the TLB of one vCPU.
#[derive(Clone, Debug, Default)]
struct Tlb {
    /// It may let the guest write where no entry does any more.
    loose: bool,
    /// It may hold what a fence of one address does not reach.
    behind: bool,
    /// It has to be emptied before the guest executes.
    called: bool,
    /// The root that its pCPU may walk from: the value of `satp` and the view.
    root: Option<(u64, View)>,
}

/// The TLBs of a VM's vCPUs.
#[derive(Debug)]
pub(super) struct Tlbs {
    acting: usize,
    vcpus: Vec<Tlb>,
}

impl Default for Tlbs {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Tlbs {
    pub(super) fn new(vcpus: usize) -> Self {
        Self { acting: 0, vcpus: vec![Tlb::default(); vcpus.max(1)] }
    }

    /// The vCPU that everything is about.
    pub(super) fn acting(&self) -> usize {
        self.acting
    }

    /// Everything that follows is about this vCPU.
    pub(super) fn seat(&mut self, vcpu: usize) {
        if vcpu < self.vcpus.len() {
            self.acting = vcpu;
        }
    }

    fn others(&mut self) -> impl Iterator<Item = &mut Tlb> {
        let acting = self.acting;
        self.vcpus
            .iter_mut()
            .enumerate()
            .filter(move |(vcpu, _)| *vcpu != acting)
            .map(|(_, tlb)| tlb)
    }

    /// The acting vCPU's is empty.
    pub(super) fn emptied(&mut self) {
        let tlb = &mut self.vcpus[self.acting];
        (tlb.loose, tlb.behind, tlb.called) = (false, false, false);
    }

    /// An entry that let the guest write is gone, or does not any more.
    pub(super) fn loosen(&mut self) {
        self.vcpus.iter_mut().for_each(|tlb| tlb.loose = true);
    }

    /// A page is going to be traced. Tells whether the acting vCPU has to empty its TLB; others that
    /// have to are called.
    pub(super) fn tighten(&mut self) -> bool {
        self.others().filter(|tlb| tlb.loose).for_each(|tlb| tlb.called = true);
        self.vcpus[self.acting].loose
    }

    /// Tables are gone: the acting vCPU empties its TLB, the others at their next fence.
    pub(super) fn fall_behind(&mut self) {
        self.others().for_each(|tlb| tlb.behind = true);
    }

    /// Whether a fence of one address is not enough for the acting vCPU.
    pub(super) fn is_behind(&self) -> bool {
        self.vcpus[self.acting].behind
    }

    /// The acting vCPU's pCPU is going to walk from this root.
    pub(super) fn walk_from(&mut self, translation: u64, view: View) {
        self.vcpus[self.acting].root = Some((key(translation), view));
    }

    /// The acting vCPU is on no pCPU any more.
    pub(super) fn leave(&mut self) {
        self.vcpus[self.acting].root = None;
    }

    /// The roots that the pCPUs of other vCPUs may walk from.
    pub(super) fn roots_of_others(&self) -> Vec<(u64, View)> {
        let others = self.vcpus.iter().enumerate().filter(|(vcpu, _)| *vcpu != self.acting);
        others.filter_map(|(_, tlb)| tlb.root).collect()
    }

    /// A root is gone.
    pub(super) fn lose_root(&mut self, translation: u64, view: usize) {
        let is_lost = |root: (u64, View)| (root.0, root.1 as usize) == (translation, view);
        let users = self.others().filter(|tlb| tlb.root.is_some_and(is_lost));
        users.for_each(|tlb| tlb.called = true);
    }

    /// Those that have to empty their TLBs before they execute; they are told then.
    pub(super) fn take_called(&mut self) -> Vec<usize> {
        let called = self.vcpus.iter_mut().enumerate();
        called.filter_map(|(vcpu, tlb)| std::mem::take(&mut tlb.called).then_some(vcpu)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tlb_that_may_write_is_called_when_a_page_becomes_traced() {
        let mut tlbs = Tlbs::new(3);
        tlbs.seat(1);
        assert!(!tlbs.tighten());
        tlbs.loosen();
        tlbs.emptied();
        assert!(!tlbs.tighten());
        assert_eq!(tlbs.take_called(), [0, 2]);
        assert!(tlbs.take_called().is_empty());
        tlbs.seat(0);
        assert!(tlbs.tighten(), "it has not emptied its own yet");
    }

    #[test]
    fn who_walks_from_a_root_that_is_gone_is_called() {
        let mut tlbs = Tlbs::new(3);
        for (vcpu, view) in [(0, View::User), (1, View::Supervisor), (2, View::User)] {
            tlbs.seat(vcpu);
            tlbs.walk_from(8 << 60 | 5, view);
        }
        tlbs.lose_root(8 << 60 | 5, View::User as usize);
        assert_eq!(tlbs.take_called(), [0]);
        tlbs.seat(0);
        tlbs.leave();
        assert_eq!(tlbs.roots_of_others().len(), 2);
        tlbs.seat(1);
        assert_eq!(tlbs.roots_of_others(), [(8 << 60 | 5, View::User)]);
    }

    #[test]
    fn others_catch_up_at_their_next_fence() {
        let mut tlbs = Tlbs::new(2);
        tlbs.fall_behind();
        assert!(!tlbs.is_behind());
        tlbs.seat(1);
        assert!(tlbs.is_behind());
        tlbs.emptied();
        assert!(!tlbs.is_behind());
    }
}
