"""What a scenario says of VMs with a link of their own: there is one, and they stay at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.scenario.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.scenario.scenario import Scenario

__all__ = ["check_own_links"]


def check_own_links(scenario: Scenario) -> Iterator[Finding]:
    """Yield what is wrong with VMs that have a link of their own."""
    nodes = {"outside", "switch", *(host.name for host in scenario.each_host())}
    for index, group in enumerate(scenario.vms):
        if group.link != "own":
            continue
        if group.requests is None and group.sink is None:
            message = f"`{group.name}` has no network device to be at the end of a link"
            yield Finding(("vms", index, "link"), message, "give it `requests:` or a `sink:`")
    owners = {vm.name for vm in scenario.each_vm() if vm.link == "own"}
    for name in sorted(owners & nodes):
        message = f"`{name}` is a node of the network already, and no VM's own"
        yield Finding(("vms",), message, "choose another name for the VM")
    for index, move in enumerate(scenario.migrations):
        if move.vm in owners:
            message = f"`{move.vm}` cannot move: it has a link of its own to its host"
            yield Finding(("migrations", index, "vm"), message, "write `link: shared` for it")
