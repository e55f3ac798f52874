"""The exception tree: rebuildable, documented, with exit codes."""

from __future__ import annotations

import pickle

import pytest

import dcsim.errors as module
from dcsim.errors import (
    DcsimError,
    Place,
    Problem,
    ScenarioError,
    UnitError,
    UnknownNameError,
    did_you_mean,
)

CLASSES = [
    each
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, DcsimError)
]


def _example(kind: type[DcsimError]) -> DcsimError:
    if issubclass(kind, ScenarioError):
        return kind([Problem(Place("a.yaml", 3, 7), "wrong", "right")])
    if issubclass(kind, UnknownNameError):
        return kind("host", "rack", ["rack1", "rack2"])
    if issubclass(kind, UnitError):
        return kind("`3` has no unit", "write `3 s`")
    return kind("something happened")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda each: each.__name__)
def test_is_rebuilt_from_its_arguments(kind: type[DcsimError]) -> None:
    """SimPy raises `type(error)(*error.args)`; a process pool pickles."""
    error = _example(kind)

    for again in (type(error)(*error.args), pickle.loads(pickle.dumps(error))):
        assert type(again) is kind
        assert str(again) == str(error)
        assert vars(again) == vars(error)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda each: each.__name__)
def test_stands_in_the_tree_of_the_module_docstring(kind: type[DcsimError]) -> None:
    """The docstring's line of a class ends in its exit code and a meaning."""
    line = next(line for line in (module.__doc__ or "").splitlines() if kind.__name__ in line)

    if kind is not DcsimError:
        assert f" {kind.exit_code} " in line
    assert kind.__name__ in module.__all__


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("a.yaml", 3, 7), "a.yaml:3:7"),
        (Place("a.yaml", 3), "a.yaml:3"),
        (Place("--set seed=x"), "--set seed=x"),
    ],
)
def test_a_place_reads_as_editors_link_it(place: Place, text: str) -> None:
    assert str(place) == text


def test_an_unknown_name_suggests_the_nearest() -> None:
    error = UnknownNameError("hardware profile", "sifive-u45", ["sifive-u54", "xiangshan-nanhu"])

    assert str(error) == ("there is no hardware profile `sifive-u45`; did you mean `sifive-u54`?")


def test_without_a_near_name_all_are_listed() -> None:
    assert did_you_mean("zzz", ["one", "two"]) == "allowed: `one`, `two`"
    assert did_you_mean("zzz", []) == "there is none to choose from"
