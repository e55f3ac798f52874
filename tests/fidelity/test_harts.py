"""What a guest computes does not depend on how many harts it has, nor on what executes these.

Programs run on one, two and four vCPUs, with locks of either kind, under every technique and paging
that runs so many, on hosts with two processors. The reference is bare metal with one hart, and that
is held to QEMU. Processes end in another order on several harts, so what is compared are the lines of
their results and digests, whatever their order.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from dcsim.hypervisor.technique import (
    TECHNIQUES,
    PagingName,
    TechniqueName,
    default_paging,
    vcpus_misfit,
)
from dcsim.run import run_scenario
from dcsim.scenario import Scenario
from tests.fidelity.cases import Case
from tests.fidelity.outcome import Outcome, outcome
from tests.fidelity.qemu import run_on_qemu

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = (
    "parallel workers=4 rounds=4 work=500 pages=4",
    "suite parallel=1 run=integer:iterations=3,float:steps=30,forkwait:n=3,faults:n=2,syscalls:n=100",
)
LOCKS = ("ticket", "paravirtual")
COUNTS = (1, 2, 4)
HOST = {"hardware": "vt-2008-nehalem", "hypervisor": "type1", "memory": "64 MiB"}
PCPUS = 2
"""Of a host; one without a hypervisor has as many as its guest has harts."""


class Cell(NamedTuple):
    """A technique with a paging that can run several vCPUs."""

    technique: TechniqueName
    paging: PagingName


CELLS = [
    Cell(technique, paging)
    for technique, about in TECHNIQUES.items()
    for paging in about.pagings
    if vcpus_misfit(technique, paging, max(COUNTS)) is None
]


class Guest(NamedTuple):
    """A VM of a cell."""

    program: str
    vcpus: int
    locks: str


GUESTS = [
    Guest(program, vcpus, locks)
    for program, vcpus, locks in product(PROGRAMS, COUNTS, LOCKS)
    if vcpus > 1 or locks == LOCKS[0]
]


def told(end: Outcome) -> list[str]:
    """Return what a guest computed."""
    lines = [line for line in end.lines if line.startswith(("result ", "digest "))]
    assert lines, end.lines
    return sorted(lines)


def case(program: str) -> Case:
    return Case(program.split(maxsplit=1)[0], program, {"tick_ms": 1})


def play(cell: Cell, guests: list[Guest]) -> list[Outcome]:
    """Run guests, each on a host of its own."""
    hosts: list[dict[str, Any]] = []
    vms: list[dict[str, Any]] = []
    for number, guest in enumerate(guests):
        pcpus = guest.vcpus if cell.technique == "bare-metal" else PCPUS
        hosts.append({"name": f"h{number}", "pcpus": pcpus, "power": "hp-ml110-g5", **HOST})
        vms.append(
            {
                "name": f"v{number}",
                "host": f"h{number}",
                "memory": "16 MiB",
                "technique": cell.technique,
                "paging": cell.paging,
                "program": guest.program,
                "vcpus": guest.vcpus,
                "kernel": f"kernel.tick_ms=1 kernel.locks={guest.locks}",
            }
        )
    scenario = {"dcsim": 1, "name": "harts", "duration": "1 s", "hosts": hosts, "vms": vms}
    result = run_scenario(Scenario.model_validate(scenario))
    for guest, vm in zip(guests, result.vms, strict=True):
        assert vm.state == "off", f"{cell} {guest}: {vm.message}"
        assert vm.lateness_ns == 0
        if guest.vcpus > 1:
            assert f"kernel: {guest.vcpus} harts" in vm.console.decode()
    return [
        outcome(case(guest.program), vm.console, vm.exit_status)
        for guest, vm in zip(guests, result.vms, strict=True)
    ]


@cache
def reference(program: str) -> Outcome:
    """Return what one hart without a monitor leaves behind."""
    bare: TechniqueName = "bare-metal"
    [end] = play(Cell(bare, default_paging(bare)), [Guest(program, 1, LOCKS[0])])
    return end


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_any_number_of_harts_computes_the_same(cell: Cell) -> None:
    for guest, end in zip(GUESTS, play(cell, GUESTS), strict=True):
        expected = reference(guest.program)
        assert told(end) == told(expected), guest
        assert end.status == expected.status == 0


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.split()[0])
def test_the_reference_computes_what_qemu_does(program: str, tmp_path: Path) -> None:
    assert told(run_on_qemu(case(program), tmp_path)) == told(reference(program))
