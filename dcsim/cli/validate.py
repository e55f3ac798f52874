"""``dcsim validate``: read scenarios and tell everything that is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dcsim.cli.options import set_option
from dcsim.errors import ScenarioError
from dcsim.scenario import load_scenario

if TYPE_CHECKING:
    from dcsim.errors import Problem

__all__ = ["validate"]


@click.command()
@click.argument("scenarios", nargs=-1, required=True, type=click.Path())
@set_option
def validate(scenarios: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Check scenario files without running them.

    Every problem is reported with its file, line and column, and what would be right.

    \b
    Examples:
      dcsim validate scenarios/quickstart.yaml
      dcsim validate my.yaml --set hosts.rack1-a.memory="1 GiB"
    """
    problems: list[Problem] = []
    for path in scenarios:
        try:
            scenario = load_scenario(path, overrides).scenario
        except ScenarioError as error:
            problems += error.problems
            continue
        hosts, vms = len(list(scenario.each_host())), len(list(scenario.each_vm()))
        click.echo(f"{path}: valid, {hosts} hosts, {vms} VMs, {len(scenario.expect)} expectations")
    if problems:
        raise ScenarioError(problems)
