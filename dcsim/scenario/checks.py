"""What a scenario must hold beyond the shape of each part: names that exist, sizes that fit.

Every check yields findings; none stops at its first. A finding's location is where in the document
the wrong value stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx

from dcsim.errors import UnitError, did_you_mean
from dcsim.guest import programs
from dcsim.hardware import load_profile, power_curve_names, profile_names
from dcsim.hypervisor import (
    misfit,
    paging_misfit,
    told_mode,
    translation_misfit,
    vcpus_misfit,
)
from dcsim.policy import consolidation_names, placement_names
from dcsim.scenario.check_balloons import check_balloons
from dcsim.scenario.check_processors import (
    check_admission,
    check_harts,
    check_pins,
    check_processors,
    check_shares,
)
from dcsim.scenario.disk_checks import check_disks
from dcsim.scenario.fault_checks import check_faults
from dcsim.scenario.finding import Finding, known, positive, whole
from dcsim.scenario.host_software_checks import check_host_software
from dcsim.scenario.images import image_problem
from dcsim.scenario.link_checks import check_own_links
from dcsim.scenario.measure import MeasureError, read_measure
from dcsim.scenario.memory_checks import check_memory_of_hosts, check_memory_of_vms
from dcsim.scenario.metrics import read_bound
from dcsim.scenario.process_checks import check_processes
from dcsim.units import BYTES, DURATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dcsim.hardware import HardwareProfile
    from dcsim.scenario.hosts import Host
    from dcsim.scenario.scenario import Scenario
    from dcsim.scenario.vms import Vm

__all__ = ["Finding", "check_scenario"]

PAGE_BYTES = 4096
LARGE_PAGE_BYTES = 2 * 2**20
LARGEST_PACKET_BYTES = 1500
LEAST_VM_BYTES = 4 * 2**20
MOST_VM_BYTES = 16 * 2**30
MOST_HOSTS_BYTES = 2**40
"""Of all hosts together: each frame has its own record, and those of a tebibyte take 5 GiB."""


def check_scenario(scenario: Scenario) -> Iterator[Finding]:
    """Yield everything that is wrong with a scenario whose parts are each well formed."""
    if not scenario.hosts:
        yield Finding(("hosts",), "there is no host", "add at least one")
        return
    for check in _CHECKS:
        yield from check(scenario)


def _check_times(scenario: Scenario) -> Iterator[Finding]:
    if scenario.duration_ns == 0:
        yield Finding(("duration",), "the run has no duration", "write one such as `2 s`")
    if scenario.consolidation is not None and scenario.consolidation.interval_ns == 0:
        yield Finding(
            ("consolidation", "interval"), "an interval of 0 never ends", "write `500 ms`"
        )
    for index, vm in enumerate(scenario.vms):
        if vm.start_ns >= scenario.duration_ns > 0:
            message = f"the VM starts when the run of {DURATION.format(scenario.duration_ns)} ends"
            yield Finding(("vms", index, "start"), message, "start it earlier")


def _check_names(scenario: Scenario) -> Iterator[Finding]:
    for kind in ("hosts", "vms"):
        seen: dict[str, int] = {}
        for index, group in enumerate(getattr(scenario, kind)):
            members = _full_names(group.name, group.count)
            clash = next((name for name in members if name in seen), None)
            if clash is not None:
                message = f"the name `{clash}` is taken by `{kind}[{seen[clash]}]`"
                yield Finding((kind, index, "name"), message, "choose another")
            seen.update((name, index) for name in members)


def _full_names(name: str, count: int | None) -> list[str]:
    return [name] if count is None else [f"{name}-{index}" for index in range(count)]


def _check_storage(scenario: Scenario) -> Iterator[Finding]:
    shared: list[str] = []
    for index, storage in enumerate(scenario.storage.shared):
        location = ("storage", "shared", index)
        if storage.name == "local":
            message = "`local` means a host's own disk"
            yield Finding((*location, "name"), message, "choose another name")
        if storage.name in shared:
            message = f"the name `{storage.name}` is taken"
            yield Finding((*location, "name"), message, "choose another")
        shared.append(storage.name)
        yield from positive(storage.bandwidth_bits_per_second, (*location, "bandwidth"))
    for index, vm in enumerate(scenario.vms):
        if vm.disk is None:
            continue
        place = ("vms", index, "disk")
        if vm.disk.on != "local" and vm.disk.on not in shared:
            message = f"there is no shared storage `{vm.disk.on}`"
            remedy = did_you_mean(vm.disk.on, ["local", *shared])
            yield Finding((*place, "on"), message, remedy)
        if vm.disk.moves and vm.disk.on != "local":
            message = f"the disk is on `{vm.disk.on}`, which every host reaches"
            yield Finding((*place, "moves"), message, "only a local disk moves; leave it out")


def _check_hosts(scenario: Scenario) -> Iterator[Finding]:
    total_bytes = 0
    for index, host in enumerate(scenario.hosts):
        location = ("hosts", index)
        before_bytes, total_bytes = total_bytes, total_bytes + host.memory_bytes * (host.count or 1)
        if before_bytes <= MOST_HOSTS_BYTES < total_bytes:
            message = f"the hosts have {BYTES.format(total_bytes)} of memory together"
            remedy = f"keep it to `{BYTES.format(MOST_HOSTS_BYTES)}`"
            yield Finding((*location, "memory"), message, remedy)
        yield from known(
            "hardware profile", host.hardware, profile_names(), (*location, "hardware")
        )
        yield from _check_processor(host, location)
        yield from known("power curve", host.power, power_curve_names(), (*location, "power"))
        yield from whole(host.memory_bytes, PAGE_BYTES, (*location, "memory"))


def _check_processor(host: Host, location: Sequence[int | str]) -> Iterator[Finding]:
    if host.hardware not in profile_names():
        return
    profile = load_profile(host.hardware)
    if host.isa is not None and host.isa not in profile.permitted_isas:
        message = f"`{profile.name}` is `{profile.machine.isa.value}` and cannot be `{host.isa}`"
        allowed = ", ".join(f"`{name}`" for name in profile.permitted_isas)
        yield Finding((*location, "isa"), message, f"allowed: {allowed}")
    elif host.exit_cycles is not None and (host.isa or profile.machine.isa.value) != "rv64gch":
        message = "without the hypervisor extension there is no world switch"
        remedy = "leave it out, or choose hardware with `rv64gch`"
        yield Finding((*location, "exit_cycles"), message, remedy)


def _check_techniques(scenario: Scenario) -> Iterator[Finding]:
    """Hold each VM's technique to its paging and to every host on which the VM may come to be."""
    processors = dict(_processors(scenario))
    for index, group in enumerate(scenario.vms):
        location = ("vms", index)
        found = paging_misfit(group.technique, group.paging_used)
        if found is not None:
            yield Finding((*location, found.key), found.message, found.remedy)
            continue
        for found in (
            translation_misfit(group.technique, translate_user=group.translate_user),
            vcpus_misfit(group.technique, group.paging_used, group.vcpus),
        ):
            if found is not None:
                yield Finding((*location, found.key), found.message, found.remedy)
        yield from check_harts(scenario, group, _reachable(scenario, group), (*location, "vcpus"))
        if group.large_pages:
            yield from _check_large_pages(group, (*location, "large_pages"))
        for host in _reachable(scenario, group):
            found = None
            if host in processors:
                found = misfit(group.technique, group.paging_used, processors[host])
            if found is not None:
                message = f"{found.message}; the VM may run on host `{host}`"
                yield Finding((*location, found.key), message, found.remedy)
                break
        yield from _check_told_modes(scenario, group, processors, (*location, "technique"))


def _check_told_modes(
    scenario: Scenario,
    group: Vm,
    processors: Mapping[str, HardwareProfile],
    location: tuple[int | str, ...],
) -> Iterator[Finding]:
    """Hold a kernel that knows its mode to hosts that give it the same."""
    if not _can_move(scenario, group):
        return
    hosts = [host for host in _reachable(scenario, group) if host in processors]
    modes = {told_mode(group.technique, processors[host]): host for host in hosts}
    if len(modes) > 1:
        message = (
            f"`{group.technique}` has its kernel in U on host `{modes['U']}` and in S on host"
            f" `{modes['S']}`, and the VM may move"
        )
        yield Finding(location, message, "let it move between hosts of one kind only")


def _check_large_pages(group: Vm, location: tuple[int | str, ...]) -> Iterator[Finding]:
    """Large pages are those of tables that the hardware walks, and whole ones."""
    if group.paging_used not in {"nested", "direct"}:
        message = f"`{group.paging_used}` paging maps no large pages"
        yield Finding(location, message, "write `paging: nested`, or leave `large_pages` out")
    elif group.memory_bytes % LARGE_PAGE_BYTES:
        message = f"{BYTES.format(group.memory_bytes)} are not whole large pages of 2 MiB"
        yield Finding(location, message, "give it a multiple of 2 MiB of memory")


def _processors(scenario: Scenario) -> Iterator[tuple[str, HardwareProfile]]:
    """Yield the processor of each host whose description is right so far."""
    for host in scenario.each_host():
        if host.hardware in profile_names():
            profile = load_profile(host.hardware)
            if host.isa is None or host.isa in profile.permitted_isas:
                yield host.name, profile.with_isa(host.isa)


def _reachable(scenario: Scenario, group: Vm) -> list[str]:
    """Return the hosts on which one of a group's VMs may come to be."""
    if group.host is None or _is_consolidated(scenario, group):
        return [host.name for host in scenario.each_host()]
    return list(dict.fromkeys([group.host, *_moves(scenario, group)]))


def _can_move(scenario: Scenario, group: Vm) -> bool:
    return _is_consolidated(scenario, group) or bool(_moves(scenario, group))


def _is_consolidated(scenario: Scenario, group: Vm) -> bool:
    stays = group.disk is not None and group.disk.on == "local" and not group.disk.moves
    return scenario.consolidation is not None and not stays


def _moves(scenario: Scenario, group: Vm) -> list[str]:
    names = _full_names(group.name, group.count)
    return [move.to for move in scenario.migrations if move.vm in names]


def _check_vms(scenario: Scenario) -> Iterator[Finding]:
    largest = max(host.memory_bytes for host in scenario.hosts)
    overcommits = any(host.overcommit is not None for host in scenario.hosts)
    hosts = [host.name for host in scenario.each_host()]
    for index, vm in enumerate(scenario.vms):
        location = ("vms", index)
        yield from whole(vm.memory_bytes, PAGE_BYTES, (*location, "memory"))
        if vm.kind == "machine" and vm.memory_bytes < LEAST_VM_BYTES:
            message = f"a VM needs {BYTES.format(LEAST_VM_BYTES)} to boot"
            yield Finding(
                (*location, "memory"), message, f"write `{BYTES.format(4 * LEAST_VM_BYTES)}`"
            )
        if vm.memory_bytes > MOST_VM_BYTES:
            message = f"a VM cannot have {BYTES.format(vm.memory_bytes)}"
            remedy = f"write at most `{BYTES.format(MOST_VM_BYTES)}`"
            yield Finding((*location, "memory"), message, remedy)
        elif vm.memory_bytes > largest and not overcommits:
            message = f"no host has {BYTES.format(vm.memory_bytes)}"
            remedy = f"the largest host has {BYTES.format(largest)}"
            yield Finding((*location, "memory"), message, remedy)
        if vm.image is None and vm.kind == "machine":
            names = [program.name for program in programs()]
            yield from known("guest program", vm.program_name, names, (*location, "program"))
        if vm.host is not None:
            yield from known("host", vm.host, hosts, (*location, "host"))


def _check_processor_time(scenario: Scenario) -> Iterator[Finding]:
    """Hold what VMs ask of schedulers to every host on which they may come to be."""
    hosts = {host.name: host for host in scenario.each_host()}
    for index, group in enumerate(scenario.vms):
        reached = [hosts[name] for name in _reachable(scenario, group) if name in hosts]
        yield from check_pins(group, index, reached)
        yield from check_shares(group, index, reached)


def _check_requests(scenario: Scenario) -> Iterator[Finding]:
    for index, vm in enumerate(scenario.vms):
        if vm.requests is None:
            continue
        location = ("vms", index, "requests")
        yield from positive(vm.requests.rate_millihertz, (*location, "rate"))
        sizes = (("size", vm.requests.size_bytes, 32), ("answer", vm.requests.answer_bytes, 24))
        for key, size, least in sizes:
            if not least <= size <= LARGEST_PACKET_BYTES:
                message = f"`{key}` must be from {least} B to {LARGEST_PACKET_BYTES} B"
                yield Finding((*location, key), message, "a request is one packet")
        if vm.requests.sectors and vm.disk is None:
            message = "the requests touch a disk, and the VM has none"
            yield Finding((*location, "sectors"), message, "add `disk: {size: 4 MiB}`")


def _check_images(scenario: Scenario) -> Iterator[Finding]:
    for index, vm in enumerate(scenario.vms):
        if vm.image is None:
            continue
        path = scenario.resolve(vm.image)
        location = ("vms", index, "image")
        if not path.is_file():
            message = f"there is no file `{vm.image}`"
            yield Finding(location, message, "the path is relative to the scenario's folder")
        elif path.stat().st_size > vm.memory_bytes:
            message = f"`{vm.image}` has {path.stat().st_size:,} bytes"
            remedy = f"it must fit into the VM's memory of {BYTES.format(vm.memory_bytes)}"
            yield Finding(location, message, remedy)
        elif problem := image_problem(path, vm):
            message = f"`{vm.image}` cannot be loaded: {problem}"
            yield Finding(location, message, "name a RISC-V ELF file, a Linux Image or a raw image")


def _check_fabric(scenario: Scenario) -> Iterator[Finding]:
    links = scenario.fabric.links
    if not links:
        speed = scenario.fabric.bandwidth_bits_per_second
        yield from positive(speed, ("fabric", "bandwidth"))
        return
    graph: nx.Graph[str] = nx.Graph()
    for index, link in enumerate(links):
        location = ("fabric", "links", index)
        yield from positive(link.bandwidth_bits_per_second, (*location, "bandwidth"))
        one, other = link.between
        if one == other:
            yield Finding((*location, "between"), f"the link joins `{one}` to itself")
        if graph.has_edge(one, other):
            message = f"`{one}` and `{other}` are linked already"
            yield Finding((*location, "between"), message, "keep one link, with their bandwidth")
        graph.add_edge(one, other)
    names = [host.name for host in scenario.each_host()]
    names += [vm.name for vm in scenario.each_vm() if vm.link == "own"]
    reached = nx.node_connected_component(graph, names[0]) if names[0] in graph else set()
    apart = [name for name in names if name not in reached]
    if apart:
        message = f"no path of links leads from `{names[0]}` to `{apart[-1]}`"
        yield Finding(("fabric", "links"), message, "add the links that are missing")


def _check_policies(scenario: Scenario) -> Iterator[Finding]:
    placement = scenario.placement.policy
    where = ("placement", "policy")
    yield from known("placement policy", placement, placement_names(), where)
    if scenario.consolidation is not None:
        policy = scenario.consolidation.policy
        where = ("consolidation", "policy")
        yield from known("consolidation policy", policy, consolidation_names(), where)


def _check_migrations(scenario: Scenario) -> Iterator[Finding]:
    vms = {vm.name: vm for vm in scenario.each_vm()}
    hosts = [host.name for host in scenario.each_host()]
    for index, move in enumerate(scenario.migrations):
        location = ("migrations", index)
        yield from known("VM", move.vm, list(vms), (*location, "vm"))
        disk = vms[move.vm].disk if move.vm in vms else None
        if disk is not None and disk.on == "local" and not disk.moves:
            message = f"`{move.vm}` cannot move: its disk is its host's own"
            remedy = "put the disk on shared storage, or write `moves: true` beside its size"
            yield Finding((*location, "vm"), message, remedy)
        yield from known("host", move.to, hosts, (*location, "to"))
        if move.at_ns >= scenario.duration_ns > 0:
            yield Finding((*location, "at"), "the move would begin after the run's end")


def _check_processes(scenario: Scenario) -> Iterator[Finding]:
    yield from check_processes(scenario, _reachable)


def _check_expectations(scenario: Scenario) -> Iterator[Finding]:
    vms = [*(vm.name for vm in scenario.each_vm()), *scenario.services()]
    hosts = [host.name for host in scenario.each_host()]
    for index, expectation in enumerate(scenario.expect):
        location = ("expect", index)
        try:
            metric = read_measure(expectation.metric, vms, hosts).metric
        except MeasureError as error:
            yield Finding((*location, "metric"), error.message, error.remedy)
            continue
        for key, comparison, bound in expectation.bounds():
            if metric.kind == "text" and comparison != "==":
                message = f"`{metric.name}` is a text and has no order"
                yield Finding((*location, key), message, "write `equals: ...`")
                continue
            try:
                read_bound(metric, bound)
            except UnitError as error:
                yield Finding((*location, key), error.message, error.remedy)


_CHECKS = (
    _check_times,
    _check_names,
    _check_storage,
    check_disks,
    check_host_software,
    _check_hosts,
    check_processors,
    _check_vms,
    _check_techniques,
    _check_processor_time,
    check_admission,
    _check_processes,
    check_balloons,
    _check_requests,
    _check_images,
    _check_fabric,
    check_own_links,
    _check_policies,
    check_memory_of_hosts,
    check_memory_of_vms,
    _check_migrations,
    check_faults,
    _check_expectations,
)
