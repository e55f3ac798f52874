"""The balloon's driver on QEMU, whose device and whose word on the balloon's size are not ours."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dcsim.guest import boot_arguments
from tests.guest.conftest import Run, read_run
from tests.qemu import TIMEOUT_SECONDS, booted, machine_arguments

MIB = 1 << 20
DEVICE = "virtio-balloon-device,id=balloon,free-page-reporting=on"


class Monitor:
    """A conversation with QEMU by its machine protocol."""

    def __init__(self, path: Path, output: Callable[[], bytes], process: int) -> None:
        self._output = output
        self._process = process
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT_SECONDS)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r")
        json.loads(self._lines.readline())  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        """Return the answer to a command; events in between are nobody's business."""
        question = {"execute": command, "arguments": arguments}
        self._socket.sendall(json.dumps(question).encode() + b"\n")
        while True:
            answer = json.loads(self._lines.readline())
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]

    def balloon_to(self, mebibytes: int) -> None:
        """Set the memory that the guest shall have, in MiB."""
        self.ask("balloon", value=mebibytes * MIB)

    def actual(self) -> int:
        """Return the memory, in MiB, that the guest has by its own account."""
        actual: int = self.ask("query-balloon")["actual"]
        return actual // MIB

    def wait_for(self, mebibytes: int) -> None:
        """Wait until the guest has so much memory."""
        until(lambda: self.actual() == mebibytes)

    def wait_for_line(self, line: bytes, *, prefix: bool = False) -> None:
        """Wait until the guest has printed a line, or one that begins like this."""
        while (said := self._output().strip()) != line:
            if prefix and said.startswith(line.strip()):
                return

    def resident(self) -> int:
        """Return the memory that the host has given to QEMU, in bytes."""
        return self._memory("VmRSS")

    def most_resident(self) -> int:
        """Return the most that it ever had."""
        return self._memory("VmHWM")

    def _memory(self, field: str) -> int:
        status = Path(f"/proc/{self._process}/status").read_text().splitlines()
        [line] = [line for line in status if line.startswith(field)]
        return int(line.split()[1]) * 1024

    def statistics(self) -> Mapping[str, int]:
        """Return fresh statistics of the guest."""
        place = "/machine/peripheral/balloon"
        before = self.ask("qom-get", path=place, property="guest-stats")["last-update"]
        self.ask("qom-set", path=place, property="guest-stats-polling-interval", value=1)

        def latest() -> Any:
            return self.ask("qom-get", path=place, property="guest-stats")

        until(lambda: latest()["last-update"] > before)
        stats: Mapping[str, int] = latest()["stats"]
        return stats

    def close(self) -> None:
        """End the conversation."""
        self._lines.close()
        self._socket.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the guest will do."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def ballooned(tmp_path: Path) -> Any:
    """Return a function that boots a program beside a balloon; the monitor, and how it ended."""

    @contextmanager
    def run(
        command: str,
        *,
        settings: Mapping[str, int | str] | None = None,
        device: str = DEVICE,
        typed: bytes = b"end\n",
        **options: Any,
    ) -> Iterator[tuple[Monitor, Callable[[], Run]]]:
        control = tmp_path / "qmp"
        control.unlink(missing_ok=True)
        devices = ["-device", device, "-qmp", f"unix:{control},server=on,wait=off"]
        arguments = machine_arguments(boot_arguments(command, settings), devices=devices, **options)
        with booted(arguments) as (process, console):
            read = [console]

            def next_line() -> bytes:
                read.append(process.stdout.readline())
                assert read[-1], f"QEMU ended early: {read!r}"
                return read[-1]

            def finish() -> Run:
                rest, _ = process.communicate(typed, timeout=TIMEOUT_SECONDS)
                return read_run(b"".join(read) + rest, process.returncode)

            monitor = Monitor(control, next_line, process.pid)

            try:
                yield monitor, finish
            finally:
                monitor.close()

    return run


def test_the_balloon_follows_its_target_up_and_down(ballooned: Any) -> None:
    with ballooned("echo", memory_mib=64) as (monitor, finish):
        assert monitor.actual() == 64
        for mebibytes in (40, 16, 48, 64):
            monitor.balloon_to(mebibytes)
            monitor.wait_for(mebibytes)
        run = finish()
    assert "kernel: balloon" in run.lines
    assert run.status == 0


def test_statistics_tell_of_free_and_all_memory(ballooned: Any) -> None:
    with ballooned("echo", memory_mib=64) as (monitor, finish):
        before = monitor.statistics()
        monitor.balloon_to(32)
        monitor.wait_for(32)
        after = monitor.statistics()
        assert finish().status == 0
    # The firmware keeps the first 2 MiB but tells of them too.
    assert before["stat-total-memory"] == after["stat-total-memory"] == 64 * MIB
    assert before["stat-free-memory"] - after["stat-free-memory"] == 32 * MIB
    assert before["stat-swap-in"] == after["stat-swap-out"] == after["stat-major-faults"] == 0
    assert after["stat-minor-faults"] >= before["stat-minor-faults"] > 0


def test_a_guest_that_must_page_to_inflate_computes_the_same(
    ballooned: Any, boot: Any, disk: Path
) -> None:
    # The process has 15 MiB, more than the machine keeps beside its kernel and firmware.
    command = "lookups size=15728640 steps=1000"
    with ballooned(f"{command} wait=1", disk=disk, settings={"swap_pages": 2000}, typed=b"\n") as (
        monitor,
        finish,
    ):
        monitor.wait_for_line(b"lookups filled")
        assert monitor.statistics()["stat-swap-out"] == 0
        monitor.balloon_to(16)
        monitor.wait_for(16)
        assert monitor.statistics()["stat-swap-out"] >= MIB
        run = finish()
    assert run.status == 0
    assert run.result("lookups") == boot(command).result("lookups")


def test_a_balloon_that_moves_all_the_time_changes_nothing(
    ballooned: Any, boot: Any, disk: Path
) -> None:
    command = (
        "suite parallel=1 run=swapper:size=8388608:passes=2,chase:size=4194304:stride=4096,files"
    )
    with ballooned(command, disk=disk, settings={"swap_pages": 1500}) as (monitor, finish):
        for mebibytes in (16, 20, 15, 32, 14, 24):
            monitor.balloon_to(mebibytes)
            time.sleep(0.02)
        run = finish()
    assert run.status == 0
    assert run.digests() == boot(command, disk=disk, memory_mib=64).digests()


@pytest.mark.parametrize(("choice", "banner"), [("refuse", True), ("off", False)])
def test_a_guest_that_refuses_gives_nothing(ballooned: Any, choice: str, banner: bool) -> None:
    with ballooned("echo", settings={"balloon": choice}) as (monitor, finish):
        monitor.balloon_to(16)
        time.sleep(0.3)
        assert monitor.actual() == 32
        run = finish()
    assert ("kernel: balloon" in run.lines) is banner
    assert run.status == 0


def test_what_does_not_fit_is_not_given(ballooned: Any) -> None:
    with ballooned("echo", memory_mib=32) as (monitor, finish):
        monitor.balloon_to(1)
        until(lambda: monitor.actual() <= 3)
        time.sleep(0.2)
        # The firmware's 2 MiB and the kernel can never be given.
        assert monitor.actual() >= 2
        assert monitor.statistics()["stat-free-memory"] >= 32 * 4096
        assert finish().status == 0


@pytest.mark.parametrize(("deflate", "status"), [("on", 0), ("off", 137)])
def test_pages_come_back_before_a_process_is_ended(
    ballooned: Any, deflate: str, status: int
) -> None:
    device = f"{DEVICE},deflate-on-oom={deflate}"
    command = "suite run=echo,swapper:size=20971520:passes=1"
    with ballooned(command, memory_mib=32, device=device) as (monitor, finish):
        monitor.balloon_to(12)
        monitor.wait_for(12)
        run = finish()
        assert run.result("suite") == {"failed": "0" if status == 0 else "1"}
    killed = any("killed: out of memory" in line for line in run.lines)
    assert killed is (status == 137)


@pytest.mark.parametrize("reporting", ["on", "off"])
def test_memory_that_is_reported_free_goes_back_to_the_host(ballooned: Any, reporting: str) -> None:
    # 16 MiB are written and freed, before somebody types, and once more behind that.
    device = f"virtio-balloon-device,id=balloon,free-page-reporting={reporting}"
    command = "suite run=swapper:size=16777216:passes=1,echo,swapper:size=20971520:passes=2"
    with ballooned(command, device=device) as (monitor, finish):
        monitor.wait_for_line(b"digest swapper#1 ", prefix=True)
        if reporting == "on":
            until(lambda: monitor.resident() < monitor.most_resident() - 12 * MIB)
        else:
            time.sleep(0.3)
            assert monitor.resident() > monitor.most_resident() - 4 * MIB
        run = finish()
    assert run.status == 0
    assert sum("wrong=0" in line for line in run.lines) == 2
