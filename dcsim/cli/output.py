"""What every command shares: where text goes, and how problems look.

Colour is never the only sign of anything; ``NO_COLOR`` and a pipe turn it off.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from dcsim.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from dcsim.errors import DcsimError, Problem

__all__ = ["error_console", "output_console", "show_error", "show_json", "show_tables"]

_PIPE_WIDTH = 200
_MOST_PROBLEMS = 50


def output_console() -> Console:
    """Return the console of data: stdout."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def error_console() -> Console:
    """Return the console of messages: stderr."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def show_tables(tables: Iterable[Table]) -> None:
    """Write tables to stdout with a blank line between them."""
    console = output_console()
    for index, table in enumerate(tables):
        if index:
            console.print()
        console.print(table)


def show_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Write a value to stdout as JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def show_error(error: DcsimError) -> None:
    """Write an error to stderr: every problem with its place and its remedy."""
    console = error_console()
    if not isinstance(error, ScenarioError):
        console.print(_headed("error", str(error)))
        return
    for problem in error.problems[:_MOST_PROBLEMS]:
        _show_problem(console, problem)
    left = len(error.problems) - _MOST_PROBLEMS
    if left > 0:
        console.print(Text(f"... and {left} more"))


def _show_problem(console: Console, problem: Problem) -> None:
    console.print(_headed("error", f"{problem.place}: {problem.message}"))
    if problem.remedy:
        console.print(_headed("  hint", problem.remedy))


def _headed(word: str, text: str) -> Text:
    style = "bold red" if word == "error" else "cyan"
    return Text.assemble((f"{word}: ", style), text)
