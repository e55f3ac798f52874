"""The base of all scenario models and the field types that they share.

A model is strict (no value is converted to another type), closed (an unknown key is an error) and
frozen. A quantity is written with its unit under a short key (``memory: 64 MiB``) and read as a
whole number under a name that ends in its unit (``vm.memory_bytes``).
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints

__all__ = ["Fraction", "Items", "Model", "Name"]

_Item = TypeVar("_Item")

Items = Annotated[tuple[_Item, ...], Strict(strict=False)]
"""A list in the file, a tuple in the model."""

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=63),
]
"""Lower-case words joined by hyphens: a name is part of metric names and of file names."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
"""A share from 0 to 1."""


class Model(BaseModel):
    """A part of a scenario."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        validate_default=False,
        use_attribute_docstrings=True,
    )
