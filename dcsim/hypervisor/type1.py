"""A type-1 hypervisor: it owns the machine, schedules vCPUs itself and drives the devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor.credit import CreditScheduler
from dcsim.hypervisor.hypervisor import Hypervisor
from dcsim.hypervisor.paths import TYPE1

if TYPE_CHECKING:
    from dcsim.host import Host

__all__ = ["Type1"]


class Type1(Hypervisor):
    """Credit scheduler, own drivers.

    Parameters
    ----------
    host
        What it runs on.
    """

    kind = "type1"

    def __init__(self, host: Host) -> None:
        super().__init__(host, CreditScheduler(host.config.pcpus), TYPE1)
