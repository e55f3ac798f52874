"""A type-1 hypervisor: it owns the machine, schedules vCPUs itself and drives the devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor.credit import CreditScheduler
from dcsim.hypervisor.hypervisor import Hypervisor
from dcsim.hypervisor.paths import TYPE1

if TYPE_CHECKING:
    from dcsim.host import Host
    from dcsim.hypervisor.scheduler import Scheduler

__all__ = ["Type1"]


class Type1(Hypervisor):
    """Its own scheduler, own drivers.

    Parameters
    ----------
    host
        What it runs on.
    scheduler
        What chooses; the credit scheduler when left out.
    """

    kind = "type1"

    def __init__(self, host: Host, scheduler: Scheduler | None = None) -> None:
        super().__init__(host, scheduler or CreditScheduler(host.config.pcpus), TYPE1)
