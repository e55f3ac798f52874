"""Gives up a VM whose guest no longer takes its timer.

What a hypervisor can see of a guest that is alive is that it takes its timer and sets it anew: a
kernel with time slices has one ahead whenever it runs something. One that spins with interrupts
off, or is lost, has its timer behind it. So the watchdog bites when a vCPU has had a processor for
``timeout`` without a timer ahead. Time during which others had the processor does not count, and
a vCPU that sleeps is never given up: it cannot be told from an idle one. A guest that computes
without a timer has no use for a watchdog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dcsim.hypervisor.vcpu import VirtualCpu
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Environment, Timer

__all__ = ["LOOKS", "Watchdog"]

LOOKS = 4
"""How often the watchdog looks in the time after which it bites."""


class WatchdogHost(Protocol):
    """What a watchdog needs of a hypervisor."""

    environment: Environment

    def timer_of(self, vcpu: VirtualCpu) -> int | None:
        """Return when the guest's timer on a vCPU is due."""

    def kill(self, vm: VirtualMachine, message: str) -> None:
        """Have a VM end as failed."""


class Watchdog:
    """Watches one VM while it is on a host.

    Parameters
    ----------
    host
        The hypervisor.
    vm
        The VM, just taken in.
    timeout_ns
        For how long a vCPU may run without a timer ahead.
    """

    def __init__(self, host: WatchdogHost, vm: VirtualMachine, timeout_ns: int) -> None:
        self._host = host
        self._vm = vm
        self._timeout_ns = timeout_ns
        self._ran_ns: dict[VirtualCpu, int] = {}
        self._timer: Timer | None = None
        self._again()

    def stop(self) -> None:
        """Watch no longer: the VM is over, or goes elsewhere."""
        if self._timer is not None:
            self._timer.cancel()

    def _again(self) -> None:
        interval_ns = max(1, self._timeout_ns // LOOKS)
        environment = self._host.environment
        self._timer = environment.after(interval_ns, self._look, reach=self._vm.scope)

    def _look(self) -> None:
        if any(self._hangs_for_ns(vcpu) >= self._timeout_ns for vcpu in self._vm.vcpus):
            message = f"its watchdog bit: it ran for {self._timeout_ns} ns without a timer ahead"
            self._host.kill(self._vm, message)
        else:
            self._again()

    def _hangs_for_ns(self, vcpu: VirtualCpu) -> int:
        """Return how long a vCPU has run since it was first seen without a timer ahead."""
        now_ns = self._host.environment.now
        due_ns = self._host.timer_of(vcpu)
        if vcpu.state == "blocked" or (due_ns is not None and due_ns > now_ns):
            self._ran_ns.pop(vcpu, None)
            return 0
        ran_ns = vcpu.time_ns("running", now_ns)
        return ran_ns - self._ran_ns.setdefault(vcpu, ran_ns)
