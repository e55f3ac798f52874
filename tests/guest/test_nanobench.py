"""The nanobenchmarks: what they do must be right anywhere, what they measure must add up."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.fidelity.cases import Case
from tests.fidelity.direct import Guest

OPERATIONS = (
    "syscall",
    "io",
    "hypercall",
    "interrupt-controller",
    "privileged-write",
    "callret",
    "callret-pointer",
    "forkwait",
    "pagefault",
    "ptemod",
    "illegal",
    "interrupt-completion",
)
NANO = re.compile(r"nano (\S+) rounds=(\d+) cycles=(\d+) empty=(\d+) each=(\d+\.\d{3})")


def measured(lines: list[str]) -> dict[str, tuple[int, int, int, float]]:
    """Return rounds, cycles, those of the empty loop, and those of one round, by operation."""
    found = [NANO.fullmatch(line) for line in lines if line.startswith("nano ")]
    return {
        each[1]: (int(each[2]), int(each[3]), int(each[4]), float(each[5]))
        for each in found
        if each is not None
    }


def test_every_operation_takes_place_as_often_as_asked_for(boot: Any) -> None:
    run = boot("nanobench rounds=37")
    assert run.status == 0
    assert run.result("nanobench") == dict.fromkeys(OPERATIONS, "37")
    assert tuple(measured(run.lines)) == OPERATIONS
    # no child of the fork is told of: that would be measured too
    assert list(run.digests()) == ["nanobench#1"]


def test_what_is_measured_leaves_nothing_in_memory(boot: Any) -> None:
    first, second = boot("nanobench rounds=20"), boot("nanobench rounds=20")
    assert first.digests() == second.digests()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_operation_can_be_run_alone_and_without_a_report(boot: Any, operation: str) -> None:
    run = boot(f"nanobench op={operation} rounds=5 report=0")
    assert run.status == 0
    assert run.result("nanobench") == {operation: "5"}
    assert not measured(run.lines)
    assert not run.digests()


@pytest.mark.parametrize("arguments", ["op=nothing", "rounds=0"])
def test_what_cannot_be_measured_is_refused(boot: Any, arguments: str) -> None:
    run = boot(f"nanobench {arguments}")
    assert run.status == 1
    assert any(line.startswith("nanobench: op=") for line in run.lines)


def test_a_stopwatch_that_is_never_stopped_ends_with_its_owner(boot: Any) -> None:
    # Without time slices the second program would wait for ever for the third.
    programs = "nanobench:op=io:report=0,integer:iterations=20,float:steps=500"
    run = boot(f"suite parallel=1 run={programs}", settings={"tick_ms": 1})
    assert run.status == 0
    assert {"integer#1", "float#1", "suite#1"} == set(run.digests())


def total_cycles(command: str) -> int:
    guest = Guest(Case("nanobench", command), "bare-metal").boot().run()
    assert guest.status == 0, guest.console
    return int(guest.counters["total_cycles"])


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each != "pagefault"])
def test_further_rounds_cost_the_same_each_time(operation: str) -> None:
    """Page faults are left out: every 512th needs a table too."""
    one, two, three = (
        total_cycles(f"nanobench op={operation} rounds={rounds} report=0")
        for rounds in (100, 200, 300)
    )
    assert two - one == three - two > 0


def test_the_stopwatch_agrees_with_the_machine() -> None:
    """Two thousand rounds beside one thousand: both say what the further thousand cost."""
    by_machine = total_cycles("nanobench op=syscall rounds=2000 report=0") - total_cycles(
        "nanobench op=syscall rounds=1000 report=0"
    )
    times = []
    for rounds in (1000, 2000):
        guest = Guest(Case("nanobench", f"nanobench op=syscall rounds={rounds}"), "bare-metal")
        console = guest.boot().run().console.decode()
        times.append(measured(console.splitlines())["syscall"][1])
    assert times[1] - times[0] == by_machine
