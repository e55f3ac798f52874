"""A type-1 hypervisor: it owns the machine, schedules vCPUs itself, and has its own way of I/O.

It drives the devices itself; or leaves them to a driver domain, a VM that serves the others; or
passes them through to the guests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dcsim.hypervisor.credit import CreditScheduler
from dcsim.hypervisor.driver_domain import DriverDomain
from dcsim.hypervisor.hypervisor import Hypervisor
from dcsim.hypervisor.paths import PASS_THROUGH, TYPE1

if TYPE_CHECKING:
    from dcsim.host import Host
    from dcsim.hypervisor.disk_io import GuestRequest
    from dcsim.hypervisor.paths import HostPaths
    from dcsim.hypervisor.route import Route
    from dcsim.hypervisor.scheduler import Scheduler
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["IoName", "Type1"]

IoName = Literal["own-drivers", "driver-domain", "pass-through"]
"""Who drives the devices."""


class Type1(Hypervisor):
    """Its own scheduler, and a way of I/O of its choice.

    Parameters
    ----------
    host
        What it runs on.
    scheduler
        What chooses; the credit scheduler when left out.

    Attributes
    ----------
    driver_domain
        What serves the guests' devices, when that is a VM.
    passes_through
        Whether guests have the devices for themselves.
    """

    kind = "type1"

    def __init__(self, host: Host, scheduler: Scheduler | None = None) -> None:
        super().__init__(host, scheduler or CreditScheduler(host.config.pcpus), TYPE1)
        self.driver_domain: DriverDomain | None = None
        self.passes_through = False

    def use_driver_domain(self, domain: VirtualMachine) -> None:
        """Have a VM, which is to be started before all others, drive the devices from now on."""
        self.driver_domain = DriverDomain(self, domain)

    def route_of(self, vm: VirtualMachine) -> Route:
        """Return the way of a VM's requests."""
        if self.driver_domain is None or vm.config.technique == "bare-metal":
            return self._own
        return self.driver_domain

    def paths_of(self, vm: VirtualMachine) -> HostPaths:
        """Return what host software lies between a VM and the machine."""
        paths = super().paths_of(vm)
        return PASS_THROUGH if self.passes_through and paths.hosted else paths

    def _lose_memory(self) -> None:
        if self.driver_domain is not None:
            self.driver_domain.lose()

    def _abandon(self, request: GuestRequest) -> None:
        if self.driver_domain is not None:
            self.driver_domain.abandon(request)
