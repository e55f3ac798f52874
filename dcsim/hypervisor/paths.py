"""What host software does, step by step: the one place where its paths are declared.

A path is a list of metered primitives. The machine world executes them on the processor of the
vCPU concerned and charges what they cost *there*: a trap, a return, saving or restoring the
integer or floating-point registers, reading or writing a CSR, a load, a store, a look-up in a
table (hash, compare, follow), simple arithmetic, a TLB flush. So the same path costs more on a
processor with slow CSRs, and the two types of hypervisor differ by what they do, never by a factor.

The numbers of steps are assumptions, written down from what such software has to do; each path
says why. They are listed in the ledger of every result.

Type 1. The hypervisor is the host's kernel. It drives the devices itself: a disk request is
translated, written into the device's queue and announced by one store.

Type 2. The monitor is a module of the host's kernel, and the rest of the hypervisor, with its
device models, is a process. An exit that needs a device model returns to it: the guest's state is
put away, the process's state comes back, the processor leaves the kernel; the process finds out
which device is meant, makes a system call on the disk's file, which goes through the host's file
layer and page cache; then it asks the kernel to run the guest again, which restores the guest's
state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcsim.host import PathStep

__all__ = ["NO_HOST", "TYPE1", "TYPE2", "HostPaths", "Steps"]

Steps = tuple[tuple[str, int], ...]

_PAGE_BYTES = 4096
_WORD_BYTES = 8

_GUEST_CSRS = 8
"""A guest's supervisor state: status, vector, scratch, exception pc, cause, value, address space,
interrupt enables; the same number belongs to the host's own kernel."""

_ENTER_KERNEL: Steps = (("trap", 1), ("save_registers", 1))
_LEAVE_KERNEL: Steps = (("restore_registers", 1), ("return", 1))
_SAVE_CSRS: Steps = (("csr_read", _GUEST_CSRS), ("store", _GUEST_CSRS))
_RESTORE_CSRS: Steps = (("load", _GUEST_CSRS), ("csr_write", _GUEST_CSRS))
_PICK_NEXT: Steps = (("lookup", 1), ("alu", 40))
"""The scheduler: look at the queue's head, compare, update the accounts."""
_SYSTEM_CALL: Steps = (*_ENTER_KERNEL, ("alu", 30), ("lookup", 1))
"""Entry, dispatch by number, find the file of a descriptor."""
_SYSTEM_CALL_RETURN: Steps = (("alu", 10), *_LEAVE_KERNEL)
_INTERRUPT: Steps = (*_ENTER_KERNEL, ("load", 4), ("store", 2), ("lookup", 1), ("alu", 30))
"""A device interrupts: claim it, read what completed, find the request, acknowledge."""
_INJECT: Steps = (("lookup", 1), ("store", 4), ("alu", 20))
"""Note the completion for the guest's device and raise its interrupt line."""
_DRIVER_SUBMIT: Steps = (("store", 16), ("alu", 60), ("store", 1))
"""A driver fills a command, puts it into the device's queue, rings the doorbell."""

_BLOCK_LAYER: Steps = (("lookup", 1), ("store", 32), ("alu", 200), *_DRIVER_SUBMIT)
"""The host's block layer makes a request of what the page cache lacks, for its driver."""
_COPY_WORD: Steps = (("load", 1), ("store", 1))
"""A copy goes a register at a time."""
_FIND_PAGE: Steps = (("lookup", 1),)
"""Where in the host a guest's page is, or whether the page cache has a page."""


def _times(count: int, steps: Steps) -> Steps:
    """Return the steps of doing something several times."""
    return tuple((primitive, count * each) for primitive, each in steps) if count else ()


def _pages(size_bytes: int) -> int:
    """Return how many pages a transfer touches, aligned."""
    return -(-size_bytes // _PAGE_BYTES)


def _copy(size_bytes: int) -> Steps:
    """Return the steps of copying bytes."""
    return _times(-(-size_bytes // _WORD_BYTES), _COPY_WORD)


def _translate(size_bytes: int) -> Steps:
    """Return the steps of finding where in the host each guest page of a transfer is."""
    return _times(max(1, _pages(size_bytes)), _FIND_PAGE)


@dataclass(frozen=True, slots=True)
class HostPaths:
    """The paths of one type of hypervisor.

    Attributes
    ----------
    load
        A processor takes up a vCPU.
    put
        It lays one down and looks for the next.
    disk_interrupt
        The disk interrupts: a request is done.
    disk_inject
        A request is done without the disk, in the page cache.
    fixed
        What every request, packet and completion costs before its bytes.
    """

    load: Steps
    put: Steps
    disk_submit_fixed: Steps
    disk_interrupt: Steps
    disk_inject: Steps
    packet_send_fixed: Steps
    packet_receive_fixed: Steps
    copies: bool
    """Whether the bytes of disk requests are copied through the host's page cache, and those of
    packets through the process; otherwise devices reach the guest's memory directly."""
    hosted: bool = True
    """Whether there is host software at all."""

    def disk_submit(self, size_bytes: int, missing_pages: int) -> Steps:
        """Return the path from a guest's disk request to the device, or to the page cache."""
        if not self.hosted:
            return ()
        steps = self.disk_submit_fixed + _translate(size_bytes)
        if not self.copies:
            return steps
        steps += _times(_pages(size_bytes), _FIND_PAGE) + _copy(size_bytes)
        return steps + _BLOCK_LAYER if missing_pages else steps

    def packet_send(self, size_bytes: int) -> Steps:
        """Return the path of a frame from a guest to the network."""
        if not self.hosted:
            return ()
        steps = self.packet_send_fixed + _translate(size_bytes)
        return steps + _copy(size_bytes) if self.copies else steps

    def packet_receive(self, size_bytes: int) -> Steps:
        """Return the path of a frame from the network to a guest, whose buffers it is copied to."""
        if not self.hosted:
            return ()
        return self.packet_receive_fixed + _translate(size_bytes) + _copy(size_bytes)

    def declared(self) -> Iterable[tuple[str, PathStep]]:
        """Yield every step that is written here with the name of its path, for the ledger.

        The last ones are of what is done once for each page or word of a transfer.
        """
        for name in ("load", "put", "disk_submit_fixed", "disk_interrupt", "disk_inject"):
            yield from ((name, step) for step in getattr(self, name))
        for name in ("packet_send_fixed", "packet_receive_fixed"):
            yield from ((name, step) for step in getattr(self, name))
        if self.copies:
            yield from (("disk_submit_missing", step) for step in _BLOCK_LAYER)
        yield from (("each_page", step) for step in _FIND_PAGE)
        yield from (("each_word", step) for step in _COPY_WORD)


NO_HOST = HostPaths((), (), (), (), (), (), (), copies=False, hosted=False)
"""A guest on bare metal: its own drivers reach the devices, and nothing lies between."""

TYPE1 = HostPaths(
    # The vCPU's state comes back from its structure; then straight into the guest.
    load=(*_RESTORE_CSRS, ("restore_float", 1), *_LEAVE_KERNEL),
    # A timer or an exit brought the processor here; the state goes to the vCPU's structure.
    put=(*_ENTER_KERNEL, *_SAVE_CSRS, ("save_float", 1), *_PICK_NEXT),
    # The exit handler has decoded the request already; the hypervisor's own driver goes on.
    disk_submit_fixed=_DRIVER_SUBMIT,
    disk_interrupt=(*_INTERRUPT, *_INJECT, *_LEAVE_KERNEL),
    disk_inject=_INJECT,
    packet_send_fixed=_DRIVER_SUBMIT,
    packet_receive_fixed=(*_INTERRUPT, *_INJECT, *_LEAVE_KERNEL),
    copies=False,
)
"""The hypervisor owns the machine and drives its devices."""

_TO_PROCESS: Steps = (*_SAVE_CSRS, *_RESTORE_CSRS, *_LEAVE_KERNEL)
"""Guest state away, host kernel state back, out to the hypervisor's process."""
_TO_GUEST: Steps = (*_SYSTEM_CALL, *_SAVE_CSRS, *_RESTORE_CSRS, *_LEAVE_KERNEL)
"""The process asks to run the guest: into the kernel, host state away, guest state back."""
_DEVICE_MODEL: Steps = (("load", 8), ("lookup", 1), ("alu", 60))
"""The process reads why the guest exited and finds the device model and its queue."""
_WAKE_PROCESS: Steps = (*_PICK_NEXT, *_SAVE_CSRS, *_RESTORE_CSRS, ("csr_write", 1), *_LEAVE_KERNEL)
"""The kernel schedules the process's thread that waits for completions, in its address space."""

TYPE2 = HostPaths(
    # The host schedules the vCPU's thread, in the process's address space, which runs the guest.
    load=(("csr_write", 1), ("restore_float", 1), *_LEAVE_KERNEL, *_TO_GUEST),
    # The host's timer or the exit; the guest's state is saved, then the thread's.
    put=(*_ENTER_KERNEL, *_SAVE_CSRS, *_RESTORE_CSRS, ("save_float", 1), *_PICK_NEXT),
    disk_submit_fixed=(
        *_TO_PROCESS,
        *_DEVICE_MODEL,
        *_SYSTEM_CALL,
        *_SYSTEM_CALL_RETURN,
        *_TO_GUEST,
    ),
    disk_interrupt=(
        *_INTERRUPT,
        *_WAKE_PROCESS,
        *_DEVICE_MODEL,
        *_SYSTEM_CALL,
        *_INJECT,
        *_SYSTEM_CALL_RETURN,
        *_TO_GUEST,
    ),
    # The process has the data from its own system call; it only asks for the interrupt.
    disk_inject=(*_SYSTEM_CALL, *_INJECT, *_SYSTEM_CALL_RETURN),
    packet_send_fixed=(
        *_TO_PROCESS,
        *_DEVICE_MODEL,
        *_SYSTEM_CALL,
        *_DRIVER_SUBMIT,
        *_SYSTEM_CALL_RETURN,
        *_TO_GUEST,
    ),
    packet_receive_fixed=(
        *_INTERRUPT,
        *_WAKE_PROCESS,
        *_SYSTEM_CALL,
        *_SYSTEM_CALL_RETURN,
        *_DEVICE_MODEL,
        *_SYSTEM_CALL,
        *_INJECT,
        *_SYSTEM_CALL_RETURN,
        *_TO_GUEST,
    ),
    copies=True,
)
"""The hypervisor is a process, with its monitor in the host's kernel."""
