"""What was counted for one guest, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from dcsim.report.figures import count

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["counter_table"]


def counter_table(counters: Mapping[str, Any]) -> Table:
    """Return a table of counters; those that are in a group bear its name."""
    table = Table(title="Counters", title_justify="left", box=None, pad_edge=False)
    table.add_column("counter")
    table.add_column("value", justify="right")
    for name, value in counters.items():
        if isinstance(value, dict):
            for member, figure in value.items():
                table.add_row(f"{name}.{member}", count(figure))
        else:
            table.add_row(name, count(value))
    return table
