"""The cases on QEMU's `virt` machine, with the same images."""

from __future__ import annotations

from pathlib import Path

from tests.fidelity.cases import MIB, Case
from tests.fidelity.outcome import Outcome, outcome
from tests.qemu import KERNEL, MONITOR, TIMEOUT_SECONDS, booted, machine_arguments

LEAST_MEMORY_MIB = 32
"""QEMU lays its device tree where a smaller machine has no memory."""


def run_on_qemu(case: Case, folder: Path, *, monitors: int = 0) -> Outcome:
    """Return what a case leaves behind on QEMU, in so many copies of the guest image's monitor.

    QEMU's clock is the wall clock: in monitors, time slices are long enough for any load.
    """
    prefix = f"monitor.depth={monitors} kernel.tick_ms=1000 " if monitors else ""
    arguments = machine_arguments(
        prefix + case.boot_arguments,
        image=MONITOR if monitors else KERNEL,
        memory_mib=max(case.memory_mib, LEAST_MEMORY_MIB),
        disk=_disk(case, folder),
    )
    with booted(arguments) as (process, console):
        rest, _ = process.communicate(b"".join(case.typed), timeout=TIMEOUT_SECONDS)
    return outcome(case, console + rest, process.returncode)


def _disk(case: Case, folder: Path) -> Path | None:
    """Return the file of a blank disk, if the case wants one."""
    if not case.disk_mib:
        return None
    path = folder / "disk.img"
    with path.open("wb") as file:
        file.truncate(case.disk_mib * MIB)
    return path
