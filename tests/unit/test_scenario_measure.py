"""What expectations measure: metrics, and arithmetic with them."""

from __future__ import annotations

import pytest

from dcsim.scenario.measure import MeasureError, read_measure

VALUES = {
    "vm.a-0.total_cycles": 30,
    "vm.b.total_cycles": 20,
    "vm.b.cycles.handler:csr_access": 5,
    "vm.b.exits": 4,
    "vm.b.run_ns": 10,
    "vm.b.direct_share": 0.1,
    "vm.b.result.bench.cycles": None,
    "host.h.vms": 0,
    "cluster.hosts": 1,
    "vm.b.host": "h",
}


def _read(text: str) -> object:
    return read_measure(text, ["a-0", "b"], ["h"])


def _value(text: str) -> object:
    return read_measure(text, ["a-0", "b"], ["h"]).value(VALUES.__getitem__)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("vm.b.exits", 4, "count"),
        ("vm.b.host", "h", ""),
        ("vm.a-0.total_cycles / vm.b.total_cycles", 1.5, ""),
        ("vm.a-0.total_cycles - vm.b.total_cycles", 10, "cycles"),
        ("vm.b.total_cycles - vm.a-0.total_cycles", -10, "cycles"),
        ("(vm.a-0.total_cycles - vm.b.total_cycles) / vm.b.exits", 2.5, "cycles"),
        ("( vm.a-0.total_cycles + vm.b.total_cycles ) * 2 / 4", 25, "cycles"),
        ("vm.a-0.total_cycles - vm.b.total_cycles - vm.b.total_cycles", -10, "cycles"),
        ("vm.a-0.total_cycles / 2 / 3", 5, "cycles"),
        ("vm.b.cycles.handler:csr_access + 2.5 * vm.b.total_cycles", 55, "cycles"),
        ("vm.b.total_cycles / vm.b.run_ns", 2, "cycles/ns"),
        ("1 / vm.b.run_ns", 0.1, "1/ns"),
        ("vm.b.total_cycles * vm.b.run_ns", 200, "cycles ns"),
        ("vm.b.exits + 1", 5, ""),
        ("1 - vm.b.direct_share", 0.9, ""),
        ("vm.b.exits / host.h.vms", None, ""),
        ("vm.b.result.bench.cycles / vm.b.exits", None, ""),
        ("((((cluster.hosts))))", 1, "count"),
        # Through (1, 30) and (3, 20): down by 5 cycles with each.
        ("slope(1 vm.a-0.total_cycles, 3 vm.b.total_cycles)", -5, "cycles"),
        ("slope(vm.b.run_ns 30 * 2, vm.b.run_ns + vm.b.run_ns 20) / 2", -2, "1/ns"),
        ("slope(1 vm.b.exits, 1 vm.b.exits + 1)", None, ""),
        ("slope(1 vm.b.result.bench.cycles, 2 vm.b.exits)", None, ""),
        ("r_squared(1 vm.b.exits, 2 6, 3 8)", 1, ""),
        # Three corners of a square: (1/3)^2 / (2/3 * 2/3).
        ("r_squared(0 0, 1 0, 1 cluster.hosts)", 0.25, ""),
        ("r_squared(1 vm.b.exits, 2 4, 3 4)", None, ""),
    ],
)
def test_is_worked_out(text: str, value: object, unit: str) -> None:
    measure = read_measure(text, ["a-0", "b"], ["h"])

    assert measure.value(VALUES.__getitem__) == value
    assert measure.metric.unit == unit


def test_sums_of_large_integers_are_exact() -> None:
    large = 2**60
    measure = read_measure("vm.a.exits + 1 - vm.b.exits", ["a", "b"], [])

    assert measure.value({"vm.a.exits": large, "vm.b.exits": large}.__getitem__) == 1


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("vm.c.exits / vm.b.exits", "there is no VM `c`", ""),
        (
            "vm.b.total_cycles/vm.b.exits",
            "a VM has no metric `total_cycles/vm.b.exits`",
            "put a space on both sides of `+`, `-`, `*` and `/`",
        ),
        ("vm.b.total_cycles + vm.b.run_ns", "there is no `+` of cycles and ns", ""),
        ("vm.b.total_cycles + 1", "there is no `+` of cycles and plain numbers", ""),
        ("vm.b.host / vm.b.exits", "`host` is a text; there is no `/` of it", ""),
        ("vm.b.exits /", "the expression ends too early", "write a metric at its end"),
        ("", "the expression ends too early", "write a metric at its end"),
        ("/ vm.b.exits", "`/` stands where a metric should", "write a metric there"),
        ("(vm.b.exits", "the expression ends too early", ""),
        ("(vm.b.exits vm.b.exits)", "a parenthesis is not closed", "add `)`"),
        (
            "vm.b.exits vm.b.exits",
            "`vm.b.exits` follows what is complete already",
            "join two metrics with `+`, `-`, `*` or `/`",
        ),
        ("1e3", "`1e3` is not a metric", ""),
        ("vm.b.result.cycles", "`result.cycles` lacks a part", "`result.<program>.<key>`"),
        ("vm.b.nano.cycles", "`nano.cycles` lacks a part", "`nano.<operation>.<key>`"),
        ("slope vm.b.exits", "`slope` lacks its points", "write `slope(x y, x y, ...)`"),
        ("slope(1 vm.b.exits)", "`slope` is of at least 2 points", "name more points"),
        ("r_squared(1 1, 2 2)", "`r_squared` is of at least 3 points", "name more points"),
        ("slope(1 1, 2)", "`)` stands where a metric should", "write a metric there"),
        ("slope(1 1 1, 2 2)", "a point has an x and a y", "put `,` behind each point"),
        ("slope(1 1, 2 2", "the expression ends too early", ""),
        ("slope(1 vm.b.run_ns, 2 vm.b.exits)", "there is no `+` of ns and plain numbers", ""),
        ("slope(1 1, 2 vm.b.host)", "`host` is a text; there is no `+` of it", ""),
        ("( " * 5000, "the expression has 5000 parts", "write at most 100"),
    ],
)
def test_a_mistake_is_told(text: str, message: str, remedy: str) -> None:
    with pytest.raises(MeasureError) as caught:
        _read(text)

    assert caught.value.message == message
    assert remedy in caught.value.remedy


def test_nesting_as_deep_as_allowed_is_read() -> None:
    assert _value("(" * 49 + "vm.b.exits" + ")" * 49) == 4
