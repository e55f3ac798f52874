"""Carries out what guests ask of their disks.

Directly: each request goes to the device that holds the virtual disk, at the places where its bytes
are, and is done when the device is. A type 2 hypervisor can go through its host's page cache
instead (:mod:`dcsim.hypervisor.cached_io`).

A write for which the host's disk has no room fails with an I/O error, and nothing has changed. What
was acknowledged stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcsim.host import Exit
    from dcsim.hypervisor.virtual_disk import Piece
    from dcsim.hypervisor.virtual_machine import Storage, VirtualMachine
    from dcsim.sim import Environment, Scope

__all__ = [
    "FAILED",
    "Countdown",
    "DirectIo",
    "DiskGate",
    "GuestRequest",
    "IoHost",
    "Operation",
    "guest_request",
    "move",
]

Operation = Literal["read", "write", "flush", "discard"]

FAILED = 1
"""The status of a request that ends with an I/O error; 0 is success."""


@dataclass(frozen=True, slots=True)
class GuestRequest:
    """What a guest asks of its disk."""

    vm: VirtualMachine
    tag: int
    operation: Operation
    sector: int
    size_bytes: int
    life: int
    """Which of the VM's lives it belongs to."""


def guest_request(vm: VirtualMachine, exit_: Exit) -> GuestRequest:
    """Return the request of an exit."""
    assert exit_.tag is not None
    operation = exit_.operation or "flush"
    return GuestRequest(vm, exit_.tag, operation, exit_.sector or 0, exit_.bytes or 0, vm.life)


class IoHost(Protocol):
    """What carrying requests out needs of a hypervisor."""

    environment: Environment

    def storage_of(self, vm: VirtualMachine) -> Storage:
        """Return the device that holds a VM's disk."""

    def complete(self, request: GuestRequest, *, by_disk: bool, status: int) -> None:
        """Tell the guest."""


class Countdown:
    """Calls a function when several things are done; at once when there is none.

    Parameters
    ----------
    count
        How many.
    then
        What to call.
    """

    __slots__ = ("_left", "_then")

    def __init__(self, count: int, then: Callable[[], object]) -> None:
        self._left = count
        self._then = then
        if not count:
            then()

    def __call__(self) -> None:
        """Note that one is done."""
        self._left -= 1
        if not self._left:
            self._then()


class DiskGate:
    """Holds back what a guest asks of its disk while the disk itself changes.

    Attributes
    ----------
    under_way
        Requests that are being carried out.
    """

    def __init__(self) -> None:
        self.under_way = 0
        self._held: list[Callable[[], None]] = []
        self._quiet: Callable[[], None] | None = None
        self._closed = False

    def enter(self, start: Callable[[], None]) -> None:
        """Start a request, now or when the gate opens."""
        if self._closed:
            self._held.append(start)
        else:
            self.under_way += 1
            start()

    def leave(self) -> None:
        """Note that a request is done."""
        self.under_way -= 1
        self._look()

    def close(self, quiet: Callable[[], None]) -> None:
        """Let nothing in; call a function when what is under way is done."""
        self._closed = True
        self._quiet = quiet
        self._look()

    def open(self) -> None:
        """Let in what waits."""
        self._closed = False
        held, self._held = self._held, []
        for start in held:
            self.enter(start)

    def _look(self) -> None:
        if self._quiet is not None and not self.under_way:
            quiet, self._quiet = self._quiet, None
            quiet()


def move(
    storage: Storage,
    pieces: Iterable[Piece],
    request: GuestRequest,
    *,
    write: bool,
    then: Callable[[], object],
    reach: Scope,
) -> None:
    """Have pieces moved for a request; call a function when all are."""
    every = list(pieces)
    done = Countdown(len(every), then)
    waited = request.vm.note_disk_wait
    for piece in every:
        storage.submit(
            piece.size_bytes,
            write=write,
            done=done,
            reach=reach,
            offset_bytes=piece.offset_bytes,
            waited=waited,
        )


class DirectIo:
    """Carries requests out on the device itself.

    Parameters
    ----------
    host
        The hypervisor.
    """

    def __init__(self, host: IoHost) -> None:
        self._host = host

    def start(self, request: GuestRequest) -> None:
        """Carry a request out."""
        if request.operation == "read":
            pieces = request.vm.virtual_disk.read(request.sector, request.size_bytes)
            self._move(request, pieces, write=False)
        elif request.operation == "write":
            self._write(request)
        elif request.operation == "flush":
            self._flush(request)
        else:
            request.vm.virtual_disk.discard(request.sector, request.size_bytes)
            self._host.complete(request, by_disk=False, status=0)

    def _write(self, request: GuestRequest) -> None:
        plan = request.vm.virtual_disk.write(request.sector, request.size_bytes)
        if plan is None:
            self._host.complete(request, by_disk=False, status=FAILED)
            return
        write = partial(self._move, request, plan.pieces, write=True)
        self._pass(request, plan.copied, write=False, then=write)

    def _flush(self, request: GuestRequest) -> None:
        """Have the record of the disk on the medium, and then everything."""
        storage, reach = self._host.storage_of(request.vm), request.vm.scope
        done = partial(self._host.complete, request, by_disk=True, status=0)
        end = partial(storage.submit, 0, write=True, done=done, reach=reach)
        self._pass(request, request.vm.virtual_disk.unwritten(), write=True, then=end)

    def _move(self, request: GuestRequest, pieces: list[Piece], *, write: bool) -> None:
        complete = partial(self._host.complete, request, by_disk=bool(pieces), status=0)
        self._pass(request, pieces, write=write, then=complete)

    def _pass(
        self,
        request: GuestRequest,
        pieces: list[Piece],
        *,
        write: bool,
        then: Callable[[], object],
    ) -> None:
        storage = self._host.storage_of(request.vm)
        move(storage, pieces, request, write=write, then=then, reach=request.vm.scope)
