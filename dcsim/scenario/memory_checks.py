"""What must hold of hosts that overcommit their memory and of their VMs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.scenario.finding import Finding, positive, whole
from dcsim.units import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dcsim.scenario.scenario import Scenario
    from dcsim.scenario.vms import Vm

__all__ = ["check_memory_of_hosts", "check_memory_of_vms"]

_PAGE_BYTES = 4096
_CLAIMS = ("memory_shares", "memory_reservation", "memory_limit")


def check_memory_of_hosts(scenario: Scenario) -> Iterator[Finding]:
    """Yield what is wrong with how hosts overcommit."""
    for index, host in enumerate(scenario.hosts):
        overcommit, location = host.overcommit, ("hosts", index, "overcommit")
        if overcommit is None:
            continue
        yield from positive(overcommit.interval_ns, (*location, "interval"))
        yield from positive(overcommit.sample_period_ns, (*location, "sample_period"))
        if overcommit.swap_bytes:
            yield from whole(overcommit.swap_bytes, _PAGE_BYTES, (*location, "swap"))
        if overcommit.sharing is not None:
            yield from positive(overcommit.sharing.sleep_ns, (*location, "sharing", "sleep"))


def check_memory_of_vms(scenario: Scenario) -> Iterator[Finding]:
    """Yield what is wrong with what VMs claim of their hosts' memory."""
    overcommitting = [host.overcommit is not None for host in scenario.hosts]
    for index, vm in enumerate(scenario.vms):
        location = ("vms", index)
        yield from _check_claim(vm, location)
        if not any(overcommitting):
            yield from _check_unused(vm, location)


def _check_claim(vm: Vm, location: tuple[int | str, ...]) -> Iterator[Finding]:
    limit = vm.memory_bytes if vm.memory_limit_bytes is None else vm.memory_limit_bytes
    if vm.memory_reservation_bytes:
        place = (*location, "memory_reservation")
        yield from whole(vm.memory_reservation_bytes, _PAGE_BYTES, place)
    yield from whole(limit, _PAGE_BYTES, (*location, "memory_limit"))
    if limit > vm.memory_bytes:
        message = f"the VM has {BYTES.format(vm.memory_bytes)} and never uses more"
        yield Finding((*location, "memory_limit"), message, "write less, or leave it out")
    elif vm.memory_reservation_bytes > limit:
        message = f"the VM may not have more than {BYTES.format(limit)}"
        yield Finding((*location, "memory_reservation"), message, "reserve less")


def _check_unused(vm: Vm, location: tuple[int | str, ...]) -> Iterator[Finding]:
    for key in _given(vm):
        message = "no host overcommits its memory, so every VM has all of its own"
        yield Finding((*location, key), message, "add `overcommit: {}` to a host, or leave it out")


def _given(vm: Vm) -> Iterable[str]:
    values = (vm.memory_shares, vm.memory_reservation_bytes, vm.memory_limit_bytes)
    return (key for key, value in zip(_CLAIMS, values, strict=True) if value)
