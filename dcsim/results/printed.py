"""What guests print about themselves: integers in ``result``, ``nano`` and ``kernel:`` lines.

A guest program ends with a line such as ``result syscalls n=1000 right=1000``; the kernel's
stopwatch prints lines such as ``nano pagefault rounds=100 cycles=61234 empty=456``, and the kernel
itself, when it is asked to, ``kernel: lock taken=900 contended=12 ...``. What a guest measured
itself is there and nowhere else.
"""

from __future__ import annotations

import re

__all__ = ["KINDS", "printed_figures"]

KINDS = ("result", "nano", "kernel")
"""The first words of the lines that count."""

_LINE = re.compile(rb"^(%s):? ([a-z][a-z0-9_-]*) (.*)$" % "|".join(KINDS).encode(), re.MULTILINE)
_FIGURE = re.compile(rb"(?:^| )([a-z][a-z0-9_-]*)=(-?[0-9]{1,18})(?= |$)")
"""At most 18 digits, so that every figure fits into a column of 64 bits."""


def printed_figures(console: bytes) -> dict[str, dict[str, int]]:
    r"""Return the integers that a guest printed, by kind of line, then by name and key.

    Parameters
    ----------
    console
        What it wrote. A name that was printed several times counts with its last line for each key.

    Examples
    --------
    >>> printed_figures(b"result syscalls n=7 hash=0x1f right=7\n")
    {'result': {'syscalls.n': 7, 'syscalls.right': 7}, 'nano': {}, 'kernel': {}}
    """
    figures: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
    for kind, name, text in _LINE.findall(console.replace(b"\r", b"")):
        for key, value in _FIGURE.findall(text):
            figures[kind.decode()][f"{name.decode()}.{key.decode()}"] = int(value)
    return figures
