"""What the network does with packets and with bulk transfers.

A *packet* is stored and forwarded: on each hop it waits for the packets before it in its direction,
takes its bytes' time, and then the link's latency. That is computed when it is sent; no event
stands for a packet on its way.

A *bulk transfer* (a migration) is a fluid: all transfers share the links max-min fairly, which is
computed anew, exactly in fractions, whenever one begins or ends. Packets are few and small beside
the capacity, so the two kinds are taken not to slow each other down.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from dcsim.host import transfer_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.datacentre.topology import Hop, Topology
    from dcsim.sim import Environment, Timer

__all__ = ["Fabric"]

_NS_PER_SECOND = 10**9


@dataclass(eq=False, slots=True)
class _Flow:
    """A bulk transfer under way."""

    hops: tuple[Hop, ...]
    left_bits: Fraction
    done: Callable[[], object]
    rate: Fraction = Fraction(0)
    """Bits per nanosecond."""

    @property
    def latency_ns(self) -> int:
        return sum(hop.latency_ns for hop in self.hops)


class Fabric:
    """The network between hosts, and to the outside.

    Parameters
    ----------
    environment
        The simulation.
    topology
        Its nodes and links.
    """

    def __init__(self, environment: Environment, topology: Topology) -> None:
        self._environment = environment
        self.topology = topology
        self._free_ns: dict[tuple[str, str], int] = {}
        self._flows: list[_Flow] = []
        self._changed_ns = 0
        self._next: Timer | None = None

    # Packets.

    def send(
        self,
        source: str,
        destination: str,
        size_bytes: int,
        at_ns: int,
        waited: Callable[[int], None],
    ) -> int:
        """Send a packet at a time; return when its last byte arrives.

        Parameters
        ----------
        source, destination
            Nodes.
        size_bytes
            Its length.
        at_ns
            When its first byte is there to be sent.
        waited
            Told for how many nanoseconds it waits for the packets before it, on all hops together.
        """
        wait_ns = 0
        for hop in self.topology.path(source, destination):
            key = (hop.source, hop.destination)
            start_ns = max(at_ns, self._free_ns.get(key, 0))
            wait_ns += start_ns - at_ns
            self._free_ns[key] = start_ns + transfer_ns(size_bytes, hop.bits_per_second)
            at_ns = self._free_ns[key] + hop.latency_ns
        waited(wait_ns)
        return at_ns

    # Bulk transfers.

    def transfer(
        self, source: str, destination: str, size_bytes: int, done: Callable[[], object]
    ) -> int:
        """Begin a bulk transfer; ``done`` is called when its last byte arrives.

        Returns
        -------
        int
            The earliest time at which that can be: as if it had its narrowest link for itself.
        """
        self._progress()
        hops = self.topology.path(source, destination)
        flow = _Flow(hops, Fraction(size_bytes * 8), done)
        self._flows.append(flow)
        self._share()
        narrowest = min(hop.bits_per_second for hop in hops)
        return self._environment.now + transfer_ns(size_bytes, narrowest) + flow.latency_ns

    def _progress(self) -> None:
        """Bring every transfer up to now."""
        elapsed_ns = self._environment.now - self._changed_ns
        for flow in self._flows:
            flow.left_bits -= flow.rate * elapsed_ns
        self._changed_ns = self._environment.now

    def _share(self) -> None:
        """Give every transfer its fair rate and wait for the first to end."""
        _max_min_fair(self._flows)
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._flows:
            left_ns = min(_ceiling(flow.left_bits / flow.rate) for flow in self._flows)
            self._next = self._environment.after(max(0, left_ns), self._end)

    def _end(self) -> None:
        """Take out the transfers whose last bit was sent; they arrive a latency later."""
        self._progress()
        over = [flow for flow in self._flows if flow.left_bits <= 0]
        self._flows = [flow for flow in self._flows if flow.left_bits > 0]
        for flow in over:
            self._environment.after(flow.latency_ns, flow.done)
        self._share()


def _ceiling(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _max_min_fair(flows: list[_Flow]) -> None:
    """Set the rates: fill all transfers evenly until a link is full, fix those on it, go on."""
    open_flows = list(flows)
    spare = {
        (hop.source, hop.destination): Fraction(hop.bits_per_second, _NS_PER_SECOND)
        for flow in flows
        for hop in flow.hops
    }
    while open_flows:
        shares = {
            key: left / count for key, left in spare.items() if (count := _count(open_flows, key))
        }
        tightest = min(shares, key=lambda key: (shares[key], key))
        rate = shares[tightest]
        fixed = [flow for flow in open_flows if _uses(flow, tightest)]
        for flow in fixed:
            flow.rate = rate
            for hop in flow.hops:
                spare[hop.source, hop.destination] -= rate
        open_flows = [flow for flow in open_flows if flow not in fixed]


def _uses(flow: _Flow, key: tuple[str, str]) -> bool:
    return any((hop.source, hop.destination) == key for hop in flow.hops)


def _count(flows: list[_Flow], key: tuple[str, str]) -> int:
    return sum(_uses(flow, key) for flow in flows)
