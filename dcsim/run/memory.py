"""Memory overcommitment from a scenario to the model, and from the model to records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor.memory.constants import DEFAULT_SOURCES, memory_constants
from dcsim.hypervisor.memory.settings import MemoryClaim, MemorySettings, SharingSettings
from dcsim.results import Constant, HostMemory, HostMemorySample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dcsim.hypervisor.memory.manager import MemoryManager
    from dcsim.hypervisor.memory.record import HostSample
    from dcsim.scenario.hosts import Host
    from dcsim.scenario.memory import Overcommit
    from dcsim.scenario.vms import Vm

__all__ = ["host_memory", "memory_claim", "memory_ledger", "memory_settings"]

_PAGE_BYTES = 4096


# From the scenario.


def memory_settings(overcommit: Overcommit) -> MemorySettings:
    """Return how a host overcommits, as its hypervisor knows it."""
    sharing = overcommit.sharing
    return MemorySettings(
        states=overcommit.states,
        interval_ns=overcommit.interval_ns,
        sharing=None if sharing is None else SharingSettings(**dict(sharing)),
    )


def memory_claim(vm: Vm) -> MemoryClaim:
    """Return what a VM may ask of its host's memory."""
    return MemoryClaim(
        reservation_bytes=vm.memory_reservation_bytes,
    )


# The ledger.


def memory_ledger(hosts: Iterable[Host]) -> Iterator[Constant]:
    """Yield the constants of the hosts that overcommit."""
    every = [(host.name, host.overcommit) for host in hosts if host.overcommit is not None]
    known: dict[str, Constant] = {}
    for _, overcommit in every:
        for entry in memory_constants(memory_settings(overcommit)):
            known[entry.name] = Constant(
                name=entry.name,
                value=entry.value,
                unit=entry.unit,
                kind=entry.kind,
                source=entry.source,
            )
    yield from known.values()
    for name, overcommit in every:
        yield from _of_host(f"scenario.host.{name}.overcommit", overcommit)


def _of_host(prefix: str, overcommit: Overcommit) -> Iterator[Constant]:
    """Yield what a scenario can set: as the scenario's, or where the default comes from."""
    for key, value, unit, is_given in _settable(overcommit):
        yield Constant(
            name=f"{prefix}.{key}",
            value=value,
            unit=unit,
            kind="scenario" if is_given or key not in DEFAULT_SOURCES else "published",
            source="scenario file" if is_given else DEFAULT_SOURCES.get(key, "the default"),
        )


def _settable(overcommit: Overcommit) -> Iterator[tuple[str, int, str, bool]]:
    given = overcommit.model_fields_set
    yield "interval", overcommit.interval_ns, "ns", "interval_ns" in given
    sharing = overcommit.sharing
    if sharing is None:
        return
    set_there = sharing.model_fields_set
    if sharing.scanner == "ksm":
        yield "sharing.pages", sharing.pages, "pages", "pages" in set_there
        yield "sharing.sleep", sharing.sleep_ns, "ns", "sleep_ns" in set_there
        return
    rates = (("pages_per_vm", sharing.pages_per_vm), ("pages_per_host", sharing.pages_per_host))
    for key, value in rates:
        yield f"sharing.{key}", value, "pages/s", key in set_there


# To records.


def host_memory(manager: MemoryManager | None) -> HostMemory | None:
    """Return what became of a host's memory."""
    if manager is None:
        return None
    manager.note()
    return HostMemory(
        samples=tuple(_host_sample(sample) for sample in manager.samples),
        counts=manager.counted(),
    )


def _host_sample(sample: HostSample) -> HostMemorySample:
    return HostMemorySample(
        time_ns=sample.time_ns,
        state=sample.state,
        free_bytes=sample.free * _PAGE_BYTES,
        resident_bytes=sample.resident * _PAGE_BYTES,
        shared_bytes=sample.shared * _PAGE_BYTES,
        reclaimed_bytes=sample.reclaimed * _PAGE_BYTES,
        zero_bytes=sample.zero * _PAGE_BYTES,
    )
