"""The page-sharing scanner on a host of doubles: how much it looks at, and where it works."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from dcsim.errors import PlacementError
from dcsim.hypervisor import Type1
from dcsim.hypervisor.memory.settings import MemoryClaim, MemorySettings, SharingSettings
from dcsim.sim import Streams

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND_NS = 10**9
COMPUTE = [("run", 10**12)]
PAGES = 256


@dataclass
class Report:
    """What a scan found."""

    scanned: int
    shared: int
    zero: int
    next_page: int


@pytest.fixture
def scanned_machine(double_machine: type) -> type:
    """Return the class of doubles whose VMs have 256 pages, all of them to be looked at."""

    class ScannedMachine(double_machine):
        def __init__(self, pcpus: int, scripts: Any) -> None:
            super().__init__(pcpus, scripts)
            self.scans: Counter[int] = Counter()
            self.passes = 0

        def let_pass(self, pcpu: int, at_ns: int) -> int:
            self.pcpus[pcpu].local_ns = max(self.pcpus[pcpu].local_ns, at_ns)
            return 0

        def counters(self, vm: int) -> dict[str, Any]:
            return {**super().counters(vm), "pages_shared": 0}

        def set_frame_watermark(self, frames: int) -> None:
            assert frames > 0

        def set_frame_reserve(self, frames: int) -> None:
            assert frames > 0

        def resident_pages(self, vm: int) -> int:
            return 0

        def swapped_pages(self, vm: int) -> int:
            return 0

        def clear_accessed(self, vm: int) -> None:
            assert vm in self.vms

        def sample_pages(self, vm: int, chosen: list[int], pcpu: int) -> None:
            assert not chosen

        def compression(self) -> dict[str, int]:
            return {"pages": 0, "frames": 0, "bytes": 0}

        def sharing(self) -> dict[str, int]:
            return dict.fromkeys(("pages", "reclaimed", "zero_pages"), 0)

        def scan_pages(self, pcpu: int, vm: int, first: int, count: int, mode: str) -> Report:
            last = min(PAGES, first + count)
            self.pcpus[pcpu].local_ns += 1000 * (last - first)
            self.scans[vm] += last - first
            return Report(last - first, 0, 0, last if last < PAGES else 0)

        def end_scan_pass(self) -> None:
            self.passes += 1

    return ScannedMachine


@pytest.fixture
def run(
    make_rig: Callable[..., Any], make_vm: Callable[..., Any], scanned_machine: type
) -> Callable[..., Any]:
    """Return a function that runs VMs which compute on a host that overcommits."""

    def run_all(
        count: int,
        sharing: SharingSettings | None = None,
        *,
        pcpus: int = 1,
        duration_ns: int = SECOND_NS + 1,
        **config: Any,
    ) -> Any:
        rig = make_rig(
            [list(COMPUTE) for _ in range(count)], pcpus=pcpus, machine_class=scanned_machine
        )
        hypervisor = Type1(rig.host)
        hypervisor.overcommit(MemorySettings(sharing=sharing), Streams(1))
        rig.hypervisor = hypervisor
        rig.vms = [make_vm(rig, index, **config) for index in range(count)]
        for vm in rig.vms:
            hypervisor.expect(vm)
            hypervisor.create(vm)
        rig.environment.run(until=duration_ns)
        return rig

    return run_all


@pytest.mark.parametrize(("vms", "each"), [(1, 50), (4, 50), (10, 20)])
def test_a_random_scanner_keeps_the_published_rates(run, vms: int, each: int) -> None:
    rig = run(vms, SharingSettings())

    assert list(rig.machine.scans.values()) == [each] * vms
    assert rig.hypervisor.memory.counted()["pages_scanned"] == each * vms


def test_a_ksm_scanner_goes_through_all_vms(run) -> None:
    """50 batches of 100 pages; a pass over three VMs of 256 pages is 768."""
    rig = run(3, SharingSettings(scanner="ksm"))

    assert sum(rig.machine.scans.values()) == 5000
    assert rig.machine.passes == 5000 // 768
    assert max(rig.machine.scans.values()) - min(rig.machine.scans.values()) <= PAGES


def test_vms_whose_pages_cannot_be_taken_are_left_alone(run) -> None:
    rig = run(1, SharingSettings(scanner="ksm"), technique="paravirtual")

    assert not rig.machine.scans


def test_idle_processors_do_the_hosts_work(run) -> None:
    """24 batches in half a second, each 100 pages of 1 us."""
    sharing = SharingSettings(scanner="ksm")
    busy = run(1, sharing, pcpus=1, duration_ns=SECOND_NS // 2)
    idle = run(1, sharing, pcpus=2, duration_ns=SECOND_NS // 2)

    took_ns = 24 * 100 * 1000
    assert idle.machine.vms[1].ran_ns - busy.machine.vms[1].ran_ns == took_ns
    assert idle.hypervisor.memory.counted()["scanner_ns"] == took_ns
    assert idle.host.busy_ns() == SECOND_NS // 2 + took_ns
    assert busy.host.busy_ns() == SECOND_NS // 2


def test_a_vm_is_promised_its_reservation(run) -> None:
    size = 1 << 29
    claim = MemoryClaim(reservation_bytes=size // 2)
    rig = run(1, memory_bytes=size, memory_claim=claim)
    footprint = rig.hypervisor.footprint_bytes(rig.vms[0])

    assert size // 2 < footprint < size
    assert rig.host.free_bytes == (1 << 30) - footprint


def test_a_vm_whose_pages_cannot_be_taken_is_promised_all(run) -> None:
    size = 1 << 29
    rig = run(1, memory_bytes=size, technique="paravirtual")

    assert rig.hypervisor.footprint_bytes(rig.vms[0]) > size


def test_reservations_cannot_exceed_the_host(run) -> None:
    claim = MemoryClaim(reservation_bytes=600 << 20)
    with pytest.raises(PlacementError):
        run(2, memory_bytes=1 << 30, memory_claim=claim)
