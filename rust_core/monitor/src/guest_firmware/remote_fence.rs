//! Fences that one vCPU has others do, and what they cost who asks and who is asked.

use super::{GuestPort, PAGE};
use crate::assumed;
use crate::error::HostError;
use crate::ledger::Activity;
use crate::reason::ExitReason;
use crate::shadow::spaces::FenceScope;
use crate::shadow::tree::TableFrames;
use crate::technique::Site;
use dcsim_machine::firmware::Fence;
use dcsim_machine::{Meter, Primitive};

/// What the vCPU that is asked does before it fences, and after: it is interrupted, saves the
/// guest's registers, finds out why, reads what is asked for, and tells that it is done.
const ANSWER: [(Primitive, u64); 5] = [
    (Primitive::Trap, 1),
    (Primitive::SaveRegisters, 1),
    (Primitive::CsrRead, 2),
    (Primitive::Load, 3),
    (Primitive::Store, 1),
];

/// Does a fence on the vCPU of a port.
pub(super) fn execute(
    port: &mut dyn GuestPort,
    meter: &mut Meter<'_>,
    frames: &mut TableFrames<'_>,
    fence: Fence,
) -> Result<(), HostError> {
    match fence {
        Fence::Instructions => {
            meter.flush_instructions();
            Ok(())
        }
        Fence::Everything { asid } => port.fence(meter, frames, FenceScope { address: None, asid }),
        Fence::Range { start, bytes, asid } => match pages(start, bytes) {
            Some(mut pages) => pages.try_for_each(|page| {
                port.fence(meter, frames, FenceScope { address: Some(page * PAGE), asid })
            }),
            None => port.fence(meter, frames, FenceScope { address: None, asid }),
        },
    }
}

/// The pages of a range, if they are so few that each is fenced by itself.
fn pages(start: u64, bytes: u64) -> Option<std::ops::RangeInclusive<u64>> {
    let first = start / PAGE;
    let last = start.saturating_add(bytes - 1) / PAGE;
    (last - first < assumed::FENCED_PAGES.value).then_some(first..=last)
}

/// How many flushes a fence takes.
pub(super) fn flushes(fence: Fence) -> u64 {
    match fence {
        Fence::Instructions | Fence::Everything { .. } => 1,
        Fence::Range { start, bytes, .. } => {
            pages(start, bytes).map_or(1, |pages| pages.end() - pages.start() + 1)
        }
    }
}

/// Has all other vCPUs on pCPUs do fences, as the tables that all share have changed. The vCPU of the
/// site waits for them.
pub fn fence_others(site: &mut Site<'_>, fences: &[Fence]) {
    if fences.is_empty() {
        return;
    }
    let others = (0..site.mail.count()).filter(|vcpu| *vcpu != site.vcpu);
    let others: Vec<_> = others.filter(|vcpu| site.mail.is_on_pcpu(*vcpu)).collect();
    for vcpu in &others {
        let mut meter = site.meter();
        meter.load_state(1);
        meter.store_state(2 * fences.len() as u64);
        meter.ring();
        for fence in fences {
            site.mail.fence(*vcpu, *fence);
        }
    }
    if !others.is_empty() {
        await_answer(site, fences.iter().map(|fence| flushes(*fence)).sum());
    }
}

/// Has other vCPUs empty their TLBs, as the tables that all share have changed. The vCPU of the site
/// waits for those on pCPUs, which it interrupts.
pub fn shoot_down(site: &mut Site<'_>, vcpus: &[usize]) {
    let mut awaited = None;
    for vcpu in vcpus {
        let is_elsewhere = *vcpu != site.vcpu && site.mail.is_on_pcpu(*vcpu);
        let mut meter = site.meter();
        meter.load_state(1);
        meter.store_state(1);
        if is_elsewhere {
            meter.ring();
            awaited = Some(1);
        }
        site.mail.fence(*vcpu, Fence::Everything { asid: None });
    }
    if let Some(flushes) = awaited {
        await_answer(site, flushes);
    }
}

/// Lets the vCPU of a site wait until others have done fences of so many flushes: the interrupt
/// travels, and they answer it. They are interrupted at the same time, so one wait is enough.
pub(super) fn await_answer(site: &mut Site<'_>, flushes: u64) {
    let mut meter = site.meter();
    meter.await_arrival();
    for (primitive, count) in ANSWER {
        meter.charge(primitive, count);
    }
    meter.account_fences(flushes);
    site.book(Activity::Handler(ExitReason::RemoteFence));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_range_is_one_flush() {
        let range = |start, bytes| Fence::Range { start, bytes, asid: None };
        assert_eq!(flushes(range(0x1000, 1)), 1);
        assert_eq!(flushes(range(0x1fff, 2)), 2);
        assert_eq!(flushes(range(0, 64 * PAGE)), 64);
        assert_eq!(flushes(range(0, 64 * PAGE + 1)), 1);
        assert_eq!(flushes(range(u64::MAX, u64::MAX)), 1);
        assert_eq!(flushes(Fence::Instructions), 1);
    }
}
