"""What a scenario says of balloons: one where it is meant, of a size that the VM has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.scenario.finding import Finding
from dcsim.units import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.scenario.scenario import Scenario
    from dcsim.scenario.vms import Vm

__all__ = ["check_balloons"]


def check_balloons(scenario: Scenario) -> Iterator[Finding]:
    """Yield what is wrong with the balloons of VMs."""
    for index, vm in enumerate(scenario.vms):
        location = ("vms", index)
        if not vm.balloon:
            yield from _check_left_out(vm, location)
            continue
        yield from _check_possible(vm, (*location, "balloon"))
        if vm.balloon_target_bytes is not None and vm.balloon_target_bytes > vm.memory_bytes:
            message = (
                f"a balloon of {BYTES.format(vm.balloon_target_bytes)} in a VM of "
                f"{BYTES.format(vm.memory_bytes)}"
            )
            remedy = "ask for less than the VM has"
            yield Finding((*location, "balloon_target"), message, remedy)


def _check_left_out(vm: Vm, location: tuple[int | str, ...]) -> Iterator[Finding]:
    if vm.balloon_target_bytes is not None:
        message = "the VM has no balloon that could have a target"
        yield Finding((*location, "balloon_target"), message, "write `balloon: true` beside it")
    if vm.free_page_reporting:
        message = "free pages are reported to a balloon, and the VM has none"
        yield Finding(
            (*location, "free_page_reporting"), message, "write `balloon: true` beside it"
        )


def _check_possible(vm: Vm, location: tuple[int | str, ...]) -> Iterator[Finding]:
    """Hold a VM with a balloon to what can give pages up, one at a time."""
    reasons = {
        "none": "a guest on bare metal owns its host: nobody could use what a balloon gives",
        "direct": "a guest whose tables hold machine addresses cannot have pages taken away safely",
    }
    remedy = "leave the balloon out, or choose another `technique`"
    if vm.paging_used in reasons:
        yield Finding(location, reasons[vm.paging_used], remedy)
    elif vm.large_pages:
        message = "memory in runs of large frames is not given back by the page"
        yield Finding(location, message, "leave out the balloon, or `large_pages`")
