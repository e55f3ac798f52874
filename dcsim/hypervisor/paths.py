"""What host software does, step by step: the one place where its paths are declared.

A path is a list of steps, and a step a list of metered primitives. The machine world executes them
on the processor concerned and charges what they cost *there*: a trap, a return, saving or restoring
the integer or floating-point registers, reading or writing a CSR, a load, a store, a look-up in a
table (hash, compare, follow), simple arithmetic, a TLB flush. So the same path costs more on a
processor with slow CSRs, and the types of hypervisor differ by what they do, never by a factor.

The numbers of primitives are assumptions, written down from what such software has to do; each step
says why. They are listed in the ledger of every result, and what they came to in its table of
paths.

Type 1. The hypervisor is the host's kernel. An exit comes to it and to nobody else. It drives the
devices itself: a disk request is translated, written into the device's queue and announced by one
store. Or a driver domain does, a VM that owns the devices: then the request goes onto a ring that
both share, and an event tells the other side.

Type 2. The monitor is a module of another kernel, and the rest of the hypervisor, with its device
models, is a process. Each exit gives the processor back to that kernel, whose own supervisor state
takes the place of the guest's until the guest goes on. An exit that needs a device model crosses to
the process. A doorbell does not: the kernel wakes the process's I/O thread, which finds the
request, makes a system call on the disk's file or the tap device, and tells the kernel to interrupt
the guest when it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.hypervisor.steps import Path, Primitives, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dcsim.host import PathStep

__all__ = [
    "NO_HOST",
    "PASS_THROUGH",
    "PROCESS",
    "RING",
    "SWAP",
    "TYPE1",
    "TYPE2",
    "HostPaths",
    "HostedSteps",
    "RingPaths",
    "SwapPaths",
    "exit_paths",
]

_PAGE_BYTES = 4096
_WORD_BYTES = 8

_GUEST_CSRS = 8
"""A guest's supervisor state: status, vector, scratch, exception pc, cause, value, address space,
interrupt enables; the same number belongs to the host's own kernel."""

_ENTER_KERNEL: Primitives = (("trap", 1), ("save_registers", 1))
_LEAVE_KERNEL: Primitives = (("restore_registers", 1), ("return", 1))
_SAVE_CSRS: Primitives = (("csr_read", _GUEST_CSRS), ("store", _GUEST_CSRS))
_RESTORE_CSRS: Primitives = (("load", _GUEST_CSRS), ("csr_write", _GUEST_CSRS))
_SWAP_CSRS: Primitives = (*_SAVE_CSRS, *_RESTORE_CSRS)

_LEAVE_GUEST = Step("leave the guest", _ENTER_KERNEL)
_ENTER_GUEST = Step("enter the guest", _LEAVE_KERNEL)
_PICK_NEXT = Step("choose who is next", (("lookup", 1), ("alu", 40)))
"""The scheduler: look at the queue's head, compare, update the accounts."""
_SYSTEM_CALL = Step("system call", (*_ENTER_KERNEL, ("alu", 30), ("lookup", 1)))
"""Entry, dispatch by number, find the file of a descriptor."""
_SYSTEM_CALL_RETURN = Step("return to the process", (("alu", 10), *_LEAVE_KERNEL))
_INTERRUPT = Step(
    "device interrupt", (*_ENTER_KERNEL, ("load", 4), ("store", 2), ("lookup", 1), ("alu", 30))
)
"""A device interrupts: claim it, read what completed, find the request, acknowledge."""
_INTERRUPT_RETURN = Step("return from the interrupt", _LEAVE_KERNEL)
_INJECT = Step("raise the guest's interrupt", (("lookup", 1), ("store", 4), ("alu", 20)))
"""Note the completion for the guest's device and raise its interrupt line."""
_DRIVER_SUBMIT = Step("device driver", (("store", 16), ("alu", 60), ("store", 1)))
"""A driver fills a command, puts it into the device's queue, rings the doorbell."""
_BLOCK_LAYER = Step("block layer", (("lookup", 1), ("store", 32), ("alu", 200)))
"""The host's block layer makes a request of what the page cache lacks, for its driver."""
_TRANSLATE = Step("find guest pages", (("lookup", 1),))
"""Where in the host a guest's page is."""
_PAGE_CACHE = Step("look in the page cache", (("lookup", 1),))
_COPY = Step("copy", (("load", 1), ("store", 1)))
"""A copy goes a register at a time."""


def _pages(size_bytes: int) -> int:
    """Return how many pages a transfer touches, aligned."""
    return -(-size_bytes // _PAGE_BYTES)


def _copy(size_bytes: int) -> Path:
    """Return the path of copying bytes."""
    return _COPY.times(-(-size_bytes // _WORD_BYTES))


def _translate(size_bytes: int) -> Path:
    """Return the path of finding where in the host each guest page of a transfer is."""
    return _TRANSLATE.times(max(1, _pages(size_bytes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPaths:
    """The paths of one way to host VMs.

    Attributes
    ----------
    load
        A processor takes up a vCPU.
    put
        It lays one down and looks for the next.
    every_exit
        What follows the monitor's handler of every exit.
    crossing
        What follows it as well when a process has to serve the exit, ...
    crosses
        ... which is so for these reasons.
    notify
        A doorbell is handed on to who serves it.
    thread_load, thread_put
        A processor takes up a thread of the host's, and lays it down.
    interrupt
        A device of the host interrupts.
    complete
        Whoever serves the guest finds out that a request is done.
    inject
        A request is done without the disk, in the page cache.
    entry
        An interrupt reaches a vCPU, where that is not part of the above.
    disk_submit_fixed, packet_send_fixed, packet_receive_fixed
        What every request and packet costs before its bytes.
    copies
        Whether the bytes of disk requests are copied through the host's page cache, and those of
        packets through the process; otherwise devices reach the guest's memory directly.
    hosted
        Whether there is host software at all.
    direct
        Whether the VM has the devices for itself: they know its memory, and nobody is asked.
    """

    load: Path = ()
    put: Path = ()
    every_exit: Path = ()
    crossing: Path = ()
    crosses: frozenset[str] = frozenset()
    notify: Path = ()
    thread_load: Path = ()
    thread_put: Path = ()
    interrupt: Path = ()
    complete: Path = ()
    inject: Path = ()
    entry: Path = ()
    disk_submit_fixed: Path = ()
    packet_send_fixed: Path = ()
    packet_receive_fixed: Path = ()
    copies: bool = False
    hosted: bool = True
    direct: bool = False

    def disk_submit(self, size_bytes: int, missing_pages: int, *, cached: bool = True) -> Path:
        """Return the path from a guest's disk request to the device, or to the page cache."""
        if not self.hosted or self.direct:
            return ()
        path = self.disk_submit_fixed + _translate(size_bytes)
        if not self.copies:
            return path
        to_driver = (_BLOCK_LAYER, _DRIVER_SUBMIT)
        if not cached:
            return path + to_driver
        path += _PAGE_CACHE.times(_pages(size_bytes)) + _copy(size_bytes)
        return path + to_driver if missing_pages else path

    def packet_send(self, size_bytes: int) -> Path:
        """Return the path of a frame from a guest to the network."""
        if not self.hosted or self.direct:
            return ()
        path = self.packet_send_fixed + _translate(size_bytes)
        return path + _copy(size_bytes) if self.copies else path

    def packet_receive(self, size_bytes: int) -> Path:
        """Return the path of a frame from the network to a guest, whose buffers it is copied to."""
        if not self.hosted:
            return ()
        if self.direct:
            return self.interrupt
        return self.packet_receive_fixed + _translate(size_bytes) + _copy(size_bytes)

    def exit(self, reason: str) -> Path:
        """Return what host software does behind the monitor's handler of an exit."""
        return self.every_exit + (self.crossing if reason in self.crosses else ())

    def declared(self) -> Iterable[tuple[str, PathStep]]:
        """Yield every primitive that is written here with the name of its path, for the ledger.

        The last ones are of what is done once for each page or word of a transfer.
        """
        for name in _NAMES:
            yield from ((name, step) for part in getattr(self, name) for step in part.primitives)
        if self.copies:
            parts = (*_BLOCK_LAYER.primitives, *_DRIVER_SUBMIT.primitives)
            yield from (("disk_submit_missing", step) for step in parts)
        yield from (("each_page", step) for step in _TRANSLATE.primitives)
        yield from (("each_word", step) for step in _COPY.primitives)


_NAMES = (
    *("load", "put", "every_exit", "crossing", "notify", "thread_load", "thread_put"),
    *("interrupt", "complete", "inject", "entry"),
    *("disk_submit_fixed", "packet_send_fixed", "packet_receive_fixed"),
)


class SwapPaths:
    """What a host does that moves pages of guests to its disk and back, all inside its kernel."""

    submit: Path = (_TRANSLATE, _DRIVER_SUBMIT)
    """The place of the page on the disk is found, and the disk is asked."""
    interrupt: Path = (_INTERRUPT, _TRANSLATE, _INTERRUPT_RETURN)
    """The disk has moved the page; whoever waits for it is found."""

    def declared(self) -> Iterable[tuple[str, PathStep]]:
        """Yield every primitive with the name of its path, for the ledger."""
        for name, path in (("submit", self.submit), ("interrupt", self.interrupt)):
            yield from ((name, step) for part in path for step in part.primitives)


SWAP = SwapPaths()

NO_HOST = HostPaths(hosted=False)
"""A guest on bare metal: its own drivers reach the devices, and nothing lies between."""

PROCESS = HostPaths(
    # The host schedules a thread of the program, in the program's address space.
    load=(Step("switch to the program", (("csr_write", 1), ("restore_float", 1))), _ENTER_GUEST),
    put=(_LEAVE_GUEST, Step("save the program", (("save_float", 1),)), _PICK_NEXT),
)
"""A process-level VM is a program among the host's own: no monitor lies between, and no device."""

_TYPE1_LOAD: Path = (
    # The vCPU's state comes back from its structure; then straight into the guest.
    Step("restore the vCPU", (*_RESTORE_CSRS, ("restore_float", 1))),
    _ENTER_GUEST,
)
_TYPE1_PUT: Path = (
    # A timer or an exit brought the processor here; the state goes to the vCPU's structure.
    _LEAVE_GUEST,
    Step("save the vCPU", (*_SAVE_CSRS, ("save_float", 1))),
    _PICK_NEXT,
)

TYPE1 = HostPaths(
    load=_TYPE1_LOAD,
    put=_TYPE1_PUT,
    # The exit handler has decoded the request already; the hypervisor's own driver goes on.
    disk_submit_fixed=(_DRIVER_SUBMIT,),
    interrupt=(_INTERRUPT, _INJECT, _INTERRUPT_RETURN),
    inject=(_INJECT,),
    packet_send_fixed=(_DRIVER_SUBMIT,),
    packet_receive_fixed=(_INTERRUPT, _INJECT, _INTERRUPT_RETURN),
)
"""The hypervisor owns the machine and drives its devices."""

PASS_THROUGH = HostPaths(
    load=_TYPE1_LOAD,
    put=_TYPE1_PUT,
    interrupt=(_INTERRUPT, _INJECT, _INTERRUPT_RETURN),
    inject=(_INJECT,),
    direct=True,
)
"""The VM owns a device: its requests go there without the hypervisor, which only brings the
device's interrupt to the vCPU."""

_EVENT = Step("send an event", (("lookup", 2), ("store", 2), ("alu", 30)))
"""Find the channel and its other end, set its bit, look whether that side waits."""
_GRANT = Step("grant a page", (("lookup", 1), ("store", 2)))
_REVOKE = Step("revoke a grant", (("load", 1), ("store", 1)))
_RING_SLOT = Step("put on the ring", (("load", 2), ("store", 8), ("alu", 10)))
_TAKE_SLOT = Step("take off the ring", (("load", 8), ("store", 2), ("alu", 10)))


class RingPaths:
    """What goes between a guest and its driver domain."""

    entry: Path = (_INJECT,)
    """An event reaches a vCPU."""

    @staticmethod
    def put(size_bytes: int) -> Path:
        """Return the path of a request from the guest to the ring: its pages are granted."""
        return (*_GRANT.times(_pages(size_bytes)), _RING_SLOT, _EVENT)

    @staticmethod
    def answer(size_bytes: int) -> Path:
        """Return the path of its answer: what moved is copied, the grants are over."""
        pages = _pages(size_bytes)
        found = _TRANSLATE.times(2 * pages)
        return (_TAKE_SLOT, *found, *_copy(size_bytes), *_REVOKE.times(pages), _EVENT)

    def declared(self) -> Iterable[tuple[str, PathStep]]:
        """Yield every primitive with the name of its path, for the ledger."""
        for step in (_RING_SLOT, _TAKE_SLOT, _EVENT, _GRANT, _REVOKE, _INJECT):
            yield from (("ring", primitive) for primitive in step.primitives)


RING = RingPaths()

_WAKE_THREAD = Step("wake the I/O thread", (("lookup", 1), ("store", 6), ("alu", 40)))
"""Find who waits, queue it on a processor, compare it with who runs there."""
_WAKE_UP = Step("return from waiting", _SYSTEM_CALL_RETURN.primitives)
"""The thread's own system call, in which it waited, returns."""
_WAIT = Step("wait for work", (*_SYSTEM_CALL.primitives, ("store", 4), ("alu", 20)))
"""The thread asks what it waits for, and is put into the queues of those who will wake it."""
_DEVICE_MODEL = Step("device model", (("load", 8), ("lookup", 1), ("alu", 60)))
"""The process finds the device model and its queue, and reads what is asked."""
_SWITCH_THREAD = Step(
    "switch threads", (("store", 14), ("load", 14), ("csr_write", 1), ("alu", 20))
)
"""Registers that calls preserve, and the address space of the process."""
_HOST_CALL = (_SYSTEM_CALL, _SYSTEM_CALL_RETURN)
_RAISE = (_SYSTEM_CALL, _INJECT, _SYSTEM_CALL_RETURN)
"""The process asks for an interrupt of its guest."""

TYPE2 = HostPaths(
    # The host schedules the vCPU's thread, in the process's address space, which runs the guest.
    load=(
        _SWITCH_THREAD,
        _WAKE_UP,
        _SYSTEM_CALL,
        Step("restore the vCPU", (*_SWAP_CSRS, ("restore_float", 1))),
        _ENTER_GUEST,
    ),
    # The host's timer or the exit; the guest's state is saved, then the thread's.
    put=(
        _LEAVE_GUEST,
        Step("save the vCPU", (*_SWAP_CSRS, ("save_float", 1))),
        _PICK_NEXT,
    ),
    # The host's kernel gets its own supervisor state back, takes the interrupts that it has, looks
    # whether to go on, and gives the guest its state again.
    every_exit=(
        Step("switch to the host's kernel", _SWAP_CSRS),
        Step("look after the host", (("alu", 60), ("load", 8), ("store", 4), ("csr_write", 2))),
        Step("switch to the guest", _SWAP_CSRS),
    ),
    # Out to the process, whose device model does it, and with a system call back.
    crossing=(_SYSTEM_CALL_RETURN, _DEVICE_MODEL, _SYSTEM_CALL),
    crosses=frozenset({"mmio_console", "mmio_virtio", "mmio_other"}),
    # The kernel knows the doorbell's address, and who is to be told.
    notify=(Step("find the doorbell", (("lookup", 2), ("alu", 20))), _WAKE_THREAD),
    thread_load=(_PICK_NEXT, _SWITCH_THREAD),
    thread_put=(_WAIT,),
    interrupt=(_INTERRUPT, _WAKE_THREAD, _INTERRUPT_RETURN),
    complete=(_WAKE_UP, _DEVICE_MODEL, *_RAISE),
    inject=_RAISE,
    # The vCPU's processor is told, leaves the guest, takes the interrupt and goes back.
    entry=(_LEAVE_GUEST, Step("switch worlds", (*_SWAP_CSRS, *_SWAP_CSRS)), _ENTER_GUEST),
    disk_submit_fixed=(_WAKE_UP, _DEVICE_MODEL, *_HOST_CALL),
    packet_send_fixed=(_WAKE_UP, _DEVICE_MODEL, _SYSTEM_CALL, _DRIVER_SUBMIT, _SYSTEM_CALL_RETURN),
    packet_receive_fixed=(_WAKE_UP, *_HOST_CALL, _DEVICE_MODEL, *_RAISE),
    copies=True,
)
"""The hypervisor is a process with an I/O thread, and its monitor is in the host's kernel."""


_WORLD_SWITCH = Step(
    "world switch",
    (
        *_ENTER_KERNEL,
        *_SWAP_CSRS,
        ("save_float", 1),
        ("restore_float", 1),
        ("csr_write", 1),
        *_LEAVE_KERNEL,
    ),
)
"""All that one world has in the processor goes, and all that the other had comes back."""
_SELECT = Step("ask for packets", (*_SYSTEM_CALL.primitives, ("lookup", 16), ("alu", 200)))
"""A select() over descriptors: find each, look at its queue, leave the queues of those who wait."""
_SHARED_FLAG = Step("look for packets", (("load", 2), ("alu", 4)))


class HostedSteps:
    """Paths of a hosted monitor with a world of its own."""

    crossing: Path = (_WORLD_SWITCH, _DEVICE_MODEL, _WORLD_SWITCH)
    """The process serves an access to a register."""

    @staticmethod
    def send(sizes: Iterable[int], *, switches: bool, asks: bool) -> Path:
        """Return the path of packets that leave together."""
        switch = (_WORLD_SWITCH,) if switches else ()
        path: Path = (*switch, _DEVICE_MODEL)
        for size_bytes in sizes:
            sent = (_SYSTEM_CALL, _DRIVER_SUBMIT, _SYSTEM_CALL_RETURN)
            path += (*_translate(size_bytes), *_copy(size_bytes), *sent)
        return (*path, *_asked(asks=asks), *switch)

    @staticmethod
    def receive(size_bytes: int, *, asks: bool) -> Path:
        """Return the path of a packet that interrupts the host while the guest runs."""
        moved = (*_translate(size_bytes), *_copy(size_bytes))
        got = (*_asked(asks=asks), *_HOST_CALL, _DEVICE_MODEL, *moved, _INJECT)
        return (_WORLD_SWITCH, _INTERRUPT, _INTERRUPT_RETURN, *got, _WORLD_SWITCH)


def _asked(*, asks: bool) -> Path:
    return (_SELECT, _SYSTEM_CALL_RETURN) if asks else (_SHARED_FLAG,)


def exit_paths(paths: HostPaths, reasons: Iterable[str]) -> Mapping[str, Path]:
    """Return what follows the handler of each exit, for those that anything follows."""
    every = ((reason, paths.exit(reason)) for reason in reasons)
    return {reason: path for reason, path in every if path}
