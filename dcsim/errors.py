"""Every exception that dcsim raises on purpose.

::

    DcsimError                     exit code 3 unless a subclass says otherwise
    ├── UsageError                 2   the caller asked for something that cannot be done
    ├── UnitError                  2   a quantity without, or with the wrong, unit
    ├── UnknownNameError           2   a name that no registry, catalogue or scenario knows
    ├── ScenarioError              2   a scenario with problems, each with its place
    ├── GuestImageError            2   a guest image that cannot be loaded (truncated, too large)
    ├── ResultsError               2   a result directory that is damaged, unfinished or in the way
    └── SimulationError            3   the run itself failed
        ├── PlacementError         3   no host can take a VM
        ├── MigrationError         3   a VM that cannot move (a local disk, no memory)
        ├── GuestFaultError        3   a guest did what its machine cannot survive
        ├── DeadlockError          3   nothing can make progress; the message holds the wait graph
        ├── InvariantError             3   a result that cannot be right: a bug in dcsim
        │   └── SeamError              3   something would have arrived in a vCPU's past
        └── MachineError           3   the machine world refused a request
            └── StoreFullError     3   the page store reached its limit

Invariant: every class can be rebuilt as ``type(error)(*error.args)``. SimPy does exactly that with
the exception of a failed process, and a process pool does it when an exception crosses processes.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DcsimError",
    "DeadlockError",
    "GuestFaultError",
    "GuestImageError",
    "InvariantError",
    "MachineError",
    "MigrationError",
    "Place",
    "PlacementError",
    "Problem",
    "ResultsError",
    "ScenarioError",
    "SeamError",
    "SimulationError",
    "StoreFullError",
    "UnitError",
    "UnknownNameError",
    "UsageError",
    "did_you_mean",
    "nearest",
]


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name that a name was probably meant to be, or None."""
    near = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return a remedy for an unknown name: the nearest allowed one, or all of them.

    Parameters
    ----------
    name
        What was written.
    allowed
        What could have been written, in the order in which to list it.
    """
    names = list(allowed)
    near = nearest(name, names)
    if near is not None:
        return f"did you mean `{near}`?"
    if not names:
        return "there is none to choose from"
    return "allowed: " + ", ".join(f"`{each}`" for each in names)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file (or a command-line option), and the line and column in it."""

    source: str
    """A path as the user wrote it, or an option such as ``--set vms.web.count=2``."""
    line: int | None = None
    """Counted from 1; None when the source has no lines."""
    column: int | None = None
    """Counted from 1, in characters."""

    def __str__(self) -> str:
        """Return ``source:line:column``, the form that editors and terminals link."""
        if self.line is None:
            return self.source
        if self.column is None:
            return f"{self.source}:{self.line}"
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where it stands and what would be right."""

    place: Place
    message: str
    remedy: str = ""
    """What to write instead; empty when the message says it all."""

    def __str__(self) -> str:
        """Return the problem in one line."""
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"{self.place}: {self.message}{tail}"


class DcsimError(Exception):
    """The base of all errors of this package."""

    exit_code: ClassVar[int] = 3
    """What the command line exits with when this error ends it."""


class UsageError(DcsimError):
    """The caller asked for something that cannot be done."""

    exit_code = 2


class UnitError(DcsimError, ValueError):
    """A quantity has no unit, the wrong unit, or is not a whole number of the base unit.

    Parameters
    ----------
    message
        What is wrong.
    remedy
        An example of what would be right.
    """

    exit_code = 2

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the message with its remedy."""
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class UnknownNameError(DcsimError, LookupError):
    """A name that no registry, catalogue or scenario knows.

    Parameters
    ----------
    kind
        What was looked for: ``hardware profile``, ``placement policy``.
    name
        The name that was not found.
    allowed
        The names that exist.
    """

    exit_code = 2

    def __init__(self, kind: str, name: str, allowed: Iterable[str] = ()) -> None:
        names = tuple(allowed)
        super().__init__(kind, name, names)
        self.kind = kind
        self.name = name
        self.allowed = names

    @property
    def message(self) -> str:
        """What is wrong, without the remedy."""
        return f"there is no {self.kind} `{self.name}`"

    @property
    def remedy(self) -> str:
        """The nearest known name, or all of them."""
        return did_you_mean(self.name, self.allowed)

    def __str__(self) -> str:
        """Return the message with its remedy."""
        return f"{self.message}; {self.remedy}"


class ScenarioError(DcsimError):
    """A scenario is not valid; holds every problem that was found.

    Parameters
    ----------
    problems
        At least one problem, in the order of their places.
    """

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        """Return one line for each problem."""
        return "\n".join(str(problem) for problem in self.problems)


class GuestImageError(DcsimError):
    """A guest image cannot be loaded: it is missing, not ELF, truncated or too large."""

    exit_code = 2


class ResultsError(DcsimError):
    """A result directory is damaged, unfinished or in the way."""

    exit_code = 2


class SimulationError(DcsimError):
    """The run itself failed."""


class PlacementError(SimulationError):
    """No host can take a VM."""


class MigrationError(SimulationError):
    """A VM cannot move, for example because its disk is local to its host."""


class GuestFaultError(SimulationError):
    """A guest did what its machine cannot survive."""


class DeadlockError(SimulationError):
    """Nothing can make progress; the message holds the wait graph."""


class InvariantError(SimulationError):
    """A result that cannot be right: a bug in dcsim, never the user's doing."""

    time_ns: int | None = None
    """The simulated time at which it was found; None outside a run."""


class SeamError(InvariantError):
    """Something would have arrived in a vCPU's past."""


class MachineError(SimulationError):
    """The machine world refused a request."""


class StoreFullError(MachineError):
    """The page store reached its limit."""
