"""A number with where it comes from."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["Closed", "Figure", "Kind", "LedgerEntry", "Text"]

_Value = TypeVar("_Value")

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
"""Words that must not be empty."""


class Closed(BaseModel):
    """A model that knows all its keys and converts nothing."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


Kind = Literal["published", "derived", "assumption"]
"""``published``: written in the source; ``derived``: follows from the source by the note;
``assumption``: chosen, for the reason in the note."""


class LedgerEntry(NamedTuple):
    """One figure on which a result rests."""

    name: str
    value: int
    unit: str
    kind: Kind
    source: str


class Figure(Closed, Generic[_Value]):
    """One value, how it is known and from where."""

    value: _Value
    kind: Kind
    source: Annotated[str, StringConstraints(strip_whitespace=True)] = ""
    """Where it is written; empty only for an assumption."""
    note: Annotated[str, StringConstraints(strip_whitespace=True)] = ""
    """How it follows, or why it was chosen."""

    def origin(self) -> str:
        """Return source and note in one line."""
        return "; ".join(text for text in (self.source, self.note) if text)


Cycles = Figure[Annotated[int, Field(ge=1, le=10_000_000)]]
"""A number of clock cycles."""
