"""Expectations: bounds on metrics that turn a scenario into a check."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from dcsim.scenario.model import Model

__all__ = ["Bound", "Expectation"]

Bound = int | float | str
"""A number in the metric's own unit, or a text with a unit (`5 ms`) for a metric that has one."""


class Expectation(Model):
    """What a metric of the result must be; `at_least` and `at_most` may stand together."""

    metric: str
    """`vm.<name>.<metric>`, `host.<name>.<metric>` or `cluster.<metric>`."""
    at_least: Bound | None = None
    """The metric is this or more."""
    at_most: Bound | None = None
    """The metric is this or less."""
    equals: Bound | None = None
    """The metric is exactly this."""
    between: Annotated[tuple[Bound, Bound] | None, Field(strict=False)] = None
    """The metric lies from the first to the second, both included."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> Expectation:
        given = [self.at_least, self.at_most, self.equals, self.between]
        if all(bound is None for bound in given):
            raise ValueError("needs one of `at_least`, `at_most`, `equals`, `between`")
        return self
