"""The user's terminal as a guest's keyboard and screen.

While a guest has the keyboard, each key reaches it at once and unechoed; Ctrl-C stays the way out.
The terminal is put back as it was, however the session ends.
"""

from __future__ import annotations

import os
import select
import sys
import termios
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StandardInput", "StandardOutput", "unbuffered_keys"]

_MOST_BYTES = 4096


class StandardInput:
    """The keyboard, or whatever stdin is."""

    def __init__(self) -> None:
        self._ended = sys.stdin is None or sys.stdin.closed
        self._number = -1 if self._ended else sys.stdin.fileno()

    @property
    def ended(self) -> bool:
        """Stdin was closed."""
        return self._ended

    def read(self, wait_seconds: float) -> bytes:
        """Return what was typed, after waiting for it at most so long."""
        if self._ended:
            return b""
        ready, _, _ = select.select([self._number], [], [], wait_seconds)
        if not ready:
            return b""
        typed = os.read(self._number, _MOST_BYTES)
        self._ended = not typed
        return typed


class StandardOutput:
    """The screen, or whatever stdout is."""

    def write(self, output: bytes) -> None:
        """Show some output at once."""
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()


@contextmanager
def unbuffered_keys() -> Iterator[None]:
    """Hand over each key as it is pressed, if stdin is a terminal."""
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        yield
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    raw = termios.tcgetattr(number)
    raw[0] &= ~(termios.ICRNL | termios.IXON)
    raw[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(number, termios.TCSADRAIN, raw)
    try:
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
