"""Sessions of `dcsim boot`: a guest and its console, against a machine that follows a script."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from dcsim.cli.session import Session, SessionEnd
from dcsim.errors import DeadlockError, GuestFaultError


@dataclass
class ScriptedMachine:
    """Returns one exit of a script for each run, and keeps what it was told."""

    script: list[dict[str, Any]]
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    ready: bool = False
    output: bytes = b""

    def run(self, until_ns: int) -> Any:
        exit_ = {"kind": "until", "time_ns": until_ns, **self.script.pop(0)}
        self.output = exit_.get("output", b"")
        self.calls.append(("run", until_ns))
        return SimpleNamespace(**exit_)

    def load(self, pcpu: int, vm: int, vcpu: int, at_ns: int) -> None:
        assert vcpu == 0
        self.calls.append(("load", pcpu, vm, at_ns))

    def unload(self, pcpu: int) -> None:
        self.calls.append(("unload", pcpu))

    def complete_io(self, vm: int, tag: int, at_ns: int, status: int = 0) -> None:
        self.calls.append(("complete", vm, tag, at_ns, status))
        self.ready = True

    def console_output(self, vm: int) -> bytes:
        output, self.output = self.output, b""
        return output

    def console_input(self, vm: int, data: bytes) -> None:
        self.calls.append(("type", vm, data))
        self.ready = True

    def runnable(self, vm: int, vcpu: int, at_ns: int | None = None) -> bool:
        assert vcpu == 0
        ready, self.ready = self.ready, False
        return ready


@dataclass
class ScriptedKeyboard:
    """Types what a script says, each time that it is asked."""

    script: list[bytes] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    closes: bool = True

    @property
    def ended(self) -> bool:
        return self.closes and not self.script

    def read(self, wait_seconds: float) -> bytes:
        self.waits.append(wait_seconds)
        return self.script.pop(0) if self.script else b""


class Screen:
    def __init__(self) -> None:
        self.shown = b""

    def write(self, output: bytes) -> None:
        self.shown += output


OFF = {"kind": "shutdown", "time_ns": 90_000_000, "code": 3}


def _session(
    script: list[dict[str, Any]], keys: list[bytes] | None = None, **options: Any
) -> tuple[Session, ScriptedMachine, ScriptedKeyboard, Screen]:
    machine = ScriptedMachine(script)
    keyboard, screen = ScriptedKeyboard(keys or []), Screen()
    session = Session(machine, 7, keyboard, screen, disk_latency_ns=1_000, **options)  # type: ignore[arg-type]
    return session, machine, keyboard, screen


def test_ends_with_the_guests_status_and_shows_its_console_in_order() -> None:
    session, _, _, screen = _session([{"output": b"hel"}, {"output": b"lo\n"}, OFF])

    assert session.run() == SessionEnd(3, 90_000_000)
    assert screen.shown == b"hello\n"


def test_keys_reach_the_guest_between_slices() -> None:
    session, machine, _, _ = _session([{}, {}, OFF], keys=[b"l", b"s"])

    session.run()

    assert [call for call in machine.calls if call[0] == "type"] == [
        ("type", 7, b"l"),
        ("type", 7, b"s"),
    ]


def test_a_disk_request_is_answered_after_its_latency() -> None:
    """The guest goes on meanwhile, but not past the answer."""
    session, machine, _, _ = _session([{"kind": "io", "time_ns": 500, "tag": 4}, {}, OFF])

    session.run()

    assert ("run", 1_500) in machine.calls
    assert ("complete", 7, 4, 1_500, 0) in machine.calls


def test_an_idle_guest_wakes_at_its_timer() -> None:
    session, machine, keyboard, _ = _session(
        [{"kind": "wait", "time_ns": 1_000, "wake_ns": 4_000_000}, OFF]
    )

    session.run()

    assert machine.calls[2:4] == [("unload", 0), ("load", 0, 7, 4_000_000)]
    assert keyboard.waits[0] == pytest.approx(0.003999)


def test_an_idle_guest_wakes_for_its_disk_before_its_timer() -> None:
    session, machine, _, _ = _session(
        [
            {"kind": "io", "time_ns": 500, "tag": 4},
            {"kind": "wait", "time_ns": 600, "wake_ns": 9_000},
            OFF,
        ]
    )

    session.run()

    assert ("complete", 7, 4, 1_500, 0) in machine.calls
    assert ("load", 0, 7, 1_500) in machine.calls


def test_a_key_wakes_a_guest_that_waits_for_nothing_else() -> None:
    session, machine, keyboard, _ = _session(
        [{"kind": "wait", "time_ns": 1_000, "wake_ns": None}, OFF], keys=[b"", b"", b"x"]
    )

    session.run()

    assert ("type", 7, b"x") in machine.calls
    assert ("load", 0, 7, 1_000) in machine.calls
    assert max(keyboard.waits) <= 0.05


def test_a_guest_that_nothing_can_wake_is_told() -> None:
    session, _, _, _ = _session([{"kind": "wait", "time_ns": 1_000, "wake_ns": None}])

    with pytest.raises(DeadlockError, match="nothing can raise one"):
        session.run()


def test_a_fault_is_told() -> None:
    session, _, _, _ = _session([{"kind": "fault", "message": "the guest jumped into nothing"}])

    with pytest.raises(GuestFaultError, match="jumped into nothing"):
        session.run()


def test_a_time_limit_ends_it() -> None:
    session, machine, _, _ = _session([{}, {}], until_ns=6_000_000)

    assert session.run() == SessionEnd(None, 6_000_000)
    assert [call for call in machine.calls if call[0] == "run"] == [
        ("run", 5_000_000),
        ("run", 6_000_000),
    ]


def test_a_time_limit_ends_a_sleep() -> None:
    session, _, _, _ = _session(
        [{"kind": "wait", "time_ns": 1_000, "wake_ns": 10**12}], until_ns=2_000_000
    )

    assert session.run() == SessionEnd(None, 2_000_000)
