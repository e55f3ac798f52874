//! Pages whose next access is noticed, as their translations were taken away.

use crate::ids::VmId;
use std::collections::BTreeMap;

/// The sampled pages of VMs, each with whether it was accessed since.
#[derive(Debug, Default)]
pub struct Samples(BTreeMap<VmId, BTreeMap<u64, bool>>);

impl Samples {
    /// Begins to watch these pages of a VM, and no longer others.
    pub fn begin(&mut self, vm: VmId, pages: &[u64]) {
        self.0.insert(vm, pages.iter().map(|page| (*page, false)).collect());
    }

    /// A translation of a page was asked for.
    pub fn note(&mut self, vm: VmId, page: u64) {
        if let Some(touched) = self.0.get_mut(&vm).and_then(|pages| pages.get_mut(&page)) {
            *touched = true;
        }
    }

    /// The sampled pages of a VM that were accessed.
    pub fn touched(&self, vm: VmId) -> u64 {
        let touched = |pages: &BTreeMap<u64, bool>| pages.values().filter(|each| **each).count();
        self.0.get(&vm).map_or(0, touched) as u64
    }

    /// A VM is gone.
    pub fn forget_vm(&mut self, vm: VmId) {
        self.0.remove(&vm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sampled_page_counts_once_and_others_not() {
        let mut samples = Samples::default();
        samples.begin(VmId(1), &[3, 5]);
        for page in [3, 3, 4] {
            samples.note(VmId(1), page);
            samples.note(VmId(2), page);
        }
        assert_eq!((samples.touched(VmId(1)), samples.touched(VmId(2))), (1, 0));
        samples.begin(VmId(1), &[4]);
        assert_eq!(samples.touched(VmId(1)), 0);
        samples.forget_vm(VmId(1));
    }
}
