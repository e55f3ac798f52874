"""One process-level VM on one processor, with the user's streams.

Simulated time depends on the program and its input only: while the program sleeps nobody waits, and
while it waits for input no simulated time passes. At a terminal a wait for input that has an end is
one of real time, as the one who types expects.
"""

from __future__ import annotations

import os
import select
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dcsim.errors import DeadlockError, GuestFaultError

if TYPE_CHECKING:
    from dcsim.host import Exit, Machine

__all__ = ["Input", "Output", "ProgramEnd", "ProgramSession", "StandardStreams"]

_SLICE_NS = 20_000_000
_MOST_BYTES = 1 << 16
_PCPU = 0


class Input(Protocol):
    """Where a program's input comes from."""

    @property
    def is_interactive(self) -> bool:
        """Somebody types it."""

    def read(self, wait_seconds: float | None) -> bytes | None:
        """Return some input, after waiting so long at most.

        None means that nothing came, an empty text that nothing ever will.
        """


class Output(Protocol):
    """Where a program's output goes."""

    def write(self, output: bytes, *, is_error: bool) -> None:
        """Show some output at once."""


class StandardStreams:
    """The standard streams of this process."""

    @property
    def is_interactive(self) -> bool:
        """Stdin is a terminal."""
        return sys.stdin is not None and sys.stdin.isatty()

    def read(self, wait_seconds: float | None) -> bytes | None:
        """Return what stdin has, after waiting for it at most so long."""
        if sys.stdin is None or sys.stdin.closed:
            return b""
        number = sys.stdin.fileno()
        if not select.select([number], [], [], wait_seconds)[0]:
            return None
        return os.read(number, _MOST_BYTES)

    def write(self, output: bytes, *, is_error: bool) -> None:
        """Write to stdout or stderr at once."""
        stream = sys.stderr.buffer if is_error else sys.stdout.buffer
        stream.write(output)
        stream.flush()


@dataclass(frozen=True, slots=True)
class ProgramEnd:
    """How a program ended."""

    status: int | None
    """What a shell would see: 128 and its number for a signal; None when its time was up."""
    start_error: int | None
    """Linux's number of the error why it could not be loaded at all."""
    ended_ns: int


class ProgramSession:
    """Executes a program until it ends.

    Parameters
    ----------
    machine
        The machine; the VM's vCPU is not loaded yet.
    vm
        The VM's number.
    source, target
        The program's streams.
    until_ns
        Give up at this simulated time; None for never.
    """

    def __init__(
        self,
        machine: Machine,
        vm: int,
        source: Input,
        target: Output,
        *,
        until_ns: int | None = None,
    ) -> None:
        self._machine = machine
        self._vm = vm
        self._program = machine.program(vm)
        self._source = source
        self._target = target
        self._until_ns = until_ns

    def run(self) -> ProgramEnd:
        """Run to the program's end or to the time limit.

        Raises
        ------
        GuestFaultError
            When the host cannot go on with the program.
        DeadlockError
            When the program waits for what cannot come.
        """
        now_ns = 0
        self._machine.load(_PCPU, self._vm, 0, now_ns)
        while self._until_ns is None or now_ns < self._until_ns:
            exit_ = self._machine.run(self._next_stop(now_ns))
            self._show()
            now_ns = max(now_ns, exit_.time_ns)
            if exit_.kind == "shutdown":
                return ProgramEnd(exit_.code or 0, None, now_ns)
            if exit_.kind == "fault" and self._program.start_error is not None:
                return ProgramEnd(None, self._program.start_error, now_ns)
            now_ns = self._handle(exit_, now_ns)
        return ProgramEnd(None, None, now_ns)

    def _next_stop(self, now_ns: int) -> int:
        """Return until when the program may run before its output is shown."""
        slice_end = now_ns + _SLICE_NS
        return slice_end if self._until_ns is None else min(slice_end, self._until_ns)

    def _handle(self, exit_: Exit, now_ns: int) -> int:
        """Do what an exit asks for; return the time at which the program goes on."""
        if exit_.kind == "wait":
            return self._idle(exit_.wake_ns, now_ns)
        if exit_.kind != "until":
            raise GuestFaultError(exit_.message or f"the host has no answer to `{exit_.kind}`")
        if self._program.wants_input:
            self._feed(0.0)
        return now_ns

    def _idle(self, wake_ns: int | None, now_ns: int) -> int:
        """All threads wait: hand over input, or let the time pass; return when it goes on."""
        if self._program.wants_input:
            bounded = self._source.is_interactive and wake_ns is not None
            if self._feed((wake_ns - now_ns) / 10**9 if bounded and wake_ns else None):
                return now_ns
        if wake_ns is None:
            raise DeadlockError("the program waits for what nobody does")
        until_ns = wake_ns if self._until_ns is None else min(wake_ns, self._until_ns)
        self._machine.unload(_PCPU)
        self._machine.load(_PCPU, self._vm, 0, until_ns)
        return until_ns

    def _feed(self, wait_seconds: float | None) -> bool:
        """Hand over input that there is; tell whether there was any, or will never be."""
        data = self._source.read(wait_seconds)
        if data is None:
            return False
        self._program.give_input(data, not data)
        return True

    def _show(self) -> None:
        for is_error, output in self._program.output():
            self._target.write(output, is_error=is_error)
