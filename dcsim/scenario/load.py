"""Reads a scenario file: text, overrides, shape, meaning; every problem with its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from dcsim.errors import Place, Problem, ScenarioError
from dcsim.scenario.checks import check_scenario
from dcsim.scenario.document import Node, parse_text, plain, read_text
from dcsim.scenario.explain import explain, place_of
from dcsim.scenario.overrides import apply, parse_override
from dcsim.scenario.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ScenarioFile", "load_scenario", "read_scenario"]

_LONGEST_READ_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    """A scenario and the document that it was read from."""

    scenario: Scenario
    root: Node

    def place(self, *location: int | str, key: bool = False) -> Place:
        """Return where something of the scenario stands in its file.

        Parameters
        ----------
        *location
            Keys and indices from the root: ``"expect", 0, "metric"``.
        key
            Ask for the place of the last key rather than of its value.
        """
        return place_of(self.root, location, key=key)


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> ScenarioFile:
    """Read a scenario file.

    Parameters
    ----------
    path
        A YAML file; paths inside it are relative to its folder.
    overrides
        Assignments such as ``vms.web.count=4``, made in order before anything is checked.

    Raises
    ------
    ScenarioError
        With every problem that could be found, each with file, line and column.

    Examples
    --------
    >>> file = load_scenario("scenarios/quickstart.yaml", ["seed=7"])
    >>> file.scenario.seed
    7
    """
    source = str(path)
    return read_scenario(_content(Path(path), source), source, Path(path).parent, overrides)


def read_scenario(
    content: bytes, source: str, folder: Path, overrides: Sequence[str] = ()
) -> ScenarioFile:
    """Read a scenario from the bytes of a file; see :func:`load_scenario`.

    Parameters
    ----------
    content
        YAML in UTF-8.
    source
        What to call the file in places.
    folder
        Where paths inside it begin.
    overrides
        Assignments, made in order.
    """
    root, noted = parse_text(read_text(content, source), source)
    problems = list(noted)
    for text in overrides:
        try:
            root = apply(root, parse_override(text))
        except ScenarioError as error:
            problems += error.problems
    scenario, found = _validated(root, folder)
    problems += found
    if problems or scenario is None:
        raise ScenarioError(sorted(problems, key=_order))
    return ScenarioFile(scenario, root)


def _content(path: Path, source: str) -> bytes:
    """Return a file's bytes."""
    try:
        if path.stat().st_size > _LONGEST_READ_BYTES:
            message = f"the file has {path.stat().st_size:,} bytes"
            raise _failed(source, message, "a scenario has less than a million")
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _failed(source, f"cannot be read: {reason}", "check the path") from None


def _validated(root: Node, folder: Path) -> tuple[Scenario | None, list[Problem]]:
    """Check shape, then meaning; meaning needs a shape to look at."""
    try:
        scenario = Scenario.model_validate(plain(root)).with_folder(folder)
    except ValidationError as error:
        return None, explain(error, root)
    return scenario, [
        Problem(place_of(root, finding.location), finding.message, finding.remedy)
        for finding in check_scenario(scenario)
    ]


def _order(problem: Problem) -> tuple[str, int, int]:
    return problem.place.source, problem.place.line or 0, problem.place.column or 0


def _failed(source: str, message: str, remedy: str) -> ScenarioError:
    return ScenarioError([Problem(Place(source), message, remedy)])
