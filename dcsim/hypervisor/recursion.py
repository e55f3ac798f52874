"""Monitors inside monitors: theorem 2 of Popek and Goldberg, shown by running some.

The theorem calls a machine recursively virtualisable when it is virtualisable and a monitor can be
built for it that does not depend on time. The guest image ``monitor.elf`` is such a monitor: to the
machine an ordinary kernel, which runs the guest kernel, or a copy of itself, in user mode. Here it
runs in several stacks, and the programs in the innermost machine have to leave behind what they
leave on a bare one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from dcsim.guest import boot_arguments, kernel_image, monitor_image
from dcsim.hardware import load_profile
from dcsim.host.world import CoreWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.hardware import IsaName
    from dcsim.hypervisor.technique import TechniqueName

__all__ = ["PROGRAMS", "STACKS", "Left", "Stack", "demonstrate_recursion", "run_stack"]

PROGRAMS = (
    "integer iterations=3",
    "float steps=30",
    "forkwait n=2 pages=8",
    "faults n=2 pages=16",
)
"""What runs in the innermost machine."""

_HARDWARE = "vt-2008-nehalem"
"""A processor that has every instruction set, or can be made without its extension."""
_GUEST_BYTES = 32 * 2**20
_HOST_BYTES = 64 * 2**20
_LIMIT_NS = 20_000_000_000
"""Of simulated time: a thousand times what a run takes."""

_EXITS = re.compile(r"^result monitor-(\d+) exits=(\d+) ", re.MULTILINE)
_OTHERS = re.compile(r"result monitor-|kernel: \d+ KiB of memory$")
"""Lines that are not the same in every machine: a monitor's own, and the size of the memory."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What is between the machine and the innermost kernel."""

    technique: TechniqueName
    """How dcsim runs the outermost kernel; ``bare-metal`` for no monitor of its own."""
    copies: int
    """How many copies of the guest image's monitor are in each other."""

    @property
    def monitors(self) -> list[str]:
        """The monitors from the machine upwards."""
        own = [] if self.technique == "bare-metal" else [f"dcsim's {self.technique}"]
        return [*own, *["monitor.elf"] * self.copies]


STACKS = (
    Stack("bare-metal", 0),
    Stack("trap-and-emulate", 0),
    Stack("bare-metal", 1),
    Stack("trap-and-emulate", 1),
    Stack("bare-metal", 2),
    Stack("trap-and-emulate", 2),
)
"""The bare machine, then one to three monitors in each other."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a run leaves behind."""

    lines: tuple[str, ...]
    """What the innermost kernel and its program printed, but for the size of the memory."""
    status: int | None
    """What the machine powered off with; None when it did not."""
    cycles: int
    exits: tuple[int, ...]
    """What each monitor counted, from the machine upwards."""


def run_stack(stack: Stack, program: str, isa: IsaName, *, kernel: str = "") -> Left:
    """Run a program in the innermost machine of a stack.

    Parameters
    ----------
    stack
        The monitors.
    program
        The guest program and its arguments.
    isa
        The instruction set of the machine.
    kernel
        Arguments of the kernel's own.

    Returns
    -------
    Left
        What the program and the monitors leave behind.
    """
    machine = CoreWorld(2 * _HOST_BYTES).machine(
        load_profile(_HARDWARE).with_isa(isa), pcpus=1, memory_bytes=_HOST_BYTES
    )
    config = {
        "name": "outermost",
        "technique": stack.technique,
        "memory_bytes": _GUEST_BYTES,
        "bootargs": f"monitor.depth={stack.copies} {kernel} {boot_arguments(program)}",
    }
    image = monitor_image() if stack.copies else kernel_image()
    vm = machine.create_vm(json.dumps(config), image, None)
    machine.load(0, vm, 0, 0)
    exit_ = machine.run(_LIMIT_NS)
    while exit_.kind == "wait" and exit_.wake_ns is not None:
        exit_ = machine.run(_LIMIT_NS)
    counters = machine.counters(vm)
    console = machine.console_output(vm).decode(errors="replace").replace("\r", "")
    own = [] if stack.technique == "bare-metal" else [sum(counters["exits"].values())]
    return Left(
        lines=tuple(line for line in console.splitlines() if not _OTHERS.match(line)),
        status=exit_.code,
        cycles=counters["total_cycles"],
        exits=(*own, *_counted(console)),
    )


def _counted(console: str) -> Iterator[int]:
    """Yield the exits that each monitor printed, from the outermost to the innermost."""
    counted = sorted(_EXITS.findall(console), key=lambda found: -int(found[0]))
    return (int(exits) for _, exits in counted)


def demonstrate_recursion(isa: IsaName) -> dict[str, Any]:
    """Run programs in monitors inside monitors, and compare with a bare machine.

    Parameters
    ----------
    isa
        The instruction set of the machine.

    Returns
    -------
    dict
        ``holds``: whether every program left the same behind everywhere; ``stacks``: for each stack
        its ``monitors`` and ``runs``, each with its program, whether it did the ``same`` as on the
        bare machine, and if not a ``symptom``, with the cycles that it took and the ``exits`` that
        each monitor counted.
    """
    expected = {program: run_stack(STACKS[0], program, isa) for program in PROGRAMS}
    runs = {
        stack: [_compared(stack, program, isa, expected[program]) for program in PROGRAMS]
        for stack in STACKS[1:]
    }
    return {
        "holds": all(run["same"] for each in runs.values() for run in each),
        "stacks": [{"monitors": stack.monitors, "runs": each} for stack, each in runs.items()],
    }


def _compared(stack: Stack, program: str, isa: IsaName, expected: Left) -> dict[str, Any]:
    left = run_stack(stack, program, isa)
    same = (left.lines, left.status) == (expected.lines, expected.status)
    return {
        "program": program,
        "same": same,
        "symptom": None if same else _symptom(left, expected),
        "cycles": left.cycles,
        "exits": list(left.exits),
    }


def _symptom(left: Left, expected: Left) -> str:
    """Return the first line that is not as expected, or what else is wrong."""
    if left.status is None:
        return "it does not end"
    pairs = zip_longest(left.lines, expected.lines, fillvalue="")
    differing = (line or f"no {other}" for line, other in pairs if line != other)
    return next(differing, f"exit status {left.status}")
