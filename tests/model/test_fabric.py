"""The network: latency, bandwidth, queues, fair shares."""

from __future__ import annotations

import pytest

from dcsim.datacentre import OUTSIDE, Fabric, LinkSpec, SharedStorage, Topology, star
from dcsim.errors import UsageError
from dcsim.sim import Environment

GIGABIT = 10**9
HOSTS = ["a", "b", "c"]


@pytest.fixture
def environment() -> Environment:
    return Environment()


@pytest.fixture
def fabric(environment: Environment) -> Fabric:
    """Three hosts on a switch: 5 us and 1 Gbit/s to each, so 8 ns a byte."""
    return Fabric(environment, Topology(star(HOSTS, 5_000, GIGABIT), HOSTS))


def test_a_path_is_made_of_hops_and_its_latency_is_their_sum(fabric: Fabric) -> None:
    path = fabric.topology.path("a", "b")
    assert [(hop.source, hop.destination) for hop in path] == [("a", "switch"), ("switch", "b")]
    assert fabric.topology.latency_ns("a", "b") == 10_000
    assert fabric.topology.path("a", "a") == ()


def test_a_packet_is_stored_and_forwarded(fabric: Fabric) -> None:
    waits: list[int] = []
    assert fabric.send("a", "b", 1000, 100, waits.append) == 100 + 2 * (8_000 + 5_000)
    assert waits == [0]


def test_a_packet_waits_for_those_before_it_in_its_direction(fabric: Fabric) -> None:
    waits: list[int] = []
    first = fabric.send("a", "b", 1000, 0, waits.append)
    assert fabric.send("a", "c", 1000, 0, waits.append) == first + 8_000
    assert fabric.send("b", "a", 1000, 0, waits.append) == first
    # The second one waits on the first hop only: there it is sent once the one before has gone on.
    assert waits == [0, 8_000, 0]


def test_a_transfer_takes_its_bytes_and_the_latency(
    fabric: Fabric, environment: Environment
) -> None:
    done: list[int] = []
    fabric.transfer("a", "b", 1_000_000, lambda: done.append(environment.now))
    environment.run()
    assert done == [8_000_000 + 10_000]
    assert environment.scheduled == 2


def test_two_transfers_on_one_link_share_it(fabric: Fabric, environment: Environment) -> None:
    """The second begins half-way: 4 ms alone, 8 ms shared, and the rest of the second alone."""
    done: dict[str, int] = {}
    fabric.transfer("a", "b", 1_000_000, lambda: done.update(b=environment.now))
    environment.at(
        4_000_000,
        lambda: fabric.transfer("a", "c", 1_000_000, lambda: done.update(c=environment.now)),
    )
    environment.run()
    assert done == {"b": 12_000_000 + 10_000, "c": 16_000_000 + 10_000}


def test_transfers_on_different_links_do_not_meet(fabric: Fabric, environment: Environment) -> None:
    done: list[int] = []
    fabric.transfer("a", "b", 1_000_000, lambda: done.append(environment.now))
    fabric.transfer("b", "a", 1_000_000, lambda: done.append(environment.now))
    environment.run()
    assert done == [8_010_000, 8_010_000]


def test_shares_are_max_min_fair(environment: Environment) -> None:
    """Three flows, two on a thin link: they get half of it each, the third what is left."""
    links = [
        LinkSpec("a", "s", 0, 3_000),
        LinkSpec("b", "s", 0, 1_000),
        LinkSpec("c", "s", 0, 9_000),
    ]
    fabric = Fabric(environment, Topology(links, HOSTS))
    done: list[tuple[str, int]] = []
    for number, (source, destination) in enumerate([("a", "b"), ("c", "b"), ("a", "c")]):
        fabric.transfer(
            source,
            destination,
            10**6,
            lambda number=number: done.append((str(number), environment.now)),
        )
    environment.run(until=1)
    rates = [flow.rate * 10**9 for flow in fabric._flows]
    assert rates == [500, 500, 2500]


def test_a_transfer_of_nothing_takes_the_latency(fabric: Fabric, environment: Environment) -> None:
    done: list[int] = []
    fabric.transfer("a", "b", 0, lambda: done.append(environment.now))
    environment.run()
    assert done == [10_000]


def test_links_of_ones_own_reach_the_outside_by_the_first_switch() -> None:
    links = [LinkSpec("a", "top", 7, 8), LinkSpec("top", "b", 9, 10)]
    topology = Topology(links, ["a", "b"])
    assert topology.latency_ns(OUTSIDE, "b") == 7 + 9
    assert topology.latency_ns("a", "b") == 16


def test_the_path_with_the_least_latency_is_taken() -> None:
    links = [
        LinkSpec("a", "b", 100, 1),
        LinkSpec("a", "x", 10, 1),
        LinkSpec("x", "y", 10, 1),
        LinkSpec("y", "b", 10, 1),
    ]
    assert Topology(links, ["a", "b"]).latency_ns("a", "b") == 30


def test_hosts_that_are_not_connected_are_refused() -> None:
    with pytest.raises(UsageError, match="does not connect"):
        Topology([LinkSpec("a", "x", 1, 1)], ["a", "b"])


def test_an_array_overlaps_latencies_and_shares_its_port(environment: Environment) -> None:
    array = SharedStorage(environment, "san", latency_ns=100_000, bits_per_second=8 * GIGABIT)
    done: list[int] = []
    for _ in range(2):
        array.submit(4096, write=False, done=lambda: done.append(environment.now), reach=None)
    environment.run()
    assert done == [104_096, 108_192]
    assert array.moved.as_dict() == {"read": 2, "read_bytes": 8192}
