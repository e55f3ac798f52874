"""Thousands of VMs come and go on a host, and nothing of them stays: no frame, no byte, no block.

DCSIM_TEST_LIFETIMES=10000 plays as many as are claimed; the default is enough to see a leak.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dcsim.host.world import CoreWorld
from dcsim.run.build import Model, build
from dcsim.run.invariants import check_model
from dcsim.scenario import read_scenario

LIFETIMES = int(os.environ.get("DCSIM_TEST_LIFETIMES", "120"))
PROGRAMS = {
    # As much as ends in each way: powered off, panicked, given up by a watchdog, disk and all.
    "off": ("syscalls n=1", ""),
    "panic": ("misbehave how=panic", ""),
    "swaps": ("faults n=1 pages=40", ""),
    "disk": ("records records=8 flush=4", ", disk: {size: 1 MiB, format: sparse}"),
    "hangs": ("misbehave how=spin", ", watchdog: {timeout: 12 ms}"),
}
TEXT = """\
dcsim: 1
name: lifetimes
duration: 10000 s
hosts:
  - {{name: home, hardware: sifive-u54, hypervisor: {kind}, pcpus: 2, memory: 96 MiB, power: hp-ml110-g5, disk: {{capacity: 64 MiB}}}}
vms:
"""


def model(kind: str, each: int) -> tuple[Model, CoreWorld]:
    text = TEXT.format(kind=kind)
    for name, (program, more) in PROGRAMS.items():
        lives = each if name != "hangs" else max(1, each // 20)
        rule = f"restart: {{policy: always, delay: 1 ms, limit: {lives}}}"
        text += f"  - {{name: {name}, program: {program}, memory: 8 MiB, {rule}{more}}}\n"
    world = CoreWorld(256 << 20)
    return build(read_scenario(text.encode(), "f.yaml", Path()).scenario, 1, world), world


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["type1", "type2"])
def test_nothing_stays_of_vms_that_are_over(kind: str) -> None:
    built, world = model(kind, LIFETIMES // 2 // 4)
    (hypervisor,) = built.cluster.hypervisors.values()
    host = hypervisor.host
    at_first = (host.machine.free_frames, host.free_bytes, world.used_bytes)
    blocks = host.store.free_blocks if host.store else 0

    built.environment.run(until=built.cluster.all_ended)

    assert sum(built.cluster.restarts.values()) >= LIFETIMES // 2 - 4
    assert {vm.state for vm in built.cluster.vms.values()} == {"off", "failed"}
    assert (host.machine.free_frames, host.free_bytes, world.used_bytes) == at_first
    check_model(built)
    assert host.store is not None
    assert host.store.free_blocks < blocks
    for name in built.cluster.vms:
        hypervisor.shelf.remove(name)
    assert host.store.free_blocks == blocks
    host.store.check("home")
