"""Memory overcommitment from a scenario to the model, and from the model to records."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from dcsim.hypervisor.memory.constants import DEFAULT_SOURCES, memory_constants
from dcsim.hypervisor.memory.settings import MemoryClaim, MemorySettings, SharingSettings
from dcsim.results import Constant, HostMemory, HostMemorySample, VmMemorySample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dcsim.hypervisor.memory.manager import MemoryManager
    from dcsim.hypervisor.memory.record import HostSample, VmSample
    from dcsim.scenario.hosts import Host
    from dcsim.scenario.memory import Overcommit
    from dcsim.scenario.vms import Vm

__all__ = ["host_memory", "memory_claim", "memory_ledger", "memory_settings", "vm_memory"]

_PAGE_BYTES = 4096


# From the scenario.


def memory_settings(overcommit: Overcommit) -> MemorySettings:
    """Return how a host overcommits, as its hypervisor knows it."""
    sharing = overcommit.sharing
    return MemorySettings(
        states=overcommit.states,
        tax=Fraction(str(overcommit.tax)),
        interval_ns=overcommit.interval_ns,
        sample_pages=overcommit.sample_pages,
        sample_period_ns=overcommit.sample_period_ns,
        swap_bytes=overcommit.swap_bytes,
        compressed_bytes=overcommit.compressed_bytes,
        sharing=None if sharing is None else SharingSettings(**dict(sharing)),
    )


def memory_claim(vm: Vm) -> MemoryClaim:
    """Return what a VM may ask of its host's memory."""
    return MemoryClaim(
        shares=vm.memory_shares,
        reservation_bytes=vm.memory_reservation_bytes,
        limit_bytes=vm.memory_limit_bytes,
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
    per_mille = int(Fraction(str(overcommit.tax)) * 1000)
    yield "tax", per_mille, "1/1000", "tax" in given
    yield "interval", overcommit.interval_ns, "ns", "interval_ns" in given
    yield "sample_pages", overcommit.sample_pages, "pages", "sample_pages" in given
    yield "sample_period", overcommit.sample_period_ns, "ns", "sample_period_ns" in given
    yield "swap", overcommit.swap_bytes, "bytes", True
    yield "compressed", overcommit.compressed_bytes, "bytes", True
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
    identical, duplicate = manager.identical()
    return HostMemory(
        samples=tuple(_host_sample(sample) for sample in manager.samples),
        counts=manager.counted(),
        identical_bytes=identical * _PAGE_BYTES,
        duplicate_bytes=duplicate * _PAGE_BYTES,
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
        swapped_bytes=sample.swapped * _PAGE_BYTES,
        ballooned_bytes=sample.ballooned * _PAGE_BYTES,
        compressed_bytes=sample.compressed * _PAGE_BYTES,
    )


def vm_memory(samples: Iterable[VmSample]) -> tuple[VmMemorySample, ...]:
    """Return what became of a VM's memory."""
    return tuple(
        VmMemorySample(
            time_ns=sample.time_ns,
            resident_bytes=sample.resident * _PAGE_BYTES,
            target_bytes=sample.target * _PAGE_BYTES,
            active_share=float(sample.active),
            sampled_share=None if sample.sampled is None else float(sample.sampled),
            accessed_share=None if sample.accessed is None else float(sample.accessed),
            swapped_bytes=sample.swapped * _PAGE_BYTES,
            ballooned_bytes=sample.ballooned * _PAGE_BYTES,
        )
        for sample in samples
    )
