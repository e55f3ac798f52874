"""``dcsim boot``: boot one guest with its console at the terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from dcsim.cli.counters import counter_table
from dcsim.cli.options import duration, memory_size, size
from dcsim.cli.output import show_tables
from dcsim.cli.session import Session
from dcsim.cli.terminal import StandardInput, StandardOutput, unbuffered_keys
from dcsim.errors import GuestImageError
from dcsim.guest import boot_arguments, kernel_image
from dcsim.hardware import IsaName, load_profile
from dcsim.host.world import CoreWorld
from dcsim.hypervisor import (
    PAGINGS,
    TECHNIQUES,
    VmConfig,
    default_paging,
    misfit,
    paging_misfit,
    translation_misfit,
)
from dcsim.units import DURATION

if TYPE_CHECKING:
    from dcsim.host import Machine
    from dcsim.hypervisor import PagingName, TechniqueName

__all__ = ["boot"]

_HOST_BYTES = 64 * 2**20
"""Memory of the host beyond the guest's: the monitor's tables and devices."""
_MOST_STATUS = 255
"""A larger status of a guest, of which a shell would see eight bits, is shown as this one."""


@click.command()
@click.argument("program")
@click.option(
    "--technique",
    type=click.Choice(list(TECHNIQUES)),
    default="bare-metal",
    show_default=True,
    help="How the CPU is virtualised.",
)
@click.option(
    "--paging",
    type=click.Choice(list(PAGINGS)),
    help="How guest addresses are translated; the technique's own when left out.",
)
@click.option("--translate-user", is_flag=True, help="Translate user code as the kernel's is.")
@click.option("--memory", type=memory_size, metavar="SIZE", default="64 MiB", show_default=True)
@click.option("--disk", type=size, metavar="SIZE", help="Give it an empty disk.")
@click.option("--hardware", default="sifive-u54", show_default=True, help="A hardware profile.")
@click.option(
    "--isa",
    type=click.Choice(get_args(IsaName)),
    help="The processor's instruction set; the profile's own when left out.",
)
@click.option(
    "--image",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Boot this kernel (ELF, raw or Linux Image) instead of the one that comes with dcsim.",
)
@click.option("--kernel", "kernel_arguments", default="", help="Arguments for the kernel itself.")
@click.option("--for", "limit", type=duration, metavar="DURATION", help="Stop then.")
@click.option(
    "--counters",
    type=click.Choice(["none", "table", "json"]),
    default="none",
    show_default=True,
    help="What was counted, after the guest's end; `json` is the last line of stdout.",
)
def boot(  # noqa: PLR0913 - one for each option
    program: str,
    *,
    technique: TechniqueName,
    paging: PagingName | None,
    translate_user: bool,
    memory: int,
    disk: int | None,
    hardware: str,
    isa: IsaName | None,
    image: Path | None,
    kernel_arguments: str,
    limit: int | None,
    counters: str,
) -> int:
    """Boot one guest that runs PROGRAM, with its console here.

    Keys go to the guest; Ctrl-C stops at once. The exit code is the guest's own.

    \b
    Examples:
      dcsim boot "integer rounds=10"
      dcsim boot "files" --disk "4 MiB" --technique trap-and-emulate --counters json
    """
    profile = load_profile(hardware).with_isa(isa)
    paging = default_paging(technique) if paging is None else paging
    if found := (
        paging_misfit(technique, paging)
        or translation_misfit(technique, translate_user=translate_user)
        or misfit(technique, paging, profile)
    ):
        raise click.UsageError(f"{found.message}; {found.remedy}")
    if image is None:
        content, arguments = kernel_image(), boot_arguments(program)
    else:
        content, arguments = _read(image), f"init={program}"
    host_bytes = memory + memory // 4 + _HOST_BYTES
    world = CoreWorld(2 * host_bytes)
    machine = world.machine(profile, pcpus=1, memory_bytes=host_bytes)
    config = VmConfig(
        name="guest",
        program=program,
        kernel=content,
        boot_arguments=f"{kernel_arguments} {arguments}".strip(),
        memory_bytes=memory,
        technique=technique,
        paging=paging,
        translate_user=translate_user,
        entropy_seed=1,
    )
    vm = machine.create_vm(config.machine_json(), content, world.disk(disk) if disk else None)
    session = Session(machine, vm, StandardInput(), StandardOutput(), until_ns=limit)
    with unbuffered_keys():
        end = session.run()
    _show_counters(machine, vm, counters)
    if end.exit_status is None:
        click.echo(f"stopped after {DURATION.format(end.ended_ns)} of simulated time", err=True)
        return 0
    return min(end.exit_status, _MOST_STATUS)


def _read(image: Path) -> bytes:
    try:
        return image.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise GuestImageError(f"{image}: cannot be read: {reason}") from None


def _show_counters(machine: Machine, vm: int, form: str) -> None:
    """Write what was counted to stdout."""
    if form == "table":
        show_tables([counter_table(machine.counters(vm))])
    elif form == "json":
        sys.stdout.write(json.dumps(machine.counters(vm)) + "\n")
