"""Checks of VMs that are processes of their host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.scenario.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dcsim.scenario.scenario import Scenario
    from dcsim.scenario.vms import Vm

__all__ = ["check_processes"]

_OF_MACHINES = {
    "kernel": "there is no guest kernel",
    "image": "there is no guest kernel",
    "vcpus": "its threads take turns",
    "technique": "nothing of it is privileged",
    "paging": "its page tables are its host's",
    "large_pages": "its page tables are its host's",
    "translate_user": "nothing of it is translated",
    "disk": "its files are its folder's",
    "console": "its output is its console",
    "requests": "it has no network device",
}
"""Keys that a process has no use for, and why."""


def check_processes(
    scenario: Scenario, reachable: Callable[[Scenario, Vm], list[str]]
) -> Iterator[Finding]:
    """Hold processes to what a process has, and to hosts with an operating system."""
    hypervisors = {host.name: host.hypervisor for host in scenario.each_host()}
    poor = {host.name: host.lacks for host in scenario.each_host() if host.lacks}
    for index, group in enumerate(scenario.vms):
        location = ("vms", index)
        if group.kind == "machine":
            if group.folder is not None:
                remedy = "write `kind: process`, or leave it out"
                yield Finding((*location, "folder"), "a machine has disks, not a folder", remedy)
            for host in filter(poor.__contains__, reachable(scenario, group)):
                letters = ", ".join(f"`{letter}`" for letter in poor[host])
                message = f"host `{host}`, on which it may run, lacks {letters}, which kernels have"
                yield Finding(location, message, "write `host:` with another, or `kind: process`")
            continue
        for key, reason in _OF_MACHINES.items():
            if key in group.model_fields_set:
                message = f"a `process` has no `{key}`: {reason}"
                yield Finding((*location, key), message, "leave it out")
        if group.folder is not None and not scenario.resolve(group.folder).is_dir():
            message = f"there is no folder `{group.folder}`"
            yield Finding((*location, "folder"), message, "it is relative to the scenario file")
        without = [host for host in reachable(scenario, group) if hypervisors.get(host) == "type1"]
        if without:
            message = f"host `{without[0]}`, on which it may run, has no operating system"
            yield Finding((*location, "kind"), message, "write `host:` with a host of type 2")
