"""One guest on one processor with its console at the user's terminal.

The session is a small model of its own: no events but the disk's answers and the guest's timer, so
it needs no SimPy. Simulated time depends on the guest and its input only; while the guest idles
and nobody types, the session waits in real time too, at most as long as the guest does.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dcsim.errors import DeadlockError, GuestFaultError

if TYPE_CHECKING:
    from dcsim.host import Exit, Machine

__all__ = ["Keyboard", "Screen", "Session", "SessionEnd"]

_SLICE_NS = 5_000_000
_LONGEST_WAIT_SECONDS = 0.05
_PCPU = 0


class Keyboard(Protocol):
    """Where a guest's input comes from."""

    def read(self, wait_seconds: float) -> bytes:
        """Return what was typed, after waiting for it at most so long; empty when nothing was."""

    @property
    def ended(self) -> bool:
        """Nothing will ever be typed any more."""


class Screen(Protocol):
    """Where a guest's output goes."""

    def write(self, output: bytes) -> None:
        """Show some output at once."""


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """How a session ended."""

    exit_status: int | None
    """What the guest powered off with; None when its time was up."""
    ended_ns: int


class Session:
    """Runs a guest until it powers off.

    Parameters
    ----------
    machine
        The machine; the guest's vCPU is not loaded yet.
    vm
        The guest's number.
    keyboard, screen
        Its console.
    disk_latency_ns
        What each request to its disk takes.
    until_ns
        Give up at this simulated time; None for never.
    """

    def __init__(
        self,
        machine: Machine,
        vm: int,
        keyboard: Keyboard,
        screen: Screen,
        *,
        disk_latency_ns: int = 80_000,
        until_ns: int | None = None,
    ) -> None:
        self._machine = machine
        self._vm = vm
        self._keyboard = keyboard
        self._screen = screen
        self._disk_latency_ns = disk_latency_ns
        self._until_ns = until_ns
        self._requests: list[tuple[int, int]] = []

    def run(self) -> SessionEnd:
        """Run to the guest's end or to the time limit.

        Raises
        ------
        GuestFaultError
            When the guest did what its machine cannot survive.
        DeadlockError
            When the guest waits for what cannot come.
        """
        now_ns = 0
        self._machine.load(_PCPU, self._vm, 0, now_ns)
        while self._until_ns is None or now_ns < self._until_ns:
            exit_ = self._machine.run(self._next_stop(now_ns))
            self._show()
            now_ns = max(now_ns, exit_.time_ns)
            if exit_.kind == "shutdown":
                return SessionEnd(exit_.code or 0, now_ns)
            now_ns = self._handle(exit_, now_ns)
            self._type(0.0)
            self._answer(now_ns)
        self._machine.unload(_PCPU)
        return SessionEnd(None, now_ns)

    def _next_stop(self, now_ns: int) -> int:
        """Return until when the guest may run before something reaches it."""
        stops = [now_ns + _SLICE_NS]
        if self._requests:
            stops.append(max(now_ns + 1, self._requests[0][0]))
        if self._until_ns is not None:
            stops.append(self._until_ns)
        return min(stops)

    def _handle(self, exit_: Exit, now_ns: int) -> int:
        """Do what an exit asks for; return the time at which the guest goes on."""
        if exit_.kind == "fault":
            raise GuestFaultError(exit_.message or "the guest failed")
        if exit_.kind == "io" and exit_.tag is not None:
            heapq.heappush(self._requests, (now_ns + self._disk_latency_ns, exit_.tag))
        if exit_.kind == "wait":
            return self._idle(exit_.wake_ns, now_ns)
        return now_ns

    def _idle(self, wake_ns: int | None, now_ns: int) -> int:
        """Let the guest sleep until something is due for it; return when that is."""
        self._machine.unload(_PCPU)
        while not self._machine.runnable(self._vm, 0):
            due = [time for time in (wake_ns, self._until_ns) if time is not None]
            if self._requests:
                due.append(self._requests[0][0])
            if not due and self._keyboard.ended:
                raise DeadlockError("the guest waits for an interrupt, and nothing can raise one")
            idle_seconds = (min(due) - now_ns) / 10**9 if due else _LONGEST_WAIT_SECONDS
            if self._type(min(max(idle_seconds, 0.0), _LONGEST_WAIT_SECONDS)):
                continue
            if due:
                now_ns = max(now_ns, min(due))
                self._answer(now_ns)
                break
        self._machine.load(_PCPU, self._vm, 0, now_ns)
        return now_ns

    def _answer(self, now_ns: int) -> None:
        """Finish the disk requests that are due."""
        while self._requests and self._requests[0][0] <= now_ns:
            time_ns, tag = heapq.heappop(self._requests)
            self._machine.complete_io(self._vm, tag, time_ns)

    def _type(self, wait_seconds: float) -> bool:
        """Hand over what was typed; tell whether something was."""
        typed = self._keyboard.read(wait_seconds)
        if typed:
            self._machine.console_input(self._vm, typed)
        return bool(typed)

    def _show(self) -> None:
        output = self._machine.console_output(self._vm)
        if output:
            self._screen.write(output)
