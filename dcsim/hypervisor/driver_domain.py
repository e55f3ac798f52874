"""The route through a driver domain: a VM that owns the devices and serves the others.

The driver domain is a real guest, which must be scheduled to serve: a request is put on a ring that
both sides share, and an event wakes it. Its program takes the message, its kernel's driver puts the
request to the device, which it owns, and is interrupted at its end; the program answers, and an
event tells the other guest. Between the two are grants: the hypervisor copies what moves, page by
page. So what a request costs depends on the driver domain's own cycles and on when it runs.

The content of virtual disks stays where it is: the driver domain moves requests. It sees each one
at a place of its own disk, a window, by which the hypervisor knows it again.

When the driver domain dies, nothing is lost: what it has not answered is put to the next one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from dcsim.errors import InvariantError
from dcsim.hypervisor.driver_ring import DriverMessage, DriverOperation, decode_message
from dcsim.hypervisor.paths import PASS_THROUGH, RING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.hypervisor.disk_io import GuestRequest
    from dcsim.hypervisor.dispatcher import Slot
    from dcsim.hypervisor.journeys import Trail
    from dcsim.hypervisor.route import RouteHost
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["DOMAIN_DISK_BYTES", "RING_SLOTS", "DriverDomain"]

RING_SLOTS = 256
"""Messages on the ring at most; what comes then waits."""
_WINDOW_SECTORS = 2048
DOMAIN_DISK_BYTES = RING_SLOTS * _WINDOW_SECTORS * 512
_SCHEDULED = "until the driver domain is scheduled"
_DOMAIN = "the driver domain"


@dataclass(eq=False, slots=True)
class _Pending:
    """Something that the driver domain has not answered."""

    vm: VirtualMachine
    operation: DriverOperation
    size_bytes: int
    trail: Trail
    life: int
    """In which of the VM's lives it was asked for."""
    request: GuestRequest | None = None
    frame: bytes = b""
    number: int = -1
    """Its place on the ring; below 0 while it waits for one."""
    parts: list[GuestRequest] = field(default_factory=list)
    """What the driver domain has asked its disk for it."""
    started: bool = False
    status: int | None = None
    """How its request to the device ended."""
    way_back: Trail | None = None

    def message(self) -> DriverMessage:
        """Return what is put on the ring."""
        sector = self.number * _WINDOW_SECTORS
        return DriverMessage(self.operation, self.number, sector, self.size_bytes)


class DriverDomain:
    """Serves VMs through another one.

    Parameters
    ----------
    host
        The hypervisor.
    domain
        The VM that drives the devices.
    """

    def __init__(self, host: RouteHost, domain: VirtualMachine) -> None:
        self._host = host
        self.domain = domain
        self._ring: dict[int, _Pending] = {}
        self._free = list(range(RING_SLOTS - 1, -1, -1))
        self._waiting: deque[_Pending] = deque()
        self._of_request: dict[GuestRequest, _Pending] = {}
        self.put = 0
        self.answered = 0
        self.dropped = 0

    def adopt(self, vm: VirtualMachine) -> None:
        """Begin to serve a VM; when it is the driver domain itself, put to it what is left."""
        if vm is not self.domain:
            vm.nic.announce_all()
            return
        for pending in self._ring.values():
            self._post(pending)

    def release(self, vm: VirtualMachine) -> None:
        """Forget what a VM asked for that is over."""
        if vm is self.domain:
            vm.nic.clear()
            for pending in self._ring.values():  # it no longer waits for its disk
                pending.parts.clear()
            return
        self._drop([each for each in self._waiting if each.vm is vm])
        self._waiting = deque(each for each in self._waiting if each.vm is not vm)

    def lose(self) -> None:
        """Forget everything: the host has lost its memory, and with it the ring."""
        self._drop([*self._ring.values(), *self._waiting])
        self._free.extend(self._ring)
        self._ring.clear()
        self._waiting.clear()

    def _drop(self, gone: list[_Pending]) -> None:
        """Note that nobody answers what was put on the ring."""
        self.dropped += len(gone)
        for pending in gone:
            if pending.request is not None and not pending.started:
                self._of_request.pop(pending.request, None)
                pending.vm.gate.leave()

    # What a guest asks for.

    def disk(self, slot: Slot, request: GuestRequest) -> None:
        """Put a disk request on the ring; or take one of the driver domain to the device."""
        if request.vm is self.domain:
            self._own_disk(slot, request)
            return
        operation = DriverOperation.WRITE if request.operation == "write" else DriverOperation.READ
        size_bytes = request.size_bytes if request.operation in {"read", "write"} else 0
        trail = self._host.journeys.begin("disk_out", self._host.environment.now)
        pending = _Pending(request.vm, operation, size_bytes, trail, request.life, request)
        self._of_request[request] = pending
        self._put(slot, pending, partial(self._host.admit, request, partial(self._queue, pending)))

    def send(self, slot: Slot, vm: VirtualMachine, frame: bytes) -> None:
        """Put a frame on the ring; or take an answer of the driver domain."""
        if vm is self.domain:
            self._answer(slot, frame)
            return
        vm.outstanding += 1
        trail = self._host.journeys.begin("packet_out", self._host.environment.now)
        pending = _Pending(vm, DriverOperation.SEND, len(frame), trail, vm.life, frame=frame)
        self._put(slot, pending, partial(self._queue, pending))

    def announce(self, vm: VirtualMachine, size_bytes: int) -> None:
        """Let the network card interrupt the driver domain, which brings the frame on."""
        if vm is self.domain:
            vm.nic.let_in(None)
            return
        trail = self._host.journeys.begin("packet_in", self._host.environment.now)
        self._queue(_Pending(vm, DriverOperation.RECEIVE, size_bytes, trail, vm.life))

    def deliver(self, vm: VirtualMachine, size_bytes: int, trail: Trail | None) -> None:
        """Have a VM see the event that something has come for it."""
        del size_bytes
        self._host.interrupt(vm, "event_entry", RING.entry, trail)

    def disk_done(self, request: GuestRequest, *, by_disk: bool, status: int) -> None:
        """Let the device interrupt the driver domain."""
        pending = self._of_request[request]
        pending.status = status
        pending.way_back = self._host.journeys.begin("disk_in", self._host.environment.now)
        del by_disk  # it asked its device, whether that had to do anything or not
        if pending.size_bytes:
            self._end_parts(pending)
        else:
            self._tell(pending)

    def abandon(self, request: GuestRequest) -> None:
        """Let the device interrupt the driver domain although nobody waits for the end any more."""
        pending = self._of_request.pop(request, None)
        if pending is not None and pending.size_bytes:
            pending.status = 0
            self._end_parts(pending)

    # The ring.

    def _put(self, slot: Slot, pending: _Pending, then: Callable[[], None]) -> None:
        """Let a guest's processor put something on the ring."""
        path = RING.put(pending.size_bytes)
        at_ns = self._host.charge(slot, "ring_put", path)
        pending.trail.mark("ring_put", at_ns)
        self._tell_processor(pending.trail, at_ns, then)

    def _tell_processor(self, trail: Trail, at_ns: int, then: Callable[[], object]) -> None:
        """Do something for a VM that may be on another processor, which is interrupted for it."""
        if self._host.ipi_ns:
            at_ns += self._host.ipi_ns
            trail.mark("interrupt the other processor", at_ns)
        self._host.environment.at(at_ns, then, reach=self._host.scope)

    def _queue(self, pending: _Pending) -> None:
        self.put += 1
        if not self._free:
            self._waiting.append(pending)
            return
        pending.number = self._free.pop()
        self._ring[pending.number] = pending
        self._post(pending)

    def _post(self, pending: _Pending) -> None:
        """Bring a message to the driver domain's device; one that is down gets it later."""
        if self.domain.state == "running":
            self.domain.nic.arrive(pending.message().frame())

    def _answer(self, slot: Slot, frame: bytes) -> None:
        """Take an answer off the ring, on account of the driver domain."""
        self.domain.nic.transmit(frame, self._host.environment.now)
        message = decode_message(frame)
        pending = self._ring.pop(message.number, None) if message is not None else None
        if pending is None:
            return
        self.answered += 1
        self._free.append(pending.number)
        if self._waiting:
            self.put -= 1
            self._queue(self._waiting.popleft())
        self._come_back(slot, pending)

    def _come_back(self, slot: Slot, pending: _Pending) -> None:
        trail = pending.way_back or pending.trail
        self._mark_domain(slot, trail)
        if pending.operation is DriverOperation.SEND:
            trail.end()
            self._sent(slot, pending)
            return
        at_ns = self._host.charge(slot, "ring_answer", RING.answer(pending.size_bytes))
        trail.mark("ring_answer", at_ns)
        if pending.operation is DriverOperation.RECEIVE:
            then = partial(pending.vm.nic.let_in, trail)
        elif pending.status is None:  # a flush, of which the driver domain needs to know nothing
            self._host.environment.at(
                at_ns, partial(self._start, pending, trail), reach=self._host.scope
            )
            return
        elif pending.vm.hypervisor is self._host:
            then = partial(self._tell, pending)
        else:
            return
        self._tell_processor(trail, at_ns, then)

    def _sent(self, slot: Slot, pending: _Pending) -> None:
        """Note that the driver domain has handed a frame to its network card."""
        vm = pending.vm
        if pending.life == vm.life:  # otherwise its VM was powered off and on again meanwhile
            vm.nic.transmit(pending.frame, self._host.environment.now)
            vm.outstanding -= 1
        self._host.charge(slot, "ring_answer", RING.answer(0))
        self._host.settle(vm)

    def _tell(self, pending: _Pending) -> None:
        """Tell a guest that its disk request is done."""
        request, trail = pending.request, pending.way_back
        if request is None or pending.status is None:
            raise InvariantError(
                f"a disk request of `{pending.vm.name}` is answered before its end"
            )
        self._of_request.pop(request, None)
        if self._host.finish(request, pending.status):
            self._host.interrupt(pending.vm, "event_entry", RING.entry, trail)
            self._host.settle(pending.vm)

    def _mark_domain(self, slot: Slot, trail: Trail) -> None:
        """End the leg that a request spent in the driver domain, and the wait before it."""
        if slot.processor.loaded_ns > trail.last_ns:
            trail.mark(_SCHEDULED, slot.processor.loaded_ns)
        trail.mark(_DOMAIN, self._host.environment.now)

    # The driver domain's own disk.

    def _own_disk(self, slot: Slot, part: GuestRequest) -> None:
        """Take what the driver domain asks its disk to the device, once for each request."""
        pending = self._ring.get(part.sector // _WINDOW_SECTORS)
        if pending is None:
            raise InvariantError(f"`{self.domain.name}` asks its disk for what nobody wants")
        pending.parts.append(part)
        if not pending.started:
            self._mark_domain(slot, pending.trail)
            self._start(pending, pending.trail)
        elif pending.status is not None:
            self._end_parts(pending)

    def _start(self, pending: _Pending, trail: Trail) -> None:
        trail.end()
        pending.started = True
        if pending.request is not None:
            self._host.direct.start(pending.request)

    def _end_parts(self, pending: _Pending) -> None:
        """Interrupt the driver domain: its device has done what it asked."""
        parts, pending.parts = pending.parts, []
        for part in parts:
            if self._host.finish(part, pending.status or 0):
                self._host.interrupt(self.domain, "domain_interrupt", PASS_THROUGH.interrupt)
        self._host.settle(self.domain)

    def check(self) -> None:
        """Hold the ring to its invariant: messages in are messages out, lost, or on it.

        Raises
        ------
        InvariantError
            When one was lost unseen, or answered twice.
        """
        left = len(self._ring) + len(self._waiting)
        if self.put != self.answered + self.dropped + left:
            raise InvariantError(
                f"messages for `{self.domain.name}`: {self.put} were put on the ring, "
                f"{self.answered} answered, {self.dropped} dropped, and {left} are left"
            )
