"""Lists every constant on which a run rests: what came with dcsim and what the scenario set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.datacentre import NUMBER_BYTES
from dcsim.hardware import LedgerEntry, load_disk_profile, load_power_curve, load_profile
from dcsim.host.constants import constants as constants_of_hosts
from dcsim.hypervisor import RING, SWAP, TYPE1, TYPE2, constants, scheduler_kind
from dcsim.results import Constant
from dcsim.run.memory import memory_ledger
from dcsim.run.sampler import DIRTY_INTERVAL_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dcsim.scenario import Host, Scenario

__all__ = ["ledger"]

_PATHS = {"type1": TYPE1, "type2": TYPE2}
_PATH_SOURCE = "the steps that such software has to take; see dcsim.hypervisor.paths"


def ledger(scenario: Scenario) -> Iterator[Constant]:
    """Yield the constants of a scenario's machines and their software, once each."""
    hosts = list(scenario.each_host())
    for name in dict.fromkeys(host.hardware for host in hosts):
        yield from (_constant(entry) for entry in load_profile(name).ledger())
    for name in dict.fromkeys(host.power for host in hosts):
        yield from (_constant(entry) for entry in load_power_curve(name).ledger())
    for name in dict.fromkeys(host.disk.profile for host in hosts if host.disk.profile):
        yield from (_constant(entry) for entry in load_disk_profile(name).ledger())
    kinds = list(dict.fromkeys(host.hypervisor for host in hosts))
    for kind in kinds:
        yield from _paths(kind)
        yield from (_constant(entry) for entry in constants(kind))
    yield from _schedulers(hosts)
    if any(True for _ in scenario.services()):
        yield from _declared("driver-domain", RING.declared())
    yield from (_constant(entry) for entry in constants_of_hosts())
    yield from (_constant(entry) for entry in _of_every_run())
    yield from memory_ledger(hosts)
    if any(host.overcommit is not None for host in hosts):
        yield from _declared("swap", SWAP.declared())
    yield from _of_the_scenario(scenario)


def _schedulers(hosts: Sequence[Host]) -> Iterator[Constant]:
    """Yield the figures of the schedulers in use that no scenario gives, once each."""
    named = set()
    for host in hosts:
        given = {} if host.scheduler is None else host.scheduler.given
        for entry in scheduler_kind(host.scheduler_name).constants(given):
            if entry.name not in named:
                named.add(entry.name)
                yield _constant(entry)


def _of_every_run() -> Iterator[LedgerEntry]:
    yield LedgerEntry(
        "migration.block_number",
        NUMBER_BYTES,
        "bytes",
        "assumption",
        "what a block of a disk takes on a link beside its content",
    )
    yield LedgerEntry(
        "sampling.dirty_interval",
        DIRTY_INTERVAL_NS,
        "ns",
        "assumption",
        "how often the pages that each VM wrote are counted; a page counts once each time",
    )


def _constant(entry: LedgerEntry) -> Constant:
    return Constant(
        name=entry.name,
        value=entry.value,
        unit=entry.unit,
        kind=entry.kind,
        source=entry.source,
    )


def _paths(kind: str) -> Iterator[Constant]:
    """Yield the fixed steps of a hypervisor's paths, the same primitive of a path added up."""
    yield from _declared(kind, _PATHS[kind].declared())


def _declared(kind: str, steps: Iterable[tuple[str, tuple[str, int]]]) -> Iterator[Constant]:
    counts: dict[tuple[str, str], int] = {}
    for path, (primitive, count) in steps:
        counts[path, primitive] = counts.get((path, primitive), 0) + count
    for (path, primitive), count in counts.items():
        yield Constant(
            name=f"path.{kind}.{path}.{primitive}",
            value=count,
            unit="",
            kind="assumption",
            source=_PATH_SOURCE,
        )


def _given(name: str, value: int | str, unit: str) -> Constant:
    """Return an entry for what the scenario says."""
    return Constant(name=name, value=value, unit=unit, kind="scenario", source="scenario file")


def _of_processors(host: Host) -> Iterator[Constant]:
    """Yield what the scenario says of a host's processors."""
    name = f"scenario.host.{host.name}"
    if host.clock_hz is not None:
        yield _given(f"{name}.clock", host.clock_hz, "Hz")
    if host.data_cache is not None:
        cache = host.data_cache
        yield _given(f"{name}.data_cache.size", cache.size_bytes, "bytes")
        yield _given(f"{name}.data_cache.line", cache.line_bytes, "bytes")
        yield _given(f"{name}.data_cache.ways", cache.ways, "")
        yield _given(f"{name}.data_cache.miss_cycles", cache.miss_cycles, "cycles")
    if host.numa is not None:
        yield _given(f"{name}.numa.nodes", host.numa.nodes, "")
        yield _given(f"{name}.numa.remote_cycles", host.numa.remote_cycles, "cycles")
        yield _given(f"{name}.numa.memory", host.numa.memory, "")
    if host.scheduler is not None:
        yield _given(f"{name}.scheduler", host.scheduler.policy, "")
        for key, value in host.scheduler.given.items():
            is_time = type(value) is int
            shown = value if type(value) is int else str(value).lower()
            yield _given(f"{name}.scheduler.{key}", shown, "ns" if is_time else "")


def _of_the_scenario(scenario: Scenario) -> Iterator[Constant]:
    for host in scenario.each_host():
        if host.exit_cycles is not None:
            yield _given(f"scenario.host.{host.name}.exit_cycles", host.exit_cycles, "cycles")
        yield from _of_processors(host)
        name = f"scenario.host.{host.name}.disk"
        if host.disk.profile is None:
            yield _given(f"{name}.latency", host.disk.latency_ns, "ns")
            yield _given(f"{name}.bandwidth", host.disk.bandwidth_bits_per_second, "bit/s")
        yield _given(f"{name}.capacity", host.disk.holds_bytes, "bytes")
    for storage in scenario.storage.shared:
        name = f"scenario.storage.{storage.name}"
        yield _given(f"{name}.latency", storage.latency_ns, "ns")
        yield _given(f"{name}.bandwidth", storage.bandwidth_bits_per_second, "bit/s")
    if scenario.fabric.links:
        for link in scenario.fabric.links:
            name = f"scenario.link.{link.between[0]}.{link.between[1]}"
            yield _given(f"{name}.latency", link.latency_ns, "ns")
            yield _given(f"{name}.bandwidth", link.bandwidth_bits_per_second, "bit/s")
    else:
        yield _given("scenario.switch.latency", scenario.fabric.switch_latency_ns, "ns")
        bandwidth = scenario.fabric.bandwidth_bits_per_second
        yield _given("scenario.switch.bandwidth", bandwidth, "bit/s")
