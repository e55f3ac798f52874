"""What a scenario says of failures: subjects that exist, times within the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.scenario.finding import Finding, known
from dcsim.scenario.host_software import service_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.scenario.faults import Fault
    from dcsim.scenario.scenario import Scenario

__all__ = ["check_faults"]

Location = tuple[int | str, ...]


def check_faults(scenario: Scenario) -> Iterator[Finding]:
    """Yield what is wrong with faults, watchdogs and restarts."""
    for index, fault in enumerate(scenario.faults):
        yield from _check_fault(scenario, fault, ("faults", index))
    for index, vm in enumerate(scenario.vms):
        if vm.watchdog is not None and vm.watchdog.timeout_ns == 0:
            location = ("vms", index, "watchdog", "timeout")
            yield Finding(location, "a watchdog without patience", "write one such as `50 ms`")


def _check_fault(scenario: Scenario, fault: Fault, location: Location) -> Iterator[Finding]:
    if fault.at_ns >= scenario.duration_ns > 0:
        message = "that is after the run's end"
        yield Finding((*location, "at"), message, "write an earlier time")
    if fault.kind == "host-crash":
        hosts = [host.name for host in scenario.each_host()]
        yield from known("host", fault.subject, hosts, (*location, "subject"))
        return
    if fault.kind == "driver-domain-crash":
        hosts = [host.name for host in scenario.each_host() if host.io == "driver-domain"]
        domains = [service_name(name) for name in hosts]
        yield from known("driver domain", fault.subject, domains, (*location, "subject"))
        return
    yield from _check_vmm_crash(scenario, fault, location)


def _check_vmm_crash(scenario: Scenario, fault: Fault, location: Location) -> Iterator[Finding]:
    vms = {vm.name: vm for vm in scenario.each_vm()}
    yield from known("VM", fault.subject, list(vms), (*location, "subject"))
    if fault.down_ns is not None:
        message = "only a host or a driver domain is down for a time"
        yield Finding((*location, "down"), message, "leave it out")
    home = vms[fault.subject].host if fault.subject in vms else None
    owners = [host.name for host in scenario.each_host() if host.hypervisor == "type1"]
    if fault.subject in vms and (home in owners or (home is None and owners)):
        message = (
            f"`{fault.subject}` may be on `{home or owners[0]}`, whose type 1 hypervisor has no "
            "process for each VM"
        )
        yield Finding((*location, "kind"), message, "write `kind: host-crash`, or choose type 2")
