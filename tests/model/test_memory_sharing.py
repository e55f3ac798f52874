"""Page sharing with guests that execute: what is found, and how long it takes to find it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import pytest

from dcsim.guest import kernel_image
from dcsim.hardware import load_power_curve, load_profile
from dcsim.host import Host, HostConfig
from dcsim.host.world import CoreWorld
from dcsim.hypervisor import Type1, VirtualMachine, VmConfig
from dcsim.hypervisor.memory.places import Places
from dcsim.hypervisor.memory.scanner import Scanner
from dcsim.hypervisor.memory.settings import SCAN_INTERVAL_NS, MemorySettings, SharingSettings
from dcsim.sim import Environment, Streams

MS = 10**6
SECOND_NS = 10**9
MIB = 1 << 20
# It fills a table and then sleeps for ever: from then on no page changes.
STILL = "suite run=chase:size=524288:steps=10,idle:period=1000000"
STILL_NS = 100 * MS


@dataclass
class Rig:
    """A host with idle guests."""

    environment: Environment
    host: Host
    hypervisor: Type1
    machine: Any

    def scan(self, settings: SharingSettings) -> Scanner:
        """Begin to scan now."""
        places = Places(self.host.conductor)
        return Scanner(self.host, places, settings, self.hypervisor.vms, Streams(1))

    def own_pages(self) -> list[int]:
        """Return how many frames each VM has for itself."""
        numbers = self.hypervisor.vms
        return [self.machine.counters(number)["pages_touched"] for number in numbers]


@pytest.fixture
def still() -> Rig:
    """Return a host with three guests that are all alike and do nothing any more."""
    environment = Environment()
    profile = load_profile("sifive-u54")
    machine = CoreWorld(256 * MIB).machine(profile, 1, 64 * MIB)
    config = HostConfig(
        name="host",
        profile=profile,
        curve=load_power_curve("hp-ml110-g5"),
        pcpus=1,
        memory_bytes=64 * MIB,
        disk_latency_ns=80_000,
        disk_bits_per_second=4_000_000_000,
    )
    host = Host(environment, config, machine)
    hypervisor = Type1(host)
    hypervisor.overcommit(MemorySettings(interval_ns=10 * SECOND_NS), Streams(1))
    for index in range(3):
        vm_config = VmConfig(
            name=f"vm-{index}", program=STILL, kernel=kernel_image(), memory_bytes=8 * MIB
        )
        vm = VirtualMachine(environment, vm_config, index)
        hypervisor.expect(vm)
        hypervisor.create(vm)
    environment.run(until=STILL_NS)
    return Rig(environment, host, hypervisor, machine)


def run_until_shared(rig: Rig, pages: int, step_ns: int) -> int:
    """Run until so many pages are shared; return how long it took, in steps rounded up."""
    begin_ns = rig.environment.now
    while rig.machine.sharing()["pages"] < pages:
        assert rig.environment.now < begin_ns + 60 * SECOND_NS
        rig.environment.run(until=rig.environment.now + step_ns)
    return rig.environment.now - begin_ns


@pytest.mark.parametrize("rate", [50, 200])
def test_a_random_scan_takes_one_pass(still: Rig, rate: int) -> None:
    """Every page is looked at once, and the second of two equal ones finds the first."""
    identical, _ = still.machine.count_identical_frames()
    pages = max(still.own_pages())
    still.scan(SharingSettings(pages_per_vm=rate, pages_per_host=10**9))

    took_ns = run_until_shared(still, identical, 10 * MS)

    looks = ceil(pages * SECOND_NS / rate / SCAN_INTERVAL_NS)
    assert took_ns == pytest.approx(looks * SCAN_INTERVAL_NS, rel=0.02)


@pytest.mark.parametrize(("batch", "sleep_ms"), [(10, 2), (25, 10)])
def test_ksm_takes_two_passes(still: Rig, batch: int, sleep_ms: int) -> None:
    """The first takes checksums; a page is a candidate when the second finds the same."""
    identical, _ = still.machine.count_identical_frames()
    pages = sum(still.own_pages())
    settings = SharingSettings(scanner="ksm", pages=batch, sleep_ns=sleep_ms * MS)
    still.scan(settings)

    took_ns = run_until_shared(still, identical, MS)

    assert took_ns == pytest.approx(ceil(2 * pages / batch) * sleep_ms * MS, rel=0.02)


@pytest.mark.parametrize("scanner", ["random", "ksm"])
def test_what_is_shared_is_what_is_identical(still: Rig, scanner: Any) -> None:
    """Counted from the bytes of all pages, before and after."""
    pages, contents = still.machine.count_identical_frames()
    free = still.machine.free_frames
    settings = SharingSettings(
        scanner=scanner, pages_per_vm=100_000, pages_per_host=10**9, pages=2000, sleep_ns=MS
    )
    scanner = still.scan(settings)
    still.environment.run(until=still.environment.now + 200 * MS)
    sharing = still.machine.sharing()

    assert still.machine.count_identical_frames() == (pages, contents)
    assert sharing["pages"] == pages
    assert sharing["frames"] == contents
    assert still.machine.free_frames - free == sharing["reclaimed"] == pages - contents
    assert scanner.counts["shared"] == pages - contents
