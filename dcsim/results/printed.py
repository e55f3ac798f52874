"""What guests print about themselves: the integers in their ``result`` lines.

A guest program ends with a line such as ``result syscalls n=1000 right=1000``. What it measured
itself, cycles of an operation for example, is there and nowhere else.
"""

from __future__ import annotations

import re

__all__ = ["printed_figures"]

_LINE = re.compile(rb"^result ([a-z][a-z0-9_-]*) (.*)$", re.MULTILINE)
_FIGURE = re.compile(rb"(?:^| )([a-z][a-z0-9_]*)=(-?[0-9]{1,18})(?= |$)")
"""At most 18 digits, so that every figure fits into a column of 64 bits."""


def printed_figures(console: bytes) -> dict[str, int]:
    r"""Return the integers that a guest printed, by program and key.

    Parameters
    ----------
    console
        Everything that it wrote. A program that printed several times counts with its last.

    Examples
    --------
    >>> printed_figures(b"result syscalls n=7 hash=0x1f right=7\n")
    {'syscalls.n': 7, 'syscalls.right': 7}
    """
    figures = {}
    for program, text in _LINE.findall(console.replace(b"\r", b"")):
        for key, value in _FIGURE.findall(text):
            figures[f"{program.decode()}.{key.decode()}"] = int(value)
    return figures
