"""``dcsim schema``: print the JSON Schema of scenario files."""

from __future__ import annotations

import click

from dcsim.scenario.schema import schema_text

__all__ = ["schema"]


@click.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for completion and checks in an editor.

    \b
    Example:
      dcsim schema > scenario.schema.json
    """
    click.echo(schema_text(), nl=False)
