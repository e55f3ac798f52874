"""What a scenario must hold about processors: schedulers, pins, reservations, caches, nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor import Reservation, demand, scheduler_kind, scheduler_names
from dcsim.scenario.finding import Finding, known
from dcsim.units import DURATION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from dcsim.scenario.hosts import Host
    from dcsim.scenario.processors import DataCache, VmReservation
    from dcsim.scenario.scenario import Scenario
    from dcsim.scenario.vms import Vm

__all__ = ["check_admission", "check_harts", "check_pins", "check_processors", "check_shares"]

LEAST_TURN_NS = 10_000
"""Shorter ones would have a host do nothing but switch, and a run never end."""
_MAY_BE_ZERO = ("rate_limit", "wakeup_granularity")

Location = tuple[int | str, ...]


def check_processors(scenario: Scenario) -> Iterator[Finding]:
    """Check the scheduler, the data cache and the nodes of each host."""
    for index, host in enumerate(scenario.hosts):
        location = ("hosts", index)
        if host.scheduler is not None:
            yield from _check_scheduler(host, (*location, "scheduler"))
        if host.data_cache is not None:
            yield from _check_cache(host.data_cache, (*location, "data_cache"))
        if host.clock_hz is not None and not 10**6 <= host.clock_hz <= 10**11:
            message = "a clock is from 1 MHz to 100 GHz"
            yield Finding((*location, "clock"), message, "write one such as `10 MHz`")
        if host.numa is not None:
            yield from _check_nodes(host, (*location, "numa"))


def _check_scheduler(host: Host, location: Location) -> Iterator[Finding]:
    scheduler = host.scheduler
    if scheduler is None:
        return
    yield from known("scheduler", scheduler.policy, scheduler_names(), (*location, "policy"))
    if scheduler.policy not in scheduler_names():
        return
    kind = scheduler_kind(scheduler.policy)
    for name, value in scheduler.given.items():
        if name not in kind.keys:
            names = ", ".join(f"`{each}`" for each in kind.keys)
            message = f"the scheduler `{kind.name}` has no `{name}`"
            yield Finding((*location, name), message, f"it has {names}")
        elif type(value) is int and value < LEAST_TURN_NS and name not in _MAY_BE_ZERO:
            message = f"`{name}` must be at least {DURATION.format(LEAST_TURN_NS)}"
            yield Finding((*location, name), message, "nothing would run between two switches")


def _check_cache(cache: DataCache, location: Location) -> Iterator[Finding]:
    line = cache.line_bytes
    if line & (line - 1) or not 8 <= line <= 4096:
        message = "a line has a power of two of bytes, from 8 B to 4 KiB"
        yield Finding((*location, "line"), message, "write `64 B`")
        return
    sets, rest = divmod(cache.size_bytes, line * cache.ways)
    if rest or sets == 0 or sets & (sets - 1) or cache.size_bytes > 2**30:
        message = f"{cache.ways} ways of {line} B do not make a power of two of sets of it"
        remedy = "write a size such as `32 KiB`, at most 1 GiB, with `ways: 8`"
        yield Finding((*location, "size"), message, remedy)


def _check_nodes(host: Host, location: Location) -> Iterator[Finding]:
    if host.numa is None:
        return
    if host.data_cache is None:
        message = "nodes without a data cache: its misses are what another node slows down"
        remedy = "add `data_cache: {size: 32 KiB, miss_cycles: 100}` to the host"
        yield Finding(location, message, remedy)
    if host.numa.nodes > host.pcpus:
        message = f"{host.numa.nodes} nodes share {host.pcpus} pCPUs"
        yield Finding((*location, "nodes"), message, "give each node a pCPU at least")


def check_pins(group: Vm, index: int, hosts: list[Host]) -> Iterator[Finding]:
    """Hold a VM's pins to the processors of every host on which it may come to be."""
    for host in hosts:
        for place, processor in enumerate(group.pin or ()):
            if processor >= host.pcpus:
                message = f"host `{host.name}` has no pCPU {processor}"
                remedy = f"its pCPUs are 0 to {host.pcpus - 1}; write `host:` if it stays elsewhere"
                yield Finding(("vms", index, "pin", place), message, remedy)
                return


def check_shares(group: Vm, index: int, hosts: list[Host]) -> Iterator[Finding]:
    """Hold a VM's weight, cap and reservation to the schedulers of the hosts where it may be."""
    asked = {
        "weight": "weight" in group.model_fields_set,
        "cap": group.cap > 0,
        "reservation": group.reservation is not None,
    }
    for host in hosts:
        if host.scheduler_name not in scheduler_names():
            continue
        kind = scheduler_kind(host.scheduler_name)
        has = {
            "weight": kind.has_weights,
            "cap": kind.has_caps,
            "reservation": kind.has_reservations,
        }
        for key, wanted in asked.items():
            if wanted and not has[key]:
                message = f"the scheduler `{kind.name}` of host `{host.name}` knows no {key}s"
                remedy = f"leave `{key}` out, or choose {_those_with(key)}"
                yield Finding(("vms", index, key), message, remedy)
                asked[key] = False
    if group.reservation is not None:
        yield from _check_reservation(group.reservation, ("vms", index, "reservation"))


def _those_with(key: str) -> str:
    """Return the schedulers that know weights, caps or reservations, in words."""
    kinds = [scheduler_kind(name) for name in scheduler_names()]
    having = {
        "weight": [kind.name for kind in kinds if kind.has_weights],
        "cap": [kind.name for kind in kinds if kind.has_caps],
        "reservation": [kind.name for kind in kinds if kind.has_reservations],
    }
    return " or ".join(f"`{name}`" for name in having[key])


def _check_reservation(reservation: VmReservation, location: Location) -> Iterator[Finding]:
    if reservation.budget_ns < LEAST_TURN_NS:
        message = f"`budget` must be at least {DURATION.format(LEAST_TURN_NS)}"
        yield Finding((*location, "budget"), message, "nothing would run between two switches")
    elif reservation.budget_ns > reservation.period_ns:
        message = "no processor has more time in a period than the period"
        yield Finding((*location, "budget"), message, "write at most the `period`")


def check_harts(
    scenario: Scenario, group: Vm, reachable: Collection[str], location: Location
) -> Iterator[Finding]:
    """Hold a guest that owns its machine to the processors of hosts on which it may come to be."""
    if group.technique != "bare-metal":
        return
    for host in scenario.each_host():
        if host.name in reachable and host.pcpus < group.vcpus:
            message = (
                f"on `bare-metal` each of the {group.vcpus} harts is a processor, and host"
                f" `{host.name}` has {host.pcpus}"
            )
            yield Finding(location, message, f"write `vcpus: {host.pcpus}`, or choose another host")
            return


def check_admission(scenario: Scenario) -> Iterator[Finding]:
    """Hold the reservations of the VMs that start on a host to its processors."""
    processors = {host.name: host.pcpus for host in scenario.each_host()}
    promised: dict[str, list[Reservation]] = {}
    for index, group in enumerate(scenario.vms):
        wanted = group.reservation
        if wanted is None or group.host is None or wanted.budget_ns > wanted.period_ns:
            continue
        each = Reservation(budget_ns=wanted.budget_ns, period_ns=wanted.period_ns)
        held = promised.setdefault(group.host, [])
        held += [each] * (group.count or 1)
        if group.host in processors and demand(held) > processors[group.host]:
            message = (
                f"the reservations on host `{group.host}` take {float(demand(held)):.2f} pCPUs,"
                f" and it has {processors[group.host]}"
            )
            remedy = "make budgets smaller or periods longer"
            yield Finding(("vms", index, "reservation"), message, remedy)
            return
