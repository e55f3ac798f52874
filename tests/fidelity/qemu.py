"""The same kernel image on QEMU's `virt` machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from importlib.resources import files
from pathlib import Path

import pytest

from tests.fidelity.cases import MIB, Case
from tests.fidelity.outcome import Outcome, outcome

QEMU = "qemu-system-riscv64"
LEAST_MEMORY_MIB = 32
"""QEMU lays its device tree where a smaller machine has no memory."""
TIMEOUT_SECONDS = 120


def require_qemu() -> str:
    """Return QEMU's path; without it, skip, or fail where it has to be there."""
    path = shutil.which(QEMU)
    if path is None and os.environ.get("DCSIM_REQUIRE_QEMU"):
        pytest.fail(f"{QEMU} is not installed, and DCSIM_REQUIRE_QEMU is set")
    if path is None:
        pytest.skip(f"{QEMU} is not installed")
    return path


def run_on_qemu(case: Case, folder: Path) -> Outcome:
    """Return what a case leaves behind on QEMU."""
    command = [require_qemu(), *_arguments(case, folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        watchdog = threading.Timer(TIMEOUT_SECONDS, process.kill)
        watchdog.start()
        try:
            console = _read_banner(process)
            rest, _ = process.communicate(b"".join(case.typed))
        finally:
            watchdog.cancel()
            process.kill()
    return outcome(case, console + rest, process.returncode)


def _arguments(case: Case, folder: Path) -> list[str]:
    kernel = files("dcsim.guest") / "images" / "kernel.elf"
    memory_mib = max(case.memory_mib, LEAST_MEMORY_MIB)
    return [
        *("-M", "virt", "-m", f"{memory_mib}M", "-display", "none", "-monitor", "none"),
        *("-serial", "stdio", "-global", "virtio-mmio.force-legacy=false"),
        *("-kernel", str(kernel), "-append", case.boot_arguments),
        *_disk_arguments(case, folder),
    ]


def _disk_arguments(case: Case, folder: Path) -> list[str]:
    if not case.disk_mib:
        return []
    path = folder / "disk.img"
    with path.open("wb") as file:
        file.truncate(case.disk_mib * MIB)
    drive = f"file={path},format=raw,if=none,id=disk"
    return ["-drive", drive, "-device", "virtio-blk-device,drive=disk"]


def _read_banner(process: subprocess.Popen[bytes]) -> bytes:
    """Read until the kernel has started its devices: what was typed before is lost."""
    assert process.stdout is not None
    console = b""
    while b"KiB of memory" not in console:
        line = process.stdout.readline()
        assert line, f"QEMU ended early: {console!r}"
        console += line
    return console
