"""`dcsim boot` at a terminal: a live console, keys, the guest's status, counters, Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

# A shell that runs in the background ignores Ctrl-C for all that it starts.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from dcsim.cli import main
main()
"""
COMMAND = [sys.executable, "-c", PROGRAM, "boot"]

pytestmark = pytest.mark.slow


def _boot(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class Terminal:
    """A process at a terminal of its own, as a user has it."""

    def __init__(self, *arguments: str) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Read until a text was shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            ready, _, _ = select.select([self.ours], [], [], 1.0)
            assert time.monotonic() < deadline, self.shown
            if ready:
                self.shown += os.read(self.ours, 4096).decode(errors="replace")

    def type(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


@pytest.fixture
def terminal() -> Iterator[list[Terminal]]:
    """Return a list; terminals that are put into it are closed in the end."""
    opened: list[Terminal] = []
    yield opened
    for each in opened:
        each.close()


@pytest.mark.parametrize("technique", ["bare-metal", "trap-and-emulate"])
def test_shows_the_console_and_ends_with_the_guests_status(technique: str) -> None:
    done = _boot("syscalls n=10", "--technique", technique)

    assert done.returncode == 0
    assert "result syscalls n=10 right=10" in done.stdout
    assert done.stdout.rstrip().endswith("kernel: power off, status 0")


def test_a_guest_that_fails_gives_its_status() -> None:
    """`idle period=0` refuses to run."""
    done = _boot("idle period=0")

    assert done.returncode not in (0, 2, 3, 130)
    assert f"status {done.returncode}" in done.stdout


def test_counters_are_the_last_line_and_add_up() -> None:
    done = _boot("syscalls n=100", "--technique", "trap-and-emulate", "--counters", "json")

    counters = json.loads(done.stdout.splitlines()[-1])
    assert sum(counters["cycles_by_cause"].values()) == counters["total_cycles"] > 0
    assert counters["instructions"] > 100 * 14
    assert counters["exits"]


def test_two_boots_are_the_same_to_the_last_cycle() -> None:
    first, second = (_boot("integer iterations=1", "--counters", "json") for _ in range(2))

    assert first.stdout == second.stdout


def test_a_time_limit_stops_a_guest_that_would_go_on() -> None:
    done = _boot("idle", "--for", "50 ms")

    assert done.returncode == 0
    assert "stopped after 50 ms of simulated time" in done.stderr


def test_a_disk_is_there_when_asked_for() -> None:
    done = _boot("files files=2 size=2000", "--disk", "1 MiB")

    assert done.returncode == 0
    assert "result files files=2" in done.stdout


def test_keys_reach_the_guest_and_their_echo_the_screen(terminal: list[Terminal]) -> None:
    guest = Terminal("echo")
    terminal.append(guest)
    guest.wait_for("kernel:")

    guest.type("hello\r")
    guest.wait_for("echo hello")
    guest.type("end\r")
    guest.wait_for("power off, status 0")

    assert guest.process.wait(timeout=20) == 0


def test_ctrl_c_stops_at_once_and_gives_the_terminal_back(terminal: list[Terminal]) -> None:
    guest = Terminal("chase steps=4000000000 size=1048576")
    terminal.append(guest)
    guest.wait_for("kernel:")

    pressed = time.monotonic()
    guest.process.send_signal(signal.SIGINT)

    assert guest.process.wait(timeout=20) == 130
    assert time.monotonic() - pressed < 5


def test_an_interrupt_wakes_a_guest_that_sleeps_for_ever(terminal: list[Terminal]) -> None:
    guest = Terminal("echo")
    terminal.append(guest)
    guest.wait_for("kernel:")

    guest.process.send_signal(signal.SIGINT)

    assert guest.process.wait(timeout=20) == 130
