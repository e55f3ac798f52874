"""The cases on QEMU's `virt` machine, with the same kernel image."""

from __future__ import annotations

from pathlib import Path

from tests.fidelity.cases import MIB, Case
from tests.fidelity.outcome import Outcome, outcome
from tests.qemu import TIMEOUT_SECONDS, booted, machine_arguments

LEAST_MEMORY_MIB = 32
"""QEMU lays its device tree where a smaller machine has no memory."""


def run_on_qemu(case: Case, folder: Path) -> Outcome:
    """Return what a case leaves behind on QEMU."""
    arguments = machine_arguments(
        case.boot_arguments,
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
