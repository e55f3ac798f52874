"""The points of a sweep."""

from __future__ import annotations

import pytest

from dcsim.errors import UsageError
from dcsim.study import Axis, Point, grid, parse_axis, parse_seeds


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("vms.web.count=1,2, 4", Axis("vms.web.count", ("1", "2", "4"))),
        ("hosts.a.memory=1 GiB", Axis("hosts.a.memory", ("1 GiB",))),
        ("x=[1, 2],[3]", Axis("x", ("[1, 2]", "[3]"))),
        ("x={a: 1, b: 2}", Axis("x", ("{a: 1, b: 2}",))),
        ("x='a,b',\"c,d\"", Axis("x", ("'a,b'", '"c,d"'))),
    ],
)
def test_an_axis_is_a_path_and_its_values(text: str, axis: Axis) -> None:
    assert parse_axis(text) == axis


@pytest.mark.parametrize("text", ["", "x", "x=", "x=1,,2", "=1"])
def test_what_is_no_axis_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no axis"):
        parse_axis(text)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("1", (1,)), ("3,1", (3, 1)), ("1..4", (1, 2, 3, 4)), ("1..2,2,7", (1, 2, 7))],
)
def test_seeds_are_listed_or_ranges(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "-1", "1..", "1.5", "5..4", "0..1000000"])
def test_what_are_no_seeds_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_seeds(text)


def test_every_combination_with_every_seed() -> None:
    points = grid([Axis("a", ("1", "2")), Axis("b", ("x",))], [7, 8])

    assert [point.overrides for point in points] == [
        ("a=1", "b=x", "seed=7"),
        ("a=1", "b=x", "seed=8"),
        ("a=2", "b=x", "seed=7"),
        ("a=2", "b=x", "seed=8"),
    ]


def test_without_axes_there_is_the_scenario_itself() -> None:
    assert grid([], []) == (Point(()),)


def test_one_value_has_one_axis() -> None:
    with pytest.raises(UsageError, match="two axes vary the same value"):
        grid([Axis("seed", ("1",))], [2])


def test_too_many_points_are_refused_before_they_are_made() -> None:
    values = tuple(str(number) for number in range(1000))

    with pytest.raises(UsageError, match="1,000,000,000 points"):
        grid([Axis("a", values), Axis("b", values), Axis("c", values)], [])


def test_a_label_is_a_file_name() -> None:
    assert Point(("vms.web.requests.rate=200 /s", "seed=1")).label == (
        "vms.web.requests.rate=200_s,seed=1"
    )
    assert "/" not in Point(("a=../../x",)).label
    assert Point(()).label == "as-written"
