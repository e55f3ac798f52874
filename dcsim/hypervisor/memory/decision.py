"""What to do about a host's memory now: who gives how much, and how it is taken.

A pure function of a picture of the host. It says two things of every VM:

- what must *go*: while the host is in a state that reclaims, the pages between what is free and
  what should be. They are revoked from those that pay the least for a page. A VM above its limit
  gives what is beyond it in every state.
- its *target*: what it would have if the whole host were shared out anew among what the VMs want.

A balloon is as large as leaves its guest with the target, whichever pages the guest gives: those
that never had a frame free none, but the guest cannot use them either. Balloons are asked for in a
state that balloons; from then on they follow the target, also down. What a balloon does not give is
swapped, and in a state that forces paging all that must go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.hypervisor.memory.settings import MOST_BALLOON
from dcsim.hypervisor.memory.shares import Claim, allocate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from dcsim.hypervisor.memory.states import MemoryState

__all__ = ["Decision", "VmPicture", "decide"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VmPicture:
    """A VM's memory, in pages."""

    shares: int
    size: int
    """Guest-physical pages."""
    reservation: int
    limit: int
    resident: int
    """Pages that have content in frames, shared ones included."""
    swapped: int
    ballooned: int
    balloon_target: int
    balloons: bool
    """Whether its balloon does what it is asked for."""
    active: Fraction
    """Estimated part of its pages that it uses."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a VM's memory, in pages."""

    target: int
    """What it would have."""
    balloon: int
    """How large its balloon should be."""
    swap: int
    """How many pages to swap out."""
    held: bool
    """Whether it stands still."""


def decide(
    state: MemoryState, free: int, goal: int, vms: Sequence[VmPicture], tax: Fraction
) -> list[Decision]:
    """Return a decision on each VM.

    Parameters
    ----------
    state
        The host's free-memory state.
    free
        Frames that are free.
    goal
        Frames that are to be free.
    vms
        The host's VMs.
    tax
        The tax rate on idle memory.
    """
    shortage = max(0, goal - free) if state.reclaims else 0
    keeps = _revoke(vms, shortage, tax)
    targets = _share_out(vms, sum(vm.resident for vm in vms) + free - goal, tax)
    return [
        _decide(state, vm, vm.resident - keep, target)
        for vm, keep, target in zip(vms, keeps, targets, strict=True)
    ]


def _revoke(vms: Sequence[VmPicture], shortage: int, tax: Fraction) -> list[int]:
    """Return the pages that each VM keeps when so many go."""
    claims = []
    for vm in vms:
        most = min(vm.resident, vm.limit)
        claims.append(Claim(vm.shares, min(vm.reservation, most), most, vm.active))
    return allocate(claims, sum(vm.resident for vm in vms) - shortage, tax)


def _share_out(vms: Sequence[VmPicture], available: int, tax: Fraction) -> list[int]:
    """Return each VM's target: pages that it never touched are wanted by nobody."""
    claims = []
    for vm in vms:
        most = _wanted(vm)
        claims.append(Claim(vm.shares, min(vm.reservation, most), most, vm.active))
    return allocate(claims, available, tax)


def _wanted(vm: VmPicture) -> int:
    """Return the most that a VM has a use for, and may have."""
    return min(vm.size, vm.limit, vm.resident + vm.swapped + vm.ballooned)


def _decide(state: MemoryState, vm: VmPicture, goes: int, target: int) -> Decision:
    relies = vm.balloons and state.pages != "forced"
    asks = vm.balloon_target > 0 or (relies and (state.balloons or goes > 0))
    balloon = _balloon(vm, target) if asks else 0
    by_balloon = min(goes, max(0, balloon - vm.ballooned)) if relies else 0
    return Decision(target, balloon, swap=goes - by_balloon, held=state.blocks and goes > 0)


def _balloon(vm: VmPicture, target: int) -> int:
    """Return the balloon that leaves a guest with its target; none when it wants no more."""
    if target >= _wanted(vm) and vm.limit >= vm.size:
        return 0
    return min(int(vm.size * MOST_BALLOON), vm.size - target)
