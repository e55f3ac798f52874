"""Lists every constant on which a run rests: what came with dcsim and what the scenario set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.datacentre import NUMBER_BYTES
from dcsim.hardware import LedgerEntry, load_disk_profile, load_power_curve, load_profile
from dcsim.host.constants import constants as constants_of_hosts
from dcsim.hypervisor import TYPE1, TYPE2, constants
from dcsim.results import Constant
from dcsim.run.sampler import DIRTY_INTERVAL_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.scenario import Scenario

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
    yield from (_constant(entry) for entry in constants_of_hosts())
    yield from (_constant(entry) for entry in _of_every_run())
    yield from _of_the_scenario(scenario)


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
    counts: dict[tuple[str, str], int] = {}
    for path, (primitive, count) in _PATHS[kind].declared():
        counts[path, primitive] = counts.get((path, primitive), 0) + count
    for (path, primitive), count in counts.items():
        yield Constant(
            name=f"path.{kind}.{path}.{primitive}",
            value=count,
            unit="",
            kind="assumption",
            source=_PATH_SOURCE,
        )


def _of_the_scenario(scenario: Scenario) -> Iterator[Constant]:
    def given(name: str, value: int, unit: str) -> Constant:
        return Constant(name=name, value=value, unit=unit, kind="scenario", source="scenario file")

    for host in scenario.each_host():
        if host.exit_cycles is not None:
            yield given(f"scenario.host.{host.name}.exit_cycles", host.exit_cycles, "cycles")
        name = f"scenario.host.{host.name}.disk"
        if host.disk.profile is None:
            yield given(f"{name}.latency", host.disk.latency_ns, "ns")
            yield given(f"{name}.bandwidth", host.disk.bandwidth_bits_per_second, "bit/s")
        yield given(f"{name}.capacity", host.disk.holds_bytes, "bytes")
    for storage in scenario.storage.shared:
        name = f"scenario.storage.{storage.name}"
        yield given(f"{name}.latency", storage.latency_ns, "ns")
        yield given(f"{name}.bandwidth", storage.bandwidth_bits_per_second, "bit/s")
    if scenario.fabric.links:
        for link in scenario.fabric.links:
            name = f"scenario.link.{link.between[0]}.{link.between[1]}"
            yield given(f"{name}.latency", link.latency_ns, "ns")
            yield given(f"{name}.bandwidth", link.bandwidth_bits_per_second, "bit/s")
    else:
        yield given("scenario.switch.latency", scenario.fabric.switch_latency_ns, "ns")
        bandwidth = scenario.fabric.bandwidth_bits_per_second
        yield given("scenario.switch.bandwidth", bandwidth, "bit/s")
