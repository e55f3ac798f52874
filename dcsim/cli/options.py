"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["format_option", "overrides_of", "scenario_argument", "seed_option", "set_option"]


scenario_argument = click.argument("scenario", type=click.Path(path_type=Path))

set_option = click.option(
    "--set",
    "overrides",
    metavar="PATH=VALUE",
    multiple=True,
    help="Change one value of the scenario, such as `vms.web.count=4`; repeatable.",
)

seed_option = click.option(
    "--seed", type=click.IntRange(min=0), help="Use this seed instead of the scenario's."
)

format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to write data to stdout.",
)


def overrides_of(overrides: tuple[str, ...], seed: int | None) -> list[str]:
    """Return the assignments that the options ask for, the seed last."""
    return [*overrides, *([] if seed is None else [f"seed={seed}"])]
