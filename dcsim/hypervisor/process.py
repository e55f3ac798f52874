"""What a process-level VM executes: a program, and the file tree that it finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LinuxProgram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxProgram:
    """A static Linux program for RV64, and its world."""

    folder: str
    """The folder of the simulating machine that is its file tree."""
    writable: bool = True
    """Whether it may write files; what it writes is kept apart and gone when it ends."""
    program: str
    """Its path in the tree."""
    arguments: tuple[str, ...]
    """With the program's name as the first."""
    environment: tuple[str, ...] = ()
    """``NAME=value``."""
    directory: str = "/"
    """The directory of the tree that it begins in."""
    input: str = ""
    """What it reads from its input."""
    input_open: bool = False
    """Whether more may come while it executes."""

    @classmethod
    def of_command(cls, folder: str, words: Sequence[str], *, input_text: str = "") -> LinuxProgram:
        """Return the program that the words of a command name: its path, then arguments."""
        path = words[0] if words[0].startswith("/") else f"/{words[0]}"
        return cls(folder=folder, program=path, arguments=tuple(words), input=input_text)

    def text(self) -> dict[str, object]:
        """Return it as the machine world reads it."""
        return asdict(self)
