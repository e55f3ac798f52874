"""What must hold of hosts that overcommit their memory and of their VMs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.scenario.finding import Finding, positive, whole
from dcsim.units import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.scenario.scenario import Scenario

__all__ = ["check_memory_of_hosts", "check_memory_of_vms"]

_PAGE_BYTES = 4096


def check_memory_of_hosts(scenario: Scenario) -> Iterator[Finding]:
    """Yield what is wrong with how hosts overcommit."""
    for index, host in enumerate(scenario.hosts):
        overcommit, location = host.overcommit, ("hosts", index, "overcommit")
        if overcommit is None:
            continue
        yield from positive(overcommit.interval_ns, (*location, "interval"))
        if overcommit.sharing is not None:
            yield from positive(overcommit.sharing.sleep_ns, (*location, "sharing", "sleep"))


def check_memory_of_vms(scenario: Scenario) -> Iterator[Finding]:
    """Yield what is wrong with what VMs claim of their hosts' memory."""
    overcommitting = any(host.overcommit is not None for host in scenario.hosts)
    for index, vm in enumerate(scenario.vms):
        location = ("vms", index, "memory_reservation")
        if not vm.memory_reservation_bytes:
            continue
        yield from whole(vm.memory_reservation_bytes, _PAGE_BYTES, location)
        if vm.memory_reservation_bytes > vm.memory_bytes:
            message = f"the VM has {BYTES.format(vm.memory_bytes)} and never uses more"
            yield Finding(location, message, "reserve less")
        if not overcommitting:
            message = "no host overcommits its memory, so every VM has all of its own"
            yield Finding(location, message, "add `overcommit: {}` to a host, or leave it out")
