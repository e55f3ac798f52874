"""Which nodes the network has and by which links they are joined."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import networkx as nx

from dcsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["OUTSIDE", "Hop", "LinkSpec", "Topology", "star"]

OUTSIDE = "outside"
"""The node from which requests come."""
_SWITCH = "switch"


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A two-way link."""

    one: str
    other: str
    latency_ns: int
    bits_per_second: int


@dataclass(frozen=True, slots=True)
class Hop:
    """One direction of a link, on the way of something."""

    source: str
    destination: str
    latency_ns: int
    bits_per_second: int


def star(hosts: Iterable[str], latency_ns: int, bits_per_second: int) -> list[LinkSpec]:
    """Return the links of every host, and of the outside, to one switch."""
    return [LinkSpec(name, _SWITCH, latency_ns, bits_per_second) for name in (*hosts, OUTSIDE)]


class Topology:
    """A connected graph of hosts and switches.

    Parameters
    ----------
    links
        Every link. When none ends outside, the outside is joined to the first switch named (or
        node, when there is no switch) by a link like that node's first.
    hosts
        Names of nodes that are hosts; the others are switches.

    Raises
    ------
    UsageError
        When two hosts are not connected.
    """

    def __init__(self, links: Sequence[LinkSpec], hosts: Sequence[str]) -> None:
        self._graph: nx.Graph[str] = nx.Graph()
        self._graph.add_nodes_from(hosts)
        for link in [*links, *_to_the_outside(links, hosts)]:
            self._graph.add_edge(link.one, link.other, link=link)
        if not nx.is_connected(self._graph):
            raise UsageError("the fabric does not connect every host; add the missing `links`")
        self._paths: dict[tuple[str, str], tuple[Hop, ...]] = {}

    @property
    def graph(self) -> nx.Graph[str]:
        """The graph, for reports; each edge has its ``link``."""
        return self._graph

    def path(self, source: str, destination: str) -> tuple[Hop, ...]:
        """Return the hops with the least latency; of equals, the one named first."""
        key = (source, destination)
        if key not in self._paths:
            nodes = nx.shortest_path(self._graph, source, destination, weight=_latency)
            self._paths[key] = tuple(self._hop(*pair) for pair in pairwise(nodes))
        return self._paths[key]

    def latency_ns(self, source: str, destination: str) -> int:
        """Return how long the first byte is on its way."""
        return sum(hop.latency_ns for hop in self.path(source, destination))

    def _hop(self, source: str, destination: str) -> Hop:
        link: LinkSpec = self._graph.edges[source, destination]["link"]
        return Hop(source, destination, link.latency_ns, link.bits_per_second)


def _latency(_one: str, _other: str, edge: dict[str, LinkSpec]) -> int:
    """Return the weight of an edge: one more than its latency, so that fewer hops win ties."""
    return edge["link"].latency_ns + 1


def _to_the_outside(links: Sequence[LinkSpec], hosts: Sequence[str]) -> list[LinkSpec]:
    ends = [(end, link) for link in links for end in (link.one, link.other)]
    if not ends or any(end == OUTSIDE for end, _ in ends):
        return []
    switches = [pair for pair in ends if pair[0] not in hosts]
    node, like = (switches or ends)[0]
    return [LinkSpec(OUTSIDE, node, like.latency_ns, like.bits_per_second)]
