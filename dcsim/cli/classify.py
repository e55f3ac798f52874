"""``dcsim classify``: find out which instructions are privileged, sensitive or innocuous."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from dcsim.cli.options import format_option
from dcsim.cli.output import output_console, show_json
from dcsim.host.classification import DEFAULT_STATES
from dcsim.host.classification import classify as classify_instructions
from dcsim.hypervisor import demonstrate_recursion
from dcsim.report.classification import classification_parts

if TYPE_CHECKING:
    from dcsim.hardware import IsaName

__all__ = ["classify"]

_MOST_SEED = 2**64 - 1
_MOST_STATES = 100_000


@click.command()
@click.option("--isa", required=True, metavar="NAME", help="The instruction set, such as rv64gc.")
@click.option(
    "--seed",
    type=click.IntRange(0, _MOST_SEED),
    default=1,
    show_default=True,
    help="The seed of the machine states.",
)
@click.option(
    "--states",
    type=click.IntRange(1, _MOST_STATES),
    default=DEFAULT_STATES,
    show_default=True,
    help="Machine states for each instruction.",
)
@click.option("--recursive", is_flag=True, help="Run monitors inside monitors: theorem 2.")
@format_option
def classify(isa: str, *, seed: int, states: int, recursive: bool, output_format: str) -> int:
    """Find out by execution whether an instruction set can be virtualised.

    Executes every instruction in random machine states, in user and in supervisor mode, and judges
    theorems 1 and 3 of Popek and Goldberg (1974); theorem 2 is not about instructions and is tried
    out. A theorem whose condition fails is a result, not an error: the exit code is 0.

    \b
    Examples:
      dcsim classify --isa rv64gc --recursive
      dcsim classify --isa rv64gc-legacy --states 256 --seed 7
      dcsim classify --isa rv64gc-legacy-silent --format json
    """
    classification = classify_instructions(isa, seed=seed, states=states)
    if recursive:
        classification["recursion"] = demonstrate_recursion(cast("IsaName", isa))
    if output_format == "json":
        show_json(classification)
        return 0
    console = output_console()
    for index, part in enumerate(classification_parts(classification)):
        if index:
            console.print()
        console.print(part)
    return 0
