"""Which instructions of an instruction set are privileged, sensitive or innocuous."""

from __future__ import annotations

import json
from typing import Any

from dcsim import _core
from dcsim.errors import UnknownNameError

__all__ = ["DEFAULT_STATES", "classify", "instruction_sets"]

DEFAULT_STATES = 32
"""Machine states that each instruction is executed in."""


def instruction_sets() -> list[str]:
    """Return the names of the instruction sets that a hart can have."""
    return _core.isa_names()


def classify(isa: str, *, seed: int = 1, states: int = DEFAULT_STATES) -> dict[str, Any]:
    """Find out by execution what each instruction is, after Popek and Goldberg.

    Parameters
    ----------
    isa
        One of :func:`instruction_sets`.
    seed
        The seed of the machine states.
    states
        How many states each instruction is executed in.

    Returns
    -------
    dict
        What ``dcsim classify --format json`` writes.

    Raises
    ------
    UnknownNameError
        If there is no such instruction set.
    """
    names = instruction_sets()
    if isa not in names:
        raise UnknownNameError("instruction set", isa, names)
    classification: dict[str, Any] = json.loads(_core.classify(isa, seed, states))
    return classification
