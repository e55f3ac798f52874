"""Compares a result with what its scenario expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.scenario.measure import read_measure
from dcsim.scenario.metrics import read_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.errors import Place
    from dcsim.results.metrics import Summary, Value
    from dcsim.scenario import Expectation, ScenarioFile

__all__ = ["Outcome", "check_expectations"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one bound of one expectation."""

    metric: str
    comparison: str
    """``>=``, ``<=`` or ``==``."""
    bound: float | str
    """In the metric's unit."""
    unit: str
    value: Value
    """What the metric was; None when it has no value."""
    passed: bool
    place: Place
    """Where the bound stands in the scenario file."""

    def __str__(self) -> str:
        """Return the outcome in one line, with its place when it failed."""
        wanted = f"{self.metric} {self.wanted}"
        if self.passed:
            return f"{wanted}: it is {self.found}"
        was = "it has no value" if self.value is None else f"it is {self.found}"
        return f"{self.place}: expected {wanted}, but {was}"

    @property
    def wanted(self) -> str:
        """The comparison with its bound: ``<= 5000000 ns``."""
        return f"{self.comparison} {self.bound}{self._unit}"

    @property
    def found(self) -> str:
        """The metric's value with its unit."""
        return "no value" if self.value is None else f"{self.value}{self._unit}"

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit not in ("", "count", "share") else ""


def check_expectations(file: ScenarioFile, summary: Summary) -> tuple[Outcome, ...]:
    """Compare every expectation of a scenario with the result, in the file's order."""
    return tuple(
        outcome
        for index, expectation in enumerate(file.scenario.expect)
        for outcome in _outcomes(file, index, expectation, summary)
    )


def _outcomes(
    file: ScenarioFile, index: int, expectation: Expectation, summary: Summary
) -> Iterator[Outcome]:
    measure = read_measure(expectation.metric, list(summary.vms), list(summary.hosts))
    value, unit = measure.value(summary.value), measure.metric.unit
    for key, comparison, written in expectation.bounds():
        bound = read_bound(measure.metric, written)
        passed = _holds(value, comparison, bound)
        place = file.place("expect", index, key)
        yield Outcome(expectation.metric, comparison, bound, unit, value, passed, place)


def _holds(value: Value, comparison: str, bound: float | str) -> bool:
    if value is None:
        return False
    if isinstance(value, str) or isinstance(bound, str):
        return comparison == "==" and value == bound
    if comparison == ">=":
        return value >= bound
    if comparison == "<=":
        return value <= bound
    return value == bound
