"""Every guest program leaves the same behind, whatever it runs on.

The reference is bare metal: a machine without a monitor. What is compared is all that the guest
prints, which holds the results of its programs and, at each process's exit, the digest of every
page that the process ever wrote; and the exit status.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from dcsim.run import run_scenario
from tests.fidelity.cases import CASES, Case, covered_programs, known_programs
from tests.fidelity.direct import Guest
from tests.fidelity.model import AttendedWorld, life, outcome_of, scenario_of
from tests.fidelity.outcome import Outcome
from tests.fidelity.qemu import run_on_qemu

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def reference(case: Case) -> Outcome:
    return _reference(CASES.index(case))


@cache
def _reference(index: int) -> Outcome:
    return Guest(CASES[index], "bare-metal").boot().run_to_end()


def test_no_program_is_left_out() -> None:
    assert covered_programs() == known_programs()


@every_case
def test_bare_metal_is_a_reference(case: Case) -> None:
    """The program ends as it should, and a digest stands for each process."""
    expected = reference(case)
    assert expected.status == case.status
    assert any(line.startswith(f"digest {case.command.split()[0]}#1 ") for line in expected.lines)
    assert f"kernel: power off, status {case.status}" in expected.lines


@every_case
def test_trap_and_emulate(case: Case) -> None:
    assert Guest(case, "trap-and-emulate").boot().run_to_end() == reference(case)


@every_case
@pytest.mark.parametrize("kind", ["type1", "type2"])
def test_hypervisor(case: Case, kind: str) -> None:
    assert outcome_of(case, life(case, kind)) == reference(case)


@every_case
@pytest.mark.parametrize("kind", ["type1", "type2"])
def test_bare_metal_in_a_scenario(case: Case, kind: str) -> None:
    assert outcome_of(case, life(case, kind, "bare-metal")) == reference(case)


@every_case
@pytest.mark.parametrize(
    ("source", "destination", "percent"),
    [("type1", "type1", 50), ("type1", "type2", 35), ("type2", "type1", 65)],
)
def test_migration(case: Case, source: str, destination: str, percent: int) -> None:
    """The VM stops part of the way through its life, crosses a link and goes on elsewhere."""
    ended_ns = life(case, source).vms[0].ended_ns
    assert ended_ns is not None
    scenario = scenario_of(case, [source, destination], move_at_ns=ended_ns * percent // 100)

    result = run_scenario(scenario, world=AttendedWorld(case.typed))

    [move] = result.migrations
    assert result.vms[0].host == "host-1"
    assert move.source_digest == move.destination_digest
    assert (move.memory_pages + move.zero_pages) * 4096 == result.vms[0].memory_bytes
    assert outcome_of(case, result) == reference(case)


@every_case
def test_qemu(case: Case, tmp_path: Path) -> None:
    assert run_on_qemu(case, tmp_path) == reference(case)
