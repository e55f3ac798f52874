"""The guest's clock of stolen time is the simulator's own column."""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from typing import Any

import pytest

from dcsim.hardware import HardwareProfile, IsaName, load_profile
from dcsim.host.world import CoreWorld
from dcsim.hypervisor.technique import PagingName, TechniqueName, vcpus_misfit
from dcsim.results import VmRecord
from dcsim.run import run_scenario
from dcsim.scenario import Scenario

HARDWARE = "sifive-u54"
SLICE_NS = 50_000_000
"""The longest of any scheduler."""
MEMORY_START = 0x8000_0000
PAGE_BYTES = 4096
HEADER_BYTES = 8 + 4 + 8
"""Of a saved VM: what it is, its version, the size of its memory."""
REGISTERS = 86
"""Numbers before those of the agreement between guest and monitor, of which the second is the
address of the shared page, with bit 0 set."""


def shared_page(state: bytes) -> bytes:
    """Return the page that a saved guest shares with its monitor."""
    at = HEADER_BYTES
    (length,) = struct.unpack_from("<Q", state, at)
    (shared,) = struct.unpack_from("<Q", state, at + 8 + 8 * (REGISTERS + 1))
    at += 8 + length
    (length,) = struct.unpack_from("<Q", state, at)
    at += 8 + length
    (count,) = struct.unpack_from("<Q", state, at)
    pages = at + 8
    for index in range(count):
        place = pages + index * (8 + PAGE_BYTES)
        (number,) = struct.unpack_from("<Q", state, place)
        if MEMORY_START + number * PAGE_BYTES == shared & ~1:
            return state[place + 8 : place + 8 + PAGE_BYTES]
    msg = "the shared page is empty"
    raise AssertionError(msg)


class Machine:
    """A machine world that looks at a guest which has powered itself off."""

    def __init__(self, machine: Any, told_ticks: list[int]) -> None:
        self._machine = machine
        self._told_ticks = told_ticks
        self._ended: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)

    def run(self, until_ns: int) -> Any:
        exit_ = self._machine.run(until_ns)
        if exit_.kind == "shutdown":
            self._ended = exit_.vm
        return exit_

    def unload(self, pcpu: int) -> Any:
        vm, _ = self._machine.loaded(pcpu)
        self._machine.unload(pcpu)
        if vm == self._ended:
            (ticks,) = struct.unpack_from(
                "<Q", shared_page(self._machine.save_vm(vm).to_bytes()), 8
            )
            self._told_ticks.append(ticks)


class World(CoreWorld):
    def __init__(self) -> None:
        super().__init__(1 << 30)
        self.told_ticks: list[int] = []

    def machine(self, profile: HardwareProfile, pcpus: int, memory_bytes: int) -> Any:
        return Machine(super().machine(profile, pcpus, memory_bytes), self.told_ticks)


@pytest.mark.parametrize(
    ("isa", "policy"),
    [
        ("rv64gc", "credit"),
        ("rv64gc-legacy-silent", "credit"),
        ("rv64gc", "fair"),
        ("rv64gc", "eevdf"),
        ("rv64gc", "round-robin"),
        ("rv64gc", "real-time"),
        ("rv64gc", "gang"),
    ],
)
def test_two_busy_guests_on_one_processor_are_told_what_the_column_says(
    isa: IsaName, policy: str
) -> None:
    """Each has half of the processor, so one that computes for a time is robbed of the same time.

    The column counts from the unloading of a vCPU to its loading, the guest in ticks: for each switch
    they may differ by a tick.
    """
    busy = {"technique": "paravirtual", "memory": "16 MiB", "host": "shared"}
    host = {"name": "shared", "hardware": HARDWARE, "isa": isa, "hypervisor": "type1", "pcpus": 1}
    host |= {"clock": "100 MHz", "scheduler": {"policy": policy}}
    scenario = Scenario.model_validate(
        {
            "dcsim": 1,
            "name": "overcommitted",
            "duration": "400 ms",
            "hosts": [{**host, "memory": "64 MiB", "power": "hp-ml110-g5"}],
            "vms": [
                {"name": "measured", "program": "integer iterations=300", **busy},
                {"name": "other", "program": "integer iterations=1000000", **busy},
            ],
        }
    )
    world = World()
    result = run_scenario(scenario, world=world)
    measured, other = result.vms
    assert (measured.state, other.state) == ("off", "running")
    (told_ticks,) = world.told_ticks
    tick_ns = 10**9 // load_profile(HARDWARE).machine.timebase_hz.value
    arrivals = measured.exits["vcpu_load"]
    assert arrivals > 2
    assert abs(told_ticks * tick_ns - measured.steal_ns) <= arrivals * tick_ns
    # What it has not, the other has, but for a time slice.
    assert abs(measured.steal_ns - measured.run_ns) <= SLICE_NS


class Listener:
    """A machine world that keeps what its vCPUs are told of stolen time."""

    def __init__(self, machine: Any, told_ns: dict[tuple[int, int], list[int]]) -> None:
        self._machine = machine
        self._told_ns = told_ns

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)

    def tell_stolen_time(self, vm: int, vcpu: int, nanoseconds: int) -> None:
        self._told_ns[vm, vcpu].append(nanoseconds)
        self._machine.tell_stolen_time(vm, vcpu, nanoseconds)


class ListeningWorld(CoreWorld):
    def __init__(self) -> None:
        super().__init__(1 << 30)
        self.told_ns: dict[tuple[int, int], list[int]] = defaultdict(list)

    def machine(self, profile: HardwareProfile, pcpus: int, memory_bytes: int) -> Any:
        return Listener(super().machine(profile, pcpus, memory_bytes), self.told_ns)


TIMEBASE_HZ = load_profile("vt-2008-nehalem").machine.timebase_hz.value
TECHNIQUES: list[tuple[TechniqueName, PagingName]] = [
    ("hardware-assisted", "nested"),
    ("hardware-assisted", "shadow-traced"),
    ("trap-and-emulate", "shadow-tlb"),
    ("trap-and-emulate", "shadow-traced"),
    ("four-rings", "shadow-tlb"),
    ("binary-translation", "shadow-tlb"),
]
SEVERAL = [each for each in TECHNIQUES if vcpus_misfit(*each, 3) is None]


def robbed(
    technique: str, paging: str, pcpus: int, **measured: Any
) -> tuple[ListeningWorld, VmRecord]:
    """Run a guest that tells what it knows of stolen time beside one that never rests."""
    guest = {"host": "h", "memory": "16 MiB", "technique": technique, "paging": paging}
    host = {"name": "h", "hardware": "vt-2008-nehalem", "hypervisor": "type1", "pcpus": pcpus}
    host |= {"memory": "64 MiB", "power": "hp-ml110-g5"}
    host |= {"clock": "200 MHz", "scheduler": {"policy": "round-robin", "slice": "4 ms"}}
    kernel = "kernel.hart_statistics=1 kernel.locks=paravirtual"
    vms = [
        {"name": "measured", "kernel": kernel, **guest, **measured},
        {"name": "other", "program": "integer iterations=1000000", **guest},
    ]
    scenario = {"dcsim": 1, "name": "robbed", "duration": "200 ms", "hosts": [host], "vms": vms}
    world = ListeningWorld()
    vm = run_scenario(Scenario.model_validate(scenario), world=world).vms[0]
    assert vm.state == "off"
    return world, vm


def found_ticks(vm: VmRecord) -> list[int]:
    """Return what the guest's kernel told at its end, hart by hart."""
    return [int(each) for each in re.findall(r"hart-\d+ .*stolen=(\d+)", vm.console.decode())]


@pytest.mark.parametrize(("technique", "paging"), TECHNIQUES)
def test_a_guest_finds_the_column_in_its_record(technique: str, paging: str) -> None:
    """It has its record long before its first turn ends, so all of the column is in it."""
    world, vm = robbed(technique, paging, 1, program="integer iterations=100")
    (ticks,) = found_ticks(vm)
    assert vm.exits["vcpu_load"] > 3
    assert vm.steal_ns > 2 * 4_000_000
    assert ticks == vm.steal_ns * TIMEBASE_HZ // 10**9
    assert sum(world.told_ns[0, 0]) == vm.steal_ns


@pytest.mark.parametrize(("technique", "paging"), SEVERAL)
def test_each_hart_has_a_record_of_its_own(technique: str, paging: str) -> None:
    """A hart's record begins when the hart does, and is read before the VM is over.

    So what it says is what its vCPU was told, but for the first few and the last time.
    """
    program = "parallel workers=3 rounds=12 work=2000 pages=1"
    world, vm = robbed(technique, paging, 2, program=program, vcpus=3)
    found = found_ticks(vm)
    assert len(found) == 3
    for vcpu, ticks in enumerate(found):
        told_ns = world.told_ns[0, vcpu]
        assert len(told_ns) > 4
        begins, ends = range(3), (len(told_ns), len(told_ns) - 1)
        sums_ns = [sum(told_ns[begin:end]) for begin in begins for end in ends]
        assert ticks in [each * TIMEBASE_HZ // 10**9 for each in sums_ns]
    assert sum(sum(world.told_ns[0, vcpu]) for vcpu in range(3)) <= vm.steal_ns
