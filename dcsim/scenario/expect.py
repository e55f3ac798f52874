"""Expectations: bounds on metrics that turn a scenario into a check."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from dcsim.scenario.model import Model

__all__ = ["Bound", "Expectation"]


def _number_or_text(value: object) -> object:
    """Refuse what is neither before the union can report it three times."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | None):
        raise ValueError("must be a number or a text")  # noqa: TRY004 - pydantic's protocol
    return value


Bound = Annotated[int | float | str, BeforeValidator(_number_or_text)]
"""A number in the metric's own unit, or a text with a unit (`5 ms`) for a metric that has one."""

OptionalBound = Annotated[int | float | str | None, BeforeValidator(_number_or_text)]


class Expectation(Model):
    """What a metric of the result must be; `at_least` and `at_most` may stand together."""

    metric: str
    """`vm.<name>.<metric>`, `host.<name>.<metric>` or `cluster.<metric>`, or arithmetic with
    several: `vm.a.total_cycles / vm.b.total_cycles`. Operators (`+`, `-`, `*`, `/`) stand between
    spaces; parentheses group. `slope(1 vm.a.total_cycles, 2 vm.b.total_cycles)` and
    `r_squared(...)` are of the straight line that fits points best."""
    at_least: OptionalBound = None
    """The metric is this or more."""
    at_most: OptionalBound = None
    """The metric is this or less."""
    equals: OptionalBound = None
    """The metric is exactly this."""
    between: Annotated[tuple[Bound, Bound], Field(strict=False)] | None = None
    """The metric lies from the first to the second, both included."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> Expectation:
        if not self.bounds():
            raise ValueError("needs one of `at_least`, `at_most`, `equals`, `between`")
        return self

    def bounds(self) -> tuple[tuple[str, str, int | float | str], ...]:
        """Return the comparisons: the key that asks for it, ``>=``, ``<=`` or ``==``, the bound."""
        low, high = self.between if self.between is not None else (None, None)
        asked = (
            ("at_least", ">=", self.at_least),
            ("at_most", "<=", self.at_most),
            ("equals", "==", self.equals),
            ("between", ">=", low),
            ("between", "<=", high),
        )
        return tuple((key, sign, bound) for key, sign, bound in asked if bound is not None)
