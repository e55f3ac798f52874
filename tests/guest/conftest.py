"""Booting the guest image on QEMU's `virt` machine: the outside check of image and simulator."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dcsim.guest import boot_arguments
from tests.qemu import TIMEOUT_SECONDS, booted, machine_arguments, require_qemu

GUEST_ADDRESS = bytes.fromhex("525400000001")


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


def read_run(output: bytes, status: int) -> Run:
    """Return what the kernel printed, without the firmware's banner."""
    lines = output.decode().replace("\r", "").splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("kernel: ")), len(lines))
    return Run(lines[start:], status)


@pytest.fixture(scope="session")
def qemu() -> str:
    """Return QEMU's path; without it, skip, or fail where it has to be there."""
    return require_qemu()


@pytest.fixture(scope="session")
def boot() -> Boot:
    """Return a function that boots the image with one program and waits for the power-off."""

    def run(
        command: str,
        *,
        typed: bytes = b"",
        settings: Mapping[str, int | str] | None = None,
        **options: Any,
    ) -> Run:
        arguments = machine_arguments(boot_arguments(command, settings), **options)
        with booted(arguments) as (process, console):
            rest, _ = process.communicate(typed, timeout=TIMEOUT_SECONDS)
        return read_run(console + rest, process.returncode)

    return run


@pytest.fixture(scope="session")
def boot_image(qemu: str) -> Callable[[Path], Run]:
    """Return a function that boots a kernel that may not get as far as to start its devices."""

    def run(image: Path) -> Run:
        arguments = [qemu, *machine_arguments(boot_arguments("integer iterations=1"), image=image)]
        ended = subprocess.run(
            arguments, input=b"", capture_output=True, check=False, timeout=TIMEOUT_SECONDS
        )
        return read_run(ended.stdout, ended.returncode)

    return run


@pytest.fixture(scope="session")
def converse() -> Callable[[str, Sequence[bytes]], tuple[list[bytes], Run]]:
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
            arguments = machine_arguments(
                boot_arguments(command), devices=["-netdev", netdev, "-device", card]
            )
            answers = []
            with booted(arguments) as (process, console):
                for frame in frames:
                    link.sendto(frame, theirs)
                    answers.append(link.recv(2048))
                rest, _ = process.communicate(timeout=TIMEOUT_SECONDS)
            return answers, read_run(console + rest, process.returncode)

    return run


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Return a blank disk of 8 MiB."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(8 << 20)
    return path
