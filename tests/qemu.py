"""Guest images on QEMU's `virt` machine: the outside check of image and simulator."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import pytest

QEMU = "qemu-system-riscv64"
IMAGES = Path(str(files("dcsim.guest") / "images"))
KERNEL = IMAGES / "kernel.elf"
MONITOR = IMAGES / "monitor.elf"
TIMEOUT_SECONDS = 120
_VIRTIO_CONSOLE = ["-device", "virtio-serial-device", "-device", "virtconsole,chardev=terminal"]


def require_qemu(command: str = QEMU) -> str:
    """Return the path of a command of QEMU's; without it, skip, or fail where it has to be there."""
    path = shutil.which(command)
    if path is None and os.environ.get("DCSIM_REQUIRE_QEMU"):
        pytest.fail(f"{command} is not installed, and DCSIM_REQUIRE_QEMU is set")
    if path is None:
        pytest.skip(f"{command} is not installed")
    return path


def machine_arguments(
    boot_arguments: str,
    *,
    memory_mib: int = 32,
    cpu: str = "rv64",
    disk: Path | None = None,
    virtio_console: bool = False,
    image: Path = KERNEL,
    devices: Sequence[str] = (),
) -> list[str]:
    """Return QEMU's arguments for a machine that boots the image.

    Standard input and output are the serial port, or the virtio console where there is one.
    """
    drive = ["-drive", f"file={disk},format=raw,if=none,id=disk"] if disk else []
    block = ["-device", "virtio-blk-device,drive=disk"] if disk else []
    return [
        *("-M", "virt", "-cpu", cpu, "-m", f"{memory_mib}M", "-display", "none"),
        *("-monitor", "none", "-serial", "null" if virtio_console else "chardev:terminal"),
        *("-chardev", "stdio,id=terminal", "-global", "virtio-mmio.force-legacy=false"),
        *("-kernel", str(image), "-append", boot_arguments),
        *drive,
        *block,
        *(_VIRTIO_CONSOLE if virtio_console else []),
        *devices,
    ]


@contextlib.contextmanager
def booted(arguments: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], bytes]]:
    """Start QEMU and wait until the kernel has started its devices; yield what it printed too.

    What is typed before that is lost to the guest.
    """
    pipe = subprocess.PIPE
    # Unbuffered: what is read ahead of a line here would be lost to `communicate`.
    with subprocess.Popen(
        [require_qemu(), *arguments], stdin=pipe, stdout=pipe, bufsize=0
    ) as process:
        watchdog = threading.Timer(TIMEOUT_SECONDS, process.kill)
        watchdog.start()
        try:
            yield process, _read_banner(process)
        finally:
            watchdog.cancel()
            process.kill()


def _read_banner(process: subprocess.Popen[bytes]) -> bytes:
    """Read up to the line that the kernel prints when its devices are started."""
    assert process.stdout is not None
    console = b""
    while b"KiB of memory" not in console:
        line = process.stdout.readline()
        assert line, f"QEMU ended early: {console!r}"
        console += line
    return console
