"""Policies, on views written by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from dcsim.errors import UnknownNameError
from dcsim.policy import (
    ClusterView,
    ConsolidationSettings,
    HostView,
    Move,
    VmView,
    consolidation_names,
    consolidation_policy,
    placement_names,
    placement_policy,
)

SETTINGS = ConsolidationSettings(threshold=Fraction(3, 10))


def host(name: str, **fields: Any) -> HostView:
    return HostView(**{"name": name, "on": True, "pcpus": 2, "free_bytes": 100, **fields})


def vm(name: str = "vm", **fields: Any) -> VmView:
    return VmView(**{"name": name, "memory_bytes": 60, **fields})


def test_policies_have_names() -> None:
    assert "first-fit" in placement_names()
    assert consolidation_names() == ("underload",)
    with pytest.raises(UnknownNameError, match="did you mean `first-fit`"):
        placement_policy("first-fti")


def test_first_fit_takes_the_first_host_that_is_on_and_has_the_memory() -> None:
    cluster = ClusterView(hosts=(host("a", on=False), host("b", free_bytes=59), host("c")))
    assert placement_policy("first-fit")(cluster, vm()) == "c"


def test_first_fit_says_when_there_is_none() -> None:
    assert (
        placement_policy("first-fit")(ClusterView(hosts=(host("a"),)), vm(memory_bytes=101)) is None
    )


def test_spread_takes_the_host_with_the_fewest_vms_for_its_processors() -> None:
    cluster = ClusterView(
        hosts=(host("a", vms=(vm("x"),)), host("b", vms=(vm("y"),), pcpus=4), host("c", pcpus=1))
    )
    assert placement_policy("spread")(cluster, vm()) == "c"
    assert placement_policy("spread")(ClusterView(hosts=cluster.hosts[:2]), vm()) == "b"


def test_an_idle_host_is_emptied_onto_the_first_that_takes_its_vms() -> None:
    cluster = ClusterView(
        hosts=(
            host("a", utilisation=Fraction(1, 2), vms=(vm("x"),)),
            host("b", utilisation=Fraction(1, 10), vms=(vm("y"),)),
        )
    )
    assert consolidation_policy("underload")(cluster, SETTINGS) == (Move("y", "b", "a"),)


def test_the_least_busy_host_goes_first_and_only_one_at_a_time() -> None:
    cluster = ClusterView(
        hosts=(
            host("a", utilisation=Fraction(2, 10), vms=(vm("x"),)),
            host("b", utilisation=Fraction(1, 10), vms=(vm("y"),)),
        )
    )
    assert consolidation_policy("underload")(cluster, SETTINGS) == (Move("y", "b", "a"),)


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ({"utilisation": Fraction(3, 10)}, {}),  # not below the threshold
        ({"vms": (vm("y", movable=False),)}, {}),  # tied to its host
        ({}, {"free_bytes": 59}),  # no memory
        ({}, {"on": False}),
        ({"vms": (vm("y", cpu=Fraction(1)),)}, {}),  # 0.5 + 1/2 is above the ceiling
        ({"vms": (vm("y"), vm("z"))}, {}),  # only one of the two would fit
        ({}, {"vms": ()}),  # an empty host takes none: that would move the problem
    ],
)
def test_a_host_is_left_alone(source: dict[str, Any], destination: dict[str, Any]) -> None:
    first = {"utilisation": Fraction(1, 2), "vms": (vm("x"),), **destination}
    second = {"utilisation": Fraction(1, 10), "vms": (vm("y"),), **source}
    cluster = ClusterView(hosts=(host("a", **first), host("b", **second)))
    assert consolidation_policy("underload")(cluster, SETTINGS) == ()


def test_several_vms_can_go_to_several_hosts() -> None:
    cluster = ClusterView(
        hosts=(
            host("a", utilisation=Fraction(1, 2), vms=(vm("x"),)),
            host("b", utilisation=Fraction(1, 2), vms=(vm("w"),)),
            host("c", utilisation=Fraction(0), vms=(vm("y"), vm("z", memory_bytes=70))),
        )
    )
    assert consolidation_policy("underload")(cluster, SETTINGS) == (
        Move("z", "c", "a"),
        Move("y", "c", "b"),
    )
