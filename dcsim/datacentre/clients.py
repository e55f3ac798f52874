"""The clients of a VM's server program: they send requests from outside and note the answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dcsim.datacentre.topology import OUTSIDE
from dcsim.workload import Request, decode_answer, encode_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.datacentre.fabric import Fabric
    from dcsim.hypervisor import VirtualMachine
    from dcsim.sim import Environment

__all__ = ["Client", "ServedRequest"]


@dataclass(slots=True)
class ServedRequest:
    """What became of a request."""

    number: int
    arrived_ns: int
    """When it reached the host's network."""
    answered_ns: int | None = None
    """When its answer left the VM."""
    dropped: bool = False
    """The VM's port had no room, or the VM was over."""
    result: int | None = None


class Client:
    """Sends a VM its requests, whether or not it answers.

    Parameters
    ----------
    environment
        The simulation.
    fabric
        What the requests cross.
    vm
        Whose server is asked.
    times
        When to send, ascending.
    template
        What each request asks; the number is filled in.

    Attributes
    ----------
    requests
        Those that arrived, in order of arrival.
    """

    def __init__(
        self,
        environment: Environment,
        fabric: Fabric,
        vm: VirtualMachine,
        times: Iterator[int],
        template: Request,
    ) -> None:
        self._environment = environment
        self._fabric = fabric
        self._vm = vm
        self._times = times
        self._template = template
        self._sent = 0
        self.requests: list[ServedRequest] = []
        self._by_number: dict[int, ServedRequest] = {}
        vm.on_packet = self._on_packet

    def start(self) -> None:
        """Begin; the times count from the start of the run."""
        self._schedule()

    def _schedule(self) -> None:
        at_ns = next(self._times, None)
        if at_ns is not None:
            at_ns = max(at_ns, self._environment.now)
            self._environment.at(at_ns, self._send, reach=self._vm.scope)

    def _send(self) -> None:
        request = replace(self._template, number=self._sent)
        self._sent += 1
        frame = encode_request(request)
        vm, arrives_ns = self._vm, self._environment.now
        if vm.port:
            size_bytes = len(frame)
            arrives_ns = self._fabric.send(
                OUTSIDE, vm.port, size_bytes, arrives_ns, vm.note_link_wait
            )

        def arrive() -> None:
            served = ServedRequest(request.number, self._environment.now)
            self.requests.append(served)
            self._by_number[request.number] = served
            served.dropped = not self._vm.nic.arrive(frame)

        self._environment.at(arrives_ns, arrive, reach=self._vm.scope)
        self._schedule()

    def _on_packet(self, frame: bytes, at_ns: int) -> None:
        """Note an answer; the first one to a request counts."""
        vm = self._vm
        self._fabric.send(vm.port, OUTSIDE, len(frame), at_ns, vm.note_link_wait)
        answer = decode_answer(frame)
        if answer is None:
            return
        served = self._by_number.pop(answer.number, None)
        if served is not None:
            served.answered_ns = at_ns
            served.result = answer.result
