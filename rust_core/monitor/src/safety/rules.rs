//! What may be done to a frame, and in whose name.

use crate::allocator::FrameOwner;
use crate::config::PagingKind;
use crate::ids::VmId;
use dcsim_memory::Use;
use std::fmt;

/// What a guest executes.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Code {
    /// Its own pages.
    Own,
    /// What the monitor has made of them, and nothing else.
    Translated,
}

/// In whose name accesses are made.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Actor {
    /// The host's own software: nobody's guest has caused it.
    Nobody,
    /// The monitor, for a VM.
    Monitor(VmId),
    /// A guest, under this way of paging, that executes this.
    Guest(VmId, PagingKind, Code),
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => write!(formatter, "the host"),
            Self::Monitor(vm) => write!(formatter, "the monitor, for {vm}"),
            Self::Guest(vm, paging, code) => {
                write!(formatter, "the guest of {vm} ({}, {code:?} code)", paging.name())
            }
        }
    }
}

impl Actor {
    /// Whether an access to a frame of this owner's is in order.
    pub fn may(self, purpose: Use, owner: Option<FrameOwner>) -> bool {
        match self {
            Self::Nobody => true,
            Self::Monitor(vm) => owner.is_some_and(|owner| {
                // Whoever lets a device move data, it is the guest's request.
                let device = purpose == Use::DeviceRead || purpose == Use::DeviceWrite;
                owner.vm() == vm && (is_page(owner) || !device)
            }),
            Self::Guest(vm, paging, code) => owner
                .is_some_and(|owner| owner.vm() == vm && guest_may(purpose, owner, paging, code)),
        }
    }
}

/// Whether a guest may use a frame of its VM's.
fn guest_may(purpose: Use, owner: FrameOwner, paging: PagingKind, code: Code) -> bool {
    let is_monitors = matches!(owner, FrameOwner::Monitor { .. });
    match purpose {
        Use::Read => is_page(owner) || matches!(owner, FrameOwner::Shown { .. }),
        Use::Write | Use::DeviceRead | Use::DeviceWrite => is_page(owner),
        Use::Execute if code == Code::Own => is_page(owner),
        Use::Execute => matches!(owner, FrameOwner::Code { .. }),
        Use::Walk => is_walked(owner, paging),
        Use::Mark => is_walked(owner, paging) && !is_monitors,
    }
}

fn is_page(owner: FrameOwner) -> bool {
    matches!(owner, FrameOwner::Guest { .. })
}

/// Whether the hart walks tables in frames of this kind. Where shadow tables stand for the guest's
/// own, it must never come to see those.
fn is_walked(owner: FrameOwner, paging: PagingKind) -> bool {
    match paging {
        PagingKind::None => is_page(owner),
        PagingKind::ShadowTlb | PagingKind::ShadowTraced => is_shadow(owner),
        PagingKind::Nested => is_shadow(owner) || is_page(owner),
        PagingKind::Direct => {
            is_shadow(owner) || is_page(owner) || matches!(owner, FrameOwner::Monitor { .. })
        }
    }
}

fn is_shadow(owner: FrameOwner) -> bool {
    matches!(owner, FrameOwner::Shadow { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VM: VmId = VmId(1);
    const OWN: [FrameOwner; 5] = [
        FrameOwner::Guest { vm: VM, page: 0 },
        FrameOwner::Shadow { vm: VM },
        FrameOwner::Monitor { vm: VM },
        FrameOwner::Code { vm: VM },
        FrameOwner::Shown { vm: VM },
    ];
    const PAGINGS: [PagingKind; 5] = [
        PagingKind::None,
        PagingKind::ShadowTlb,
        PagingKind::ShadowTraced,
        PagingKind::Nested,
        PagingKind::Direct,
    ];

    #[test]
    fn nothing_is_allowed_with_the_frames_of_others() {
        let guests = PAGINGS.map(|paging| Actor::Guest(VM, paging, Code::Own));
        for actor in guests.into_iter().chain([Actor::Monitor(VM)]) {
            for purpose in Use::ALL {
                let other = FrameOwner::Guest { vm: VmId(2), page: 0 };
                assert!(!actor.may(purpose, Some(other)) && !actor.may(purpose, None));
            }
        }
    }

    #[test]
    fn a_guest_writes_its_pages_only() {
        for paging in PAGINGS {
            let guest = Actor::Guest(VM, paging, Code::Own);
            let writes = OWN.map(|owner| guest.may(Use::Write, Some(owner)));
            assert_eq!(writes, [true, false, false, false, false]);
        }
    }

    #[test]
    fn devices_move_the_pages_of_guests_only() {
        for purpose in [Use::DeviceRead, Use::DeviceWrite] {
            let moves = OWN.map(|owner| Actor::Monitor(VM).may(purpose, Some(owner)));
            assert_eq!(moves, [true, false, false, false, false]);
        }
    }

    #[test]
    fn translated_code_is_only_executed() {
        let code = Some(FrameOwner::Code { vm: VM });
        let guest = Actor::Guest(VM, PagingKind::ShadowTlb, Code::Translated);
        let allowed = Use::ALL.map(|purpose| guest.may(purpose, code));
        assert_eq!(allowed, [false, false, true, false, false, false, false]);
        assert!(!guest.may(Use::Execute, Some(OWN[0])), "the kernel's own code is not executed");
    }

    #[test]
    fn under_shadow_tables_no_table_of_the_guest_is_walked() {
        for paging in [PagingKind::ShadowTlb, PagingKind::ShadowTraced] {
            let guest = Actor::Guest(VM, paging, Code::Own);
            let walked = OWN.map(|owner| guest.may(Use::Walk, Some(owner)));
            assert_eq!(walked, [false, true, false, false, false]);
        }
    }
}
