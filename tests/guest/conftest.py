"""Booting the guest image on QEMU's `virt` machine: the outside check of image and simulator."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from dcsim.guest import boot_arguments
from tests.fidelity.qemu import require_qemu

_IMAGE = Path(__file__).parents[2] / "dcsim" / "guest" / "images" / "kernel.elf"
GUEST_ADDRESS = bytes.fromhex("525400000001")
TIMEOUT_SECONDS = 120
_VIRTIO_CONSOLE = ["-device", "virtio-serial-device", "-device", "virtconsole,chardev=terminal"]


@dataclass(frozen=True)
class Run:
    """What one boot printed, from the kernel's first line on, and its exit status."""

    lines: list[str]
    status: int

    def result(self, program: str) -> dict[str, str]:
        """Return the `key=value` pairs of the one result line of a program."""
        [line] = [line for line in self.lines if line.startswith(f"result {program} ")]
        return dict(word.split("=") for word in line.split()[2:])

    def digests(self) -> dict[str, str]:
        """Return digest and page count by process name."""
        words = [line.split(maxsplit=2) for line in self.lines if line.startswith("digest ")]
        return {name: digest for _, name, digest in words}


Boot = Callable[..., Run]


def machine_arguments(
    command: str,
    *,
    memory_mib: int = 32,
    cpu: str = "rv64",
    disk: Path | None = None,
    settings: Mapping[str, int | str] | None = None,
    virtio_console: bool = False,
    image: Path = _IMAGE,
    devices: Sequence[str] = (),
) -> list[str]:
    """Return QEMU's arguments for running one guest program.

    Standard input and output are the serial port, or the virtio console where there is one.
    """
    drive = ["-drive", f"file={disk},format=raw,if=none,id=disk"] if disk else []
    block = ["-device", "virtio-blk-device,drive=disk"] if disk else []
    return [
        *("-M", "virt", "-cpu", cpu, "-m", f"{memory_mib}M", "-display", "none"),
        *("-monitor", "none", "-serial", "null" if virtio_console else "chardev:terminal"),
        *("-chardev", "stdio,id=terminal", "-global", "virtio-mmio.force-legacy=false"),
        *("-kernel", str(image), "-append", boot_arguments(command, settings)),
        *drive,
        *block,
        *(_VIRTIO_CONSOLE if virtio_console else []),
        *devices,
    ]


def read_run(output: bytes, status: int) -> Run:
    """Return what the kernel printed, without the firmware's banner."""
    lines = output.decode().replace("\r", "").splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("kernel: ")), len(lines))
    return Run(lines[start:], status)


@pytest.fixture(scope="session")
def qemu() -> str:
    """Return QEMU's path; without it, skip, or fail where it has to be there."""
    return require_qemu()


@contextlib.contextmanager
def _booted(command_line: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], list[bytes]]]:
    """Start QEMU and wait until the kernel has started its devices; yield what it printed too."""
    pipe = subprocess.PIPE
    # Unbuffered: what is read ahead of a line here would be lost to `communicate`.
    with subprocess.Popen(command_line, stdin=pipe, stdout=pipe, bufsize=0) as process:
        watchdog = threading.Timer(TIMEOUT_SECONDS, process.kill)
        watchdog.start()
        try:
            lines: list[bytes] = []
            while not (lines and b"KiB of memory" in lines[-1]):
                lines.append(process.stdout.readline())  # type: ignore[union-attr]
                assert lines[-1], "QEMU ended early"
            yield process, lines
        finally:
            watchdog.cancel()
            process.kill()


@pytest.fixture(scope="session")
def boot(qemu: str) -> Boot:
    """Return a function that boots the image with one program and waits for the power-off."""

    def run(command: str, *, typed: bytes = b"", **options: object) -> Run:
        arguments = machine_arguments(command, **options)  # type: ignore[arg-type]
        with _booted([qemu, *arguments]) as (process, lines):
            rest, _ = process.communicate(typed, timeout=TIMEOUT_SECONDS)
        return read_run(b"".join(lines) + rest, process.returncode)

    return run


@pytest.fixture(scope="session")
def boot_image(qemu: str) -> Callable[[Path], Run]:
    """Return a function that boots a kernel that may not get as far as to start its devices."""

    def run(image: Path) -> Run:
        arguments = [qemu, *machine_arguments("integer iterations=1", image=image)]
        ended = subprocess.run(
            arguments, input=b"", capture_output=True, check=False, timeout=TIMEOUT_SECONDS
        )
        return read_run(ended.stdout, ended.returncode)

    return run


@pytest.fixture(scope="session")
def converse(qemu: str) -> Callable[[str, Sequence[bytes]], tuple[list[bytes], Run]]:
    """Return a function that runs the server and sends it frames, each after the last answer.

    Frames travel in UDP datagrams, one each, which is how QEMU's socket backend carries them.
    """

    def run(command: str, frames: Sequence[bytes]) -> tuple[list[bytes], Run]:
        with socket.socket(type=socket.SOCK_DGRAM) as link, socket.socket(type=link.type) as other:
            for each in (link, other):
                each.bind(("127.0.0.1", 0))
            link.settimeout(TIMEOUT_SECONDS)
            ours, theirs = link.getsockname(), other.getsockname()
            other.close()  # QEMU takes the port over
            netdev = f"socket,id=net,udp={ours[0]}:{ours[1]},localaddr={theirs[0]}:{theirs[1]}"
            card = f"virtio-net-device,netdev=net,mac={GUEST_ADDRESS.hex(':')}"
            arguments = machine_arguments(command, devices=["-netdev", netdev, "-device", card])
            answers = []
            with _booted([qemu, *arguments]) as (process, lines):
                for frame in frames:
                    link.sendto(frame, theirs)
                    answers.append(link.recv(2048))
                rest, _ = process.communicate(timeout=TIMEOUT_SECONDS)
            return answers, read_run(b"".join(lines) + rest, process.returncode)

    return run


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Return a blank disk of 8 MiB."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(8 << 20)
    return path
