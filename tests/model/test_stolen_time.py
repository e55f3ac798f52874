"""The guest's clock of stolen time is the simulator's own column."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from dcsim.hardware import HardwareProfile, IsaName, load_profile
from dcsim.host.world import CoreWorld
from dcsim.run import run_scenario
from dcsim.scenario import Scenario

HARDWARE = "sifive-u54"
SLICE_NS = 50_000_000
"""The longest of any scheduler."""
MEMORY_START = 0x8000_0000
PAGE_BYTES = 4096
HEADER_BYTES = 8 + 4 + 8
"""Of a saved VM: what it is, its version, the size of its memory."""
REGISTERS = 85
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
