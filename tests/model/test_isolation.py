"""What a VM does, or what becomes of it, stays inside it: the others' results have the same bytes.

Each VM has a processor, its memory, a storage and a link of its own; the data cache is not modelled. Another
host has a VM that idles, so that every run is equally long.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dcsim.results import RunResult, VmRecord
from dcsim.run import run_scenario
from dcsim.scenario import Scenario, read_scenario

TEXT = """\
dcsim: 1
name: isolation
duration: 60 ms
storage:
  shared:
    - {{name: own, latency: 50 us, bandwidth: 1 GB/s}}
    - {{name: other, latency: 50 us, bandwidth: 1 GB/s}}
hosts:
  - {{name: home, hardware: sifive-u54, hypervisor: {kind}, pcpus: 2, memory: 96 MiB, power: hp-ml110-g5}}
  - {{name: away, hardware: sifive-u54, hypervisor: {kind}, pcpus: 1, memory: 64 MiB, power: hp-ml110-g5}}
vms:
  - name: good
    program: server requests=16 disk=256
    memory: 8 MiB
    technique: {technique}
    host: home
    pin: [0]
    disk: {{size: 1 MiB, on: own}}
    link: own
    requests: {{rate: 500 /s, count: 16, sectors: 4, first: 5 ms}}
  - {{name: clock, program: idle, memory: 8 MiB, host: away}}
"""
BAD = """\
  - name: bad
    program: {program}
    memory: 8 MiB
    technique: {technique}
    host: home
    pin: [1]
    disk: {{size: 1 MiB, on: other}}
    requests: {{rate: 500 /s, count: 1}}
"""
HOW = {
    "panics": ("misbehave how=panic after=10", "off"),
    "spins": ("misbehave how=spin after=10", "running"),
    "forks": ("misbehave how=fork", "running"),
    "floods-its-disk": ("misbehave how=disk", "running"),
    "floods-the-network": ("misbehave how=network", "running"),
    "attacks-its-devices": ("misbehave how=devices rounds=20000", None),
    "trespasses": ("trespass", "off"),
}


def scenario(kind: str, program: str = "", technique: str = "trap-and-emulate", more: str = "") -> Scenario:  # fmt: skip
    bad = BAD.format(program=program, technique=technique) if program else ""
    text = TEXT.format(kind=kind, technique=technique) + bad + more
    return read_scenario(text.encode(), "f.yaml", Path()).scenario


@pytest.fixture(scope="module")
def alone() -> dict[tuple[str, str], VmRecord]:
    """Return the records of the good VM without another, by hypervisor and technique."""
    return {}


def run_alone(known: dict[tuple[str, str], VmRecord], kind: str, technique: str) -> VmRecord:
    if (kind, technique) not in known:
        known[kind, technique] = run_scenario(scenario(kind, technique=technique)).vms[0]
    return known[kind, technique]


def differences(one: VmRecord, other: VmRecord) -> list[str]:
    return [
        field.name
        for field in dataclasses.fields(VmRecord)
        if getattr(one, field.name) != getattr(other, field.name)
    ]


def is_right(good: VmRecord) -> bool:
    served = sum(request.answered_ns is not None for request in good.requests)
    return (good.state, good.exit_status, served) == ("off", 0, 16)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", ["type1", "type2"])
def test_a_guest_that_misbehaves_changes_no_byte_of_another(
    kind: str, how: str, alone: dict[tuple[str, str], VmRecord]
) -> None:
    program, state = HOW[how]
    result = run_scenario(scenario(kind, program))
    good, _, bad = result.vms
    assert is_right(good)
    assert state is None or bad.state == state
    if program.startswith("misbehave"):
        assert b"misbehave: " in bad.console
    assert differences(good, run_alone(alone, kind, "trap-and-emulate")) == []


@pytest.mark.parametrize("technique", ["four-rings", "binary-translation", "paravirtual"])
def test_nor_does_it_under_another_technique(
    technique: str, alone: dict[tuple[str, str], VmRecord]
) -> None:
    result = run_scenario(scenario("type1", HOW["attacks-its-devices"][0], technique))
    assert is_right(result.vms[0])
    assert differences(result.vms[0], run_alone(alone, "type1", technique)) == []


FAULT = "faults: [{{at: 20 ms, kind: {kind}, subject: {subject}}}]\n"


def test_a_process_that_crashes_changes_no_byte_of_another_vm(
    alone: dict[tuple[str, str], VmRecord],
) -> None:
    fault = FAULT.format(kind="vmm-crash", subject="bad")
    result = run_scenario(scenario("type2", "misbehave how=fork", more=fault))
    good, _, bad = result.vms
    assert (bad.state, bad.message) == ("failed", "the process of its hypervisor crashed")
    assert bad.ended_ns == 20_000_000
    assert is_right(good)
    assert differences(good, run_alone(alone, "type2", "trap-and-emulate")) == []


@pytest.mark.parametrize("kind", ["type1", "type2"])
def test_a_host_that_crashes_changes_no_byte_on_another(
    kind: str, alone: dict[tuple[str, str], VmRecord]
) -> None:
    fault = FAULT.format(kind="host-crash", subject="away")
    text = scenario(kind, "misbehave how=fork", more=fault)
    result = run_scenario(text)
    assert result.vms[1].state == "failed"
    assert result.hosts[1].state == "off"
    assert is_right(result.vms[0])
    assert differences(result.vms[0], run_alone(alone, kind, "trap-and-emulate")) == []


def test_what_is_shared_is_told() -> None:
    """On one processor and one disk the flood costs the other time, and the columns say how much."""
    text = TEXT.format(kind="type1", technique="trap-and-emulate").replace("pcpus: 2", "pcpus: 1")
    text = text.replace("on: own", "on: local")

    def run(bad: str) -> RunResult:
        bad = bad.replace("on: other", "on: local").replace("pin: [1]", "pin: [0]")
        return run_scenario(read_scenario((text + bad).encode(), "f.yaml", Path()).scenario)

    quiet = run("").vms[0]
    loud = run(BAD.format(program="misbehave how=disk", technique="trap-and-emulate")).vms[0]
    assert is_right(quiet)
    assert loud.steal_ns > quiet.steal_ns
    assert loud.disk_wait_ns > quiet.disk_wait_ns


LINKED = """\
dcsim: 1
name: linked
duration: 60 ms
fabric: {{switch_latency: 5 us, bandwidth: 100 Mbit/s}}
hosts:
  - {{name: home, hardware: sifive-u54, hypervisor: {kind}, pcpus: {pcpus}, memory: 96 MiB, power: hp-ml110-g5}}
  - {{name: away, hardware: sifive-u54, hypervisor: {kind}, pcpus: 1, memory: 64 MiB, power: hp-ml110-g5}}
vms:
  - {{name: good, program: transmit count=60 size=1500, memory: 8 MiB, host: home, pin: [0], link: {link}, sink: {{every: 2}}}}
  - {{name: clock, program: idle, memory: 8 MiB, host: away}}
"""
# On type 2 the I/O threads of both run anywhere: a third processor is theirs.
FLOOD = "  - {name: bad, program: misbehave how=network, memory: 8 MiB, host: home, pin: [1], requests: {rate: 1 /s, count: 1}}\n"


SENDER = "  - {name: bad, program: transmit count=60 size=1500, memory: 8 MiB, host: home, pin: [1], sink: {every: 2}}\n"


def sent(kind: str, link: str, more: str = "") -> VmRecord:
    text = LINKED.format(kind=kind, link=link, pcpus=2 if kind == "type1" else 4) + more
    good = run_scenario(read_scenario(text.encode(), "f.yaml", Path()).scenario).vms[0]
    assert (good.state, good.exit_status, good.packets_sent) == ("off", 0, 60)
    return good


@pytest.mark.parametrize("kind", ["type1", "type2"])
def test_with_a_link_of_its_own_a_flood_changes_no_byte(kind: str) -> None:
    assert differences(sent(kind, "own", FLOOD), sent(kind, "own")) == []


def test_what_a_shared_link_costs_is_told() -> None:
    quiet, loud = sent("type1", "shared"), sent("type1", "shared", SENDER)
    assert loud.link_wait_ns > 2 * quiet.link_wait_ns
    assert loud.ended_ns is not None
    assert quiet.ended_ns is not None
    # All that it took longer is accounted for: packets that waited, one after the other or at once.
    assert 0 < loud.ended_ns - quiet.ended_ns <= loud.link_wait_ns - quiet.link_wait_ns
