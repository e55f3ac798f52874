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
    /// The VM in whose name it is.
    pub fn vm(self) -> Option<VmId> {
        match self {
            Self::Nobody => None,
            Self::Monitor(vm) | Self::Guest(vm, ..) => Some(vm),
        }
    }

    /// Whether an access to a frame of this owner's is in order; `shares`: one of the VM's pages lies
    /// in the frame together with others.
    pub fn may(self, purpose: Use, owner: Option<FrameOwner>, shares: bool) -> bool {
        let Some(vm) = self.vm() else { return true };
        let Some(owner) = owner else { return false };
        if owner == FrameOwner::Shared {
            return shares && is_reading(purpose) && self.may_own(purpose, PAGE);
        }
        owner.vm() == Some(vm) && self.may_own(purpose, owner)
    }

    /// The same for a frame of the VM's own.
    fn may_own(self, purpose: Use, owner: FrameOwner) -> bool {
        match self {
            Self::Nobody => true,
            // Whoever lets a device move data, it is the guest's request.
            Self::Monitor(_) => {
                is_page(owner) || !matches!(purpose, Use::DeviceRead | Use::DeviceWrite)
            }
            Self::Guest(_, paging, code) => guest_may(purpose, owner, paging, code),
        }
    }
}

/// A page of a guest: what each of those is that share a frame.
const PAGE: FrameOwner = FrameOwner::Guest { vm: VmId(0), page: 0 };

/// Whether an access leaves the frame as it is.
fn is_reading(purpose: Use) -> bool {
    match purpose {
        Use::Read | Use::Execute | Use::Walk | Use::DeviceRead => true,
        Use::Write | Use::Mark | Use::DeviceWrite => false,
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
                assert!(
                    !actor.may(purpose, Some(other), false) && !actor.may(purpose, None, false)
                );
            }
        }
    }

    #[test]
    fn a_guest_writes_its_pages_only() {
        for paging in PAGINGS {
            let guest = Actor::Guest(VM, paging, Code::Own);
            let writes = OWN.map(|owner| guest.may(Use::Write, Some(owner), false));
            assert_eq!(writes, [true, false, false, false, false]);
        }
    }

    #[test]
    fn who_shares_a_frame_reads_it_and_nobody_writes_it() {
        for paging in [PagingKind::ShadowTlb, PagingKind::ShadowTraced, PagingKind::Nested] {
            let guest = Actor::Guest(VM, paging, Code::Own);
            for actor in [guest, Actor::Monitor(VM)] {
                let allowed = Use::ALL.map(|purpose| {
                    assert!(!actor.may(purpose, Some(FrameOwner::Shared), false));
                    actor.may(purpose, Some(FrameOwner::Shared), true)
                });
                let walks = actor != guest || paging == PagingKind::Nested;
                assert_eq!(allowed, [true, false, true, walks, false, true, false]);
            }
        }
    }

    #[test]
    fn devices_move_the_pages_of_guests_only() {
        for purpose in [Use::DeviceRead, Use::DeviceWrite] {
            let moves = OWN.map(|owner| Actor::Monitor(VM).may(purpose, Some(owner), false));
            assert_eq!(moves, [true, false, false, false, false]);
        }
    }

    #[test]
    fn translated_code_is_only_executed() {
        let code = Some(FrameOwner::Code { vm: VM });
        let guest = Actor::Guest(VM, PagingKind::ShadowTlb, Code::Translated);
        let allowed = Use::ALL.map(|purpose| guest.may(purpose, code, false));
        assert_eq!(allowed, [false, false, true, false, false, false, false]);
        assert!(
            !guest.may(Use::Execute, Some(OWN[0]), false),
            "the kernel's own code is not executed"
        );
    }

    #[test]
    fn under_shadow_tables_no_table_of_the_guest_is_walked() {
        for paging in [PagingKind::ShadowTlb, PagingKind::ShadowTraced] {
            let guest = Actor::Guest(VM, paging, Code::Own);
            let walked = OWN.map(|owner| guest.may(Use::Walk, Some(owner), false));
            assert_eq!(walked, [false, true, false, false, false]);
        }
    }
}
