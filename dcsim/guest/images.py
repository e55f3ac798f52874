"""The built guest image and what is in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from dcsim.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

_IMAGES = files("dcsim.guest") / "images"


@dataclass(frozen=True, slots=True)
class Program:
    """A program linked into the kernel image.

    Attributes
    ----------
    name
        What ``init=`` takes.
    help
        One line: what it does and which arguments it takes.
    """

    name: str
    help: str


def kernel_image() -> bytes:
    """Return the kernel with all programs, as an ELF file.

    Returns
    -------
    bytes
        RISC-V ELF-64; its segments are to be loaded at their physical addresses.
    """
    return (_IMAGES / "kernel.elf").read_bytes()


def monitor_image() -> bytes:
    """Return the monitor that runs the kernel, or copies of itself, as an ELF file.

    Its boot arguments are the kernel's; ``monitor.depth=2`` before them asks for two monitors, one
    in the other.

    Returns
    -------
    bytes
        RISC-V ELF-64; its segments are to be loaded at their physical addresses.
    """
    return (_IMAGES / "monitor.elf").read_bytes()


def linux_folder() -> str:
    """Return the folder with the Linux programs that come with dcsim.

    Returns
    -------
    str
        Its path. The file ``programs`` in it is a static ELF file for RV64; its first argument
        chooses one of the programs whose sources are in ``dcsim/guest/linux``.
    """
    return str(_IMAGES / "linux")


def programs() -> list[Program]:
    """Return the programs in the kernel image, sorted by name.

    Returns
    -------
    list of Program
        What ``init=`` can name.
    """
    listed: dict[str, str] = json.loads((_IMAGES / "programs.json").read_text(encoding="utf-8"))
    return [Program(name, text) for name, text in sorted(listed.items())]


def boot_arguments(command: str, settings: Mapping[str, int | str] | None = None) -> str:
    """Return the kernel's boot arguments for running one program.

    Parameters
    ----------
    command
        The program and its arguments: ``"chase size=65536 steps=1000"``.
    settings
        The kernel's own settings without their prefix: ``{"swap_pages": 256}``.

    Returns
    -------
    str
        ``"kernel.swap_pages=256 init=chase size=65536 steps=1000"``.

    Raises
    ------
    UnknownNameError
        When there is no such program.
    """
    name = command.split(maxsplit=1)[0] if command.strip() else ""
    known = [program.name for program in programs()]
    if name not in known:
        raise UnknownNameError("guest program", name, known)
    words = [f"kernel.{key}={value}" for key, value in (settings or {}).items()]
    return " ".join([*words, f"init={command.strip()}"])
