"""Monitors inside monitors for the terminal: what was run, and the verdict on theorem 2."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from dcsim.report.figures import count

__all__ = ["recursion_table", "recursion_verdict"]

Part = dict[str, Any]


def recursion_table(recursion: Part) -> Table:
    """Return what was run, a row for each program in each stack of monitors."""
    table = Table(
        title="Monitors in monitors, the outermost first",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for column in ("monitors", "program", "leaves behind"):
        table.add_column(column)
    table.add_column("cycles", justify="right")
    table.add_column("exits, by monitor")
    for stack in recursion["stacks"]:
        for run in stack["runs"]:
            outcome = "what a bare machine does" if run["same"] else run["symptom"]
            exits = " / ".join(count(each) for each in run["exits"])
            monitors = ", ".join(stack["monitors"])
            table.add_row(monitors, run["program"], outcome, count(run["cycles"]), exits)
    return table


def recursion_verdict(*, virtualisable: bool, recursion: Part) -> tuple[str, str]:
    """Return the verdict on theorem 2, and what it rests on.

    Parameters
    ----------
    virtualisable
        Whether theorem 1 holds.
    recursion
        What was run.
    """
    condition = "theorem 1, and a monitor that does not depend on time"
    runs = [(stack, run) for stack in recursion["stacks"] for run in stack["runs"]]
    if virtualisable and recursion["holds"]:
        shown = f"demonstrated by {len(runs)} runs in {len(recursion['stacks'])} stacks of monitors"
        return "recursively virtualisable", f"{condition}; {shown}"
    failed = [(stack, run) for stack, run in runs if not run["same"]]
    if not failed:
        return "not recursively virtualisable", f"{condition}; theorem 1 does not hold"
    stack, run = failed[0]
    where = f"{run['program']} in {', '.join(stack['monitors'])}"
    return "not demonstrated", f"{condition}; {where}: {run['symptom']}"
