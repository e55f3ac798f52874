//! A host that is short of memory: between the steps of guests their pages are shared, swapped and
//! given back.

use crate::random::Random;
use dcsim_memory::PageStore;
use dcsim_monitor::host::{Scan, SwapOut};
use dcsim_monitor::overcommit::index::Finding;
use dcsim_monitor::overcommit::swap::Tier;
use dcsim_monitor::{Host, HostError, VmId};

/// Pages that one scan looks at.
const SCANNED: u64 = 512;
/// Pages of a guest, from which those to be taken are drawn.
const PAGES: u64 = 1024;
/// How many pages are taken at most to make room for one.
const MOST_TAKEN: u64 = 64;

/// What a host does about it, drawn from a generator of its own.
#[derive(Clone, Debug)]
pub struct Pressure {
    random: Random,
}

impl Pressure {
    /// Other pages in each play.
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed ^ 0x7072_6573_7375_7265) }
    }

    /// Does something with pages now and then, of either guest; only the first may lose what it has in some. A
    /// guest whose pages cannot be taken away keeps them.
    pub fn act(
        &mut self,
        host: &mut Host,
        store: &mut PageStore,
        [hostile, neighbour]: [VmId; 2],
    ) -> Result<(), HostError> {
        if self.random.once_in(2) {
            return Ok(());
        }
        let vm = if self.random.once_in(2) { hostile } else { neighbour };
        let done = match self.random.below(8) {
            0..4 => self.scan(host, store, vm),
            4..7 => self.take(host, store, vm).map(|_| ()),
            _ => {
                let page = self.random.below(PAGES);
                host.give_back_page(store, hostile, page).map(|_| ())
            }
        };
        match done {
            Err(HostError::Refused(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn scan(&mut self, host: &mut Host, store: &mut PageStore, vm: VmId) -> Result<(), HostError> {
        let finding = self.random.pick(&[Finding::Hints, Finding::Hints, Finding::Unstable]);
        let first_page = self.random.below(PAGES / SCANNED) * SCANNED;
        let scan = Scan { first_page, pages: SCANNED, finding, most_sharers: 256 };
        host.scan_pages(store, 0, vm, &scan)?;
        Ok(())
    }

    /// Swaps a resident page. Tells whether one is out now.
    fn take(
        &mut self,
        host: &mut Host,
        store: &mut PageStore,
        vm: VmId,
    ) -> Result<bool, HostError> {
        let resident = host.resident_pages(store, vm)?.max(1);
        let page = host.resident_page(store, vm, self.random.below(resident))?;
        let tier = self.random.pick(&[Tier::Outside, Tier::Compressed]);
        let shares_first = self.random.once_in(2).then_some(Finding::Hints);
        Ok(host.swap_out(store, 0, (vm, page), tier, shares_first)? == SwapOut::Swapped)
    }

    /// Brings a page back, and takes others of the guest for that if it has to.
    pub fn bring_back(
        &mut self,
        host: &mut Host,
        store: &mut PageStore,
        vm: VmId,
        page: u64,
    ) -> Result<bool, HostError> {
        for _ in 0..MOST_TAKEN {
            if host.swap_in(store, vm, page, None)? {
                return Ok(true);
            }
            self.take(host, store, vm)?;
        }
        Ok(false)
    }
}
