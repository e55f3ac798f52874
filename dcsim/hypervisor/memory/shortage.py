"""Those that need a frame when a host has none to give: how many would do, and who waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.errors import DeadlockError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcsim.hypervisor.vcpu import VirtualCpu
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["Shortage"]


class Shortage:
    """The vCPUs of a host that wait for frames.

    What somebody needs is not known, only that what was free was too little: it tries again when
    there is more.

    Parameters
    ----------
    host_name
        Whose frames.
    reserve
        Frames that are kept for pages that come back.
    """

    def __init__(self, host_name: str, reserve: int) -> None:
        self._host_name = host_name
        self.reserve = reserve
        self._waiting: list[VirtualCpu] = []
        self._too_few = 0

    @property
    def is_there(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    @property
    def needed(self) -> int:
        """How many frames have to be free for another try."""
        return max(self.reserve, self._too_few) + 1

    def note(self, vcpu: VirtualCpu | None, free: int) -> None:
        """Note that so many free frames were too few for a vCPU; None for a device."""
        self._too_few = max(self._too_few, free) if self._waiting else free
        if vcpu is not None:
            self._waiting.append(vcpu)

    def forget(self, vm: VirtualMachine) -> None:
        """Forget the vCPUs of a VM."""
        self._waiting = [vcpu for vcpu in self._waiting if vcpu.vm is not vm]

    def relieved(self, free: int) -> list[VirtualCpu]:
        """Return those who may try again; none while too little is free."""
        if free < self.needed:
            return []
        relieved, self._waiting = self._waiting, []
        return relieved

    def check_deadlock(self, vcpus: Iterable[VirtualCpu], free: int, reason: str) -> None:
        """End the run when nobody is left who could give memory back.

        Parameters
        ----------
        vcpus
            All of the host.
        free
            Frames that are free.
        reason
            Why none becomes free.

        Raises
        ------
        DeadlockError
            With who waits for what.
        """
        if any(_may_act(vcpu) for vcpu in vcpus):
            return
        waits = "; ".join(
            f"{vcpu.vm.name} waits for a frame of {self._host_name}" for vcpu in self._waiting
        )
        raise DeadlockError(
            f"{waits}; {self._host_name} has {free} free frames, of which {self.reserve} are"
            f" reserved, and {reason}"
        )


def _may_act(vcpu: VirtualCpu) -> bool:
    """Tell whether a vCPU may come to give memory back, or end."""
    if vcpu.stalls:
        return False
    may_wake = vcpu.wake_timer is not None or vcpu.vm.outstanding or vcpu.vm.config.has_network
    return vcpu.state != "blocked" or bool(may_wake)
