"""Monitors inside monitors: theorem 2 of Popek and Goldberg, with the guest image's own monitor.

It is an ordinary kernel to what runs it, so it has to work on a bare machine, under every technique
and in itself; and the kernel that it runs must not find out.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dcsim.guest import monitor_image
from dcsim.hardware import IsaName
from dcsim.hypervisor.recursion import Stack, demonstrate_recursion, run_stack
from tests.fidelity.cases import CASES, Case
from tests.fidelity.direct import Guest
from tests.fidelity.qemu import run_on_qemu
from tests.fidelity.test_techniques import PROCESSORS, Cell, cells, reference
from tests.qemu import require_qemu

INNER = [
    case
    for case in CASES
    if not (case.disk_mib or case.typed or case.status or case.name == "nanobench")
]
"""What needs no device beyond those that the monitor's guest has, and can say how it ended: the
firmware's power-off tells success from failure only. `nanobench` does all its operations, and one of
them is an access to an interrupt controller, which that guest has not."""
FEW = [case for case in INNER if case.name in {"integer", "float", "forkwait", "faults"}]
BARE = Cell("bare-metal", "none", "rv64gc")
ISA: IsaName = "rv64gc"


def boot(case: Case, cell: Cell, copies: int = 1) -> Guest:
    guest = Guest(
        case,
        cell.technique,
        paging=cell.paging,
        translate_user=cell.translate_user,
        isa=cell.isa,
        profile=PROCESSORS[cell.isa],
        bootargs=f"monitor.depth={copies} {case.boot_arguments}",
        image=monitor_image(),
    )
    return guest.boot()


@pytest.mark.parametrize("case", INNER, ids=lambda case: case.name)
def test_the_monitors_guest_leaves_what_a_bare_machine_does(case: Case) -> None:
    assert boot(case, BARE).run_to_end() == reference(case.name, BARE.isa)


@pytest.mark.parametrize("copies", [1, 2])
def test_the_guests_timer_rings_through_its_monitors(copies: int) -> None:
    """Time slices of a millisecond, of a program that takes many of them: each is an interrupt that
    every monitor hands on."""
    case = Case("slices", "integer iterations=60", {"tick_ms": 1})
    alone = Guest(case, "bare-metal").boot().run_to_end()
    guest = boot(case, BARE, copies)
    assert guest.run_to_end() == alone
    rung = [int(times) for times in re.findall(rb" timer=(\d+)", bytes(guest.console))]
    assert len(rung) == copies
    assert min(rung) >= 2


def supervised() -> list[Cell]:
    """Return the cells that can run a kernel which knows no hypervisor, but for legacy ones."""
    return [
        cell
        for cell in cells()
        if cell.technique != "paravirtual" and not cell.isa.startswith("rv64gc-legacy")
    ]


@pytest.mark.parametrize("cell", supervised(), ids=lambda cell: cell.name)
@pytest.mark.parametrize("case", FEW, ids=lambda case: case.name)
def test_the_monitor_runs_under_every_technique(case: Case, cell: Cell) -> None:
    assert boot(case, cell).run_to_end() == reference(case.name, cell.isa)


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("case", FEW, ids=lambda case: case.name)
def test_qemu_agrees(case: Case, copies: int, tmp_path: Path) -> None:
    require_qemu()
    assert run_on_qemu(case, tmp_path, monitors=copies) == reference(case.name, ISA)


@pytest.mark.parametrize("isa", ["rv64gc", "rv64gch"])
def test_monitors_inside_monitors_are_demonstrated(isa: IsaName) -> None:
    found = demonstrate_recursion(isa)
    assert found["holds"]
    depths = [len(stack["monitors"]) for stack in found["stacks"]]
    assert depths == [1, 1, 2, 2, 3]
    for stack in found["stacks"]:
        for run in stack["runs"]:
            assert len(run["exits"]) == len(stack["monitors"])
            # Each exit of an inner monitor is several of the one that it runs on.
            assert run["exits"] == sorted(run["exits"], reverse=True)


@pytest.mark.parametrize("isa", ["rv64gc-legacy-silent", "rv64gc-legacy"])
def test_where_instructions_do_not_trap_the_kernel_finds_out(isa: IsaName) -> None:
    found = demonstrate_recursion(isa)
    assert not found["holds"]
    for stack in found["stacks"]:
        for run in stack["runs"]:
            assert re.search(r"assertion failed: interrupts are o", run["symptom"])


OPERATIONS = ["privileged-write", "syscall", "ptemod", "pagefault"]


def exits_of_one(operation: str, stack: Stack) -> list[float]:
    """Return the exits that one operation of the innermost kernel takes of each monitor: the
    difference of two runs."""
    few, many = 100, 300
    kernel = "kernel.tick_ms=1000"
    first, second = (
        run_stack(stack, f"nanobench op={operation} rounds={n} report=0", ISA, kernel=kernel).exits
        for n in (few, many)
    )
    return [(b - a) / (many - few) for a, b in zip(first, second, strict=True)]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_two_monitors_that_know_nothing_of_each_other_count_the_same(operation: str) -> None:
    """An exit is a property of the machine and its guest, not of who serves it: what dcsim counts
    with a monitor as its guest, this monitor counts with itself as its guest."""
    ours = exits_of_one(operation, Stack("trap-and-emulate", 1))
    its = exits_of_one(operation, Stack("bare-metal", 2))
    assert ours == its
    assert ours[0] > ours[1] >= 1
