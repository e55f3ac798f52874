"""``dcsim exec``: execute one Linux program without a guest kernel, as a shell would."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from rich.console import Console

from dcsim.cli.counters import counter_table
from dcsim.cli.options import duration, memory_size
from dcsim.cli.program_session import ProgramSession, StandardStreams
from dcsim.errors import MachineError, UsageError
from dcsim.guest import linux_folder
from dcsim.hardware import MissingName, load_profile
from dcsim.host.world import CoreWorld
from dcsim.hypervisor import LinuxProgram, VmConfig
from dcsim.units import DURATION

if TYPE_CHECKING:
    from dcsim.cli.program_session import ProgramEnd
    from dcsim.hardware import HardwareProfile
    from dcsim.host import Machine

__all__ = ["execute"]

_HOST_BYTES = 16 * 2**20
"""Memory of the host beyond the program's: the page tables."""
_NO_ENTRY = 2
_NOT_FOUND, _NOT_EXECUTABLE, _TIMED_OUT, _BROKEN_PIPE = 127, 126, 124, 141
"""What shells, and the command ``timeout``, exit with."""


def _variable(text: str) -> str:
    if not text.partition("=")[0] or "=" not in text:
        raise click.BadParameter(f"`{text}` is not of the form NAME=value")
    return text


def _extensions(text: str) -> tuple[MissingName, ...]:
    known: tuple[MissingName, ...] = get_args(MissingName)
    letters = tuple(sorted({each.strip() for each in text.lower().split(",")} - {""}))
    if not set(letters) <= set(known):
        raise click.BadParameter(f"`{text}` is no list of {', '.join(known)}")
    return tuple(letter for letter in known if letter in letters)


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="The folder that is all the program sees as `/`; the current one when left out.",
)
@click.option(
    "--files",
    type=click.Choice(["copy-on-write", "read-only"]),
    default="copy-on-write",
    show_default=True,
    help="Whether the program may write files. What it writes is kept apart and ends with it.",
)
@click.option("--sample", is_flag=True, help="PROGRAM is one of those that come with dcsim.")
@click.option("--directory", metavar="PATH", default="/", show_default=True, help="Begin there.")
@click.option(
    "--env",
    "environment",
    type=_variable,
    metavar="NAME=VALUE",
    multiple=True,
    help="A variable that it finds, and there are no others; repeatable.",
)
@click.option("--memory", type=memory_size, metavar="SIZE", default="64 MiB", show_default=True)
@click.option("--hardware", default="sifive-u54", show_default=True, help="A hardware profile.")
@click.option(
    "--lacks",
    type=_extensions,
    metavar="LIST",
    default="",
    help="Extensions that the processor does not have, such as `d,c`, of a, b, c, d and f: the"
    " host carries out their instructions, each after a trap.",
)
@click.option("--for", "limit", type=duration, metavar="DURATION", help="Stop then, with 124.")
@click.option(
    "--stats",
    type=click.Choice(["none", "table", "json"]),
    default="none",
    show_default=True,
    help="What was counted, on stderr after the program's end; `json` is its last line.",
)
def execute(  # noqa: PLR0913 - one for each option
    program: str,
    arguments: tuple[str, ...],
    *,
    root: Path,
    files: str,
    sample: bool,
    directory: str,
    environment: tuple[str, ...],
    memory: int,
    hardware: str,
    lacks: tuple[MissingName, ...],
    limit: int | None,
    stats: str,
) -> int:
    """Execute PROGRAM, a static Linux program for RV64, whose system calls the host answers.

    PROGRAM is a path in the root folder. Its streams are those of this command; its clock is the
    simulated one, so that it sleeps in no time. Options stand before PROGRAM.

    The exit code is the program's own, or 128 and the number of the signal that ended it; 126 and
    127 when it cannot be executed or found. System calls that there are not fail with ENOSYS, and
    are told on stderr in the end.

    \b
    Examples:
      dcsim exec --sample primes 100000
      echo "3 4" | dcsim exec --env COLOUR=blue --sample environment one
      dcsim exec --root build --files read-only --memory "16 MiB" bin/tool --fast
      dcsim exec --lacks d,b --stats table --sample mathematics
      dcsim exec --env LANG=C --directory /data --stats json /bin/tool
    """
    words = ("/programs", program, *arguments) if sample else (program, *arguments)
    linux_program = LinuxProgram(
        folder=linux_folder() if sample else str(root),
        writable=files == "copy-on-write",
        program=words[0],
        arguments=words,
        environment=environment,
        directory=directory,
        input_open=True,
    )
    machine, vm = _created(linux_program, memory, load_profile(hardware).without(lacks))
    streams = StandardStreams()
    try:
        end = ProgramSession(machine, vm, streams, streams, until_ns=limit).run()
    except BrokenPipeError:
        return _BROKEN_PIPE
    _tell_unknown_calls(machine, vm)
    _show_stats(machine, vm, end, stats)
    return _status(end, program, root)


def _created(program: LinuxProgram, memory: int, profile: HardwareProfile) -> tuple[Machine, int]:
    """Return a machine with one VM that executes the program, and the VM's number."""
    host_bytes = memory + memory // 8 + _HOST_BYTES
    machine = CoreWorld(2 * host_bytes).machine(profile, 1, host_bytes)
    config = VmConfig(
        name="program",
        program=program.program,
        kernel=b"",
        boot_arguments="",
        memory_bytes=memory,
        technique="process",
        paging="none",
        process=program,
        entropy_seed=1,
    )
    try:
        return machine, machine.create_vm(config.machine_json(), b"")
    except MachineError as error:
        # What can be wrong is what the options say.
        raise UsageError(str(error)) from None


def _status(end: ProgramEnd, program: str, root: Path) -> int:
    """Return what a shell would, and say why if the program did not end by itself."""
    if end.status is not None:
        return end.status
    if end.start_error == _NO_ENTRY:
        click.echo(f"error: there is no `{program}` in the root folder `{root}`", err=True)
        return _NOT_FOUND
    if end.start_error is not None:
        click.echo(f"error: `{program}` is not a static Linux program for RV64", err=True)
        return _NOT_EXECUTABLE
    click.echo(f"stopped after {DURATION.format(end.ended_ns)} of simulated time", err=True)
    return _TIMED_OUT


def _tell_unknown_calls(machine: Machine, vm: int) -> None:
    for number, count in machine.program(vm).unknown_calls.items():
        times = "once" if count == 1 else f"{count} times"
        click.echo(f"dcsim: system call {number} is unknown, was made {times}", err=True)


def _show_stats(machine: Machine, vm: int, end: ProgramEnd, form: str) -> None:
    """Write what was counted to stderr."""
    if form == "none":
        return
    program = machine.program(vm)
    stats: dict[str, Any] = {
        "status": end.status if end.status is not None else _TIMED_OUT,
        "simulated_ns": end.ended_ns,
        **machine.counters(vm),
        "calls": program.calls,
        "unknown_calls": {str(number): count for number, count in program.unknown_calls.items()},
    }
    if form == "json":
        sys.stderr.write(json.dumps(stats) + "\n")
    else:
        Console(file=sys.stderr, width=200, highlight=False).print(counter_table(stats))
