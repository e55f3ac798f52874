"""What a scenario says of a host's software: devices that have drivers, names that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor import device_misfit
from dcsim.scenario.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.scenario.hosts import Host
    from dcsim.scenario.scenario import Scenario

__all__ = ["check_host_software"]

Location = tuple[int | str, ...]


def check_host_software(scenario: Scenario) -> Iterator[Finding]:
    """Yield what is wrong with the software of hosts."""
    names = [vm.name for vm in scenario.each_vm()]
    for service in scenario.services():
        if service in names:
            message = f"`{service}` is the name of a driver domain"
            yield Finding(("vms", _group_of(scenario, service), "name"), message, "choose another")
    for index, host in enumerate(scenario.hosts):
        location: Location = ("hosts", index)
        yield from _check_io(host, location)
        yield from _check_devices(host, location)
        yield from _check_processes(host, location)
    yield from _check_pass_through(scenario)
    yield from _check_pinned(scenario)


def _group_of(scenario: Scenario, name: str) -> int:
    return next(
        index
        for index, vm in enumerate(scenario.vms)
        if name == vm.name or name.startswith(f"{vm.name}-")
    )


def _check_io(host: Host, location: Location) -> Iterator[Finding]:
    if host.hypervisor == "type2" and host.io != "own-drivers":
        message = "a type 2 hypervisor uses its host's drivers"
        yield Finding((*location, "io"), message, "leave it out, or write `hypervisor: type1`")
    if host.hypervisor == "type1" and host.network_path is not None:
        message = "the monitor of a type 1 hypervisor has no world beside the host's"
        yield Finding((*location, "network_path"), message, "write `hypervisor: type2`")
    if host.driver_domain is not None and host.io != "driver-domain":
        message = "the host has no driver domain"
        yield Finding((*location, "driver_domain"), message, "write `io: driver-domain`")


def _check_devices(host: Host, location: Location) -> Iterator[Finding]:
    names: list[str] = []
    for number, device in enumerate(host.devices):
        place = (*location, "devices", number)
        if device.name in names:
            yield Finding((*place, "name"), f"the name `{device.name}` is taken", "choose another")
        names.append(device.name)
        misfit = None
        if host.hypervisor == "type1":
            misfit = device_misfit(device.kind, device.model, host.io)
        if misfit is not None:
            yield Finding((*place, "model"), *misfit)


def _check_processes(host: Host, location: Location) -> Iterator[Finding]:
    names: list[str] = []
    for number, process in enumerate(host.processes):
        place = (*location, "processes", number)
        if host.hypervisor == "type1":
            message = "a type 1 hypervisor has no processes beside its VMs"
            yield Finding(place, message, "write `hypervisor: type2`, or leave it out")
        if process.name in names:
            yield Finding((*place, "name"), f"the name `{process.name}` is taken", "choose another")
        names.append(process.name)
        if process.period_ns == 0:
            yield Finding((*place, "period"), "a period of 0 never ends", "write `10 ms`")


def _check_pass_through(scenario: Scenario) -> Iterator[Finding]:
    """Keep VMs that have a device for themselves where the device is."""
    hosts = {each.name for each in scenario.each_host() if each.io == "pass-through"}
    homes = {vm.name: vm.host for vm in scenario.each_vm()}
    for index, move in enumerate(scenario.migrations):
        if move.to in hosts or homes.get(move.vm) in hosts:
            message = f"`{move.vm}` cannot move: the devices of a host are passed through to it"
            remedy = "write `io: own-drivers` or `io: driver-domain` for both hosts"
            yield Finding(("migrations", index, "vm"), message, remedy)
    if hosts and scenario.consolidation is not None:
        message = f"VMs on `{min(hosts)}` cannot move: its devices are passed through to them"
        yield Finding(("consolidation",), message, "leave it out")


def _check_pinned(scenario: Scenario) -> Iterator[Finding]:
    """Keep memory where it is that a device may write to at any time, without asking anybody."""
    for index, host in enumerate(scenario.hosts):
        if host.io == "pass-through" and host.overcommit is not None:
            message = (
                "the devices are passed through, and may write to any page of their VMs: none can "
                "be shared or taken"
            )
            yield Finding(("hosts", index, "overcommit"), message, "leave it out")
    hosts = [each.name for each in scenario.each_host() if each.io == "pass-through"]
    for index, vm in enumerate(scenario.vms):
        if vm.balloon and hosts and (vm.host is None or vm.host in hosts):
            message = (
                f"the devices of `{vm.host or hosts[0]}` are passed through, and may write to "
                "pages that the VM has given"
            )
            remedy = "leave the balloon out, or name a host that drives its devices itself"
            yield Finding(("vms", index, "balloon"), message, remedy)
