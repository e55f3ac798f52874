"""A VM's port on the virtual switch.

Frames that the guest's device has no buffer for, or that come while the VM is moving, wait in the
port's queue, as they do behind a bridge; when that is full, they are lost. What waits is offered
again whenever the VM exits and, since a guest may post buffers without telling, now and then.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dcsim.errors import InvariantError
from dcsim.sim import Counter

if TYPE_CHECKING:
    from dcsim.hypervisor.journeys import Trail
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Timer

__all__ = ["QUEUE_FRAMES", "VirtualNic"]

QUEUE_FRAMES = 1000
"""Length of the queue; that of a Linux tap device."""
RETRY_NS = 500_000
"""How often waiting frames are offered without an exit."""


class VirtualNic:
    """The queue between the network and a VM's device.

    Parameters
    ----------
    vm
        Whose it is.

    Attributes
    ----------
    counts
        Frames ``arrived``, and of these ``received`` and ``dropped``; frames ``handed_over``,
        and of these ``sent``.
    """

    def __init__(self, vm: VirtualMachine) -> None:
        self._vm = vm
        self._queue: deque[bytes] = deque()
        self._let_in: deque[Trail | None] = deque()
        self._retry: Timer | None = None
        self.counts = Counter()

    def arrive(self, frame: bytes) -> bool:
        """Take a frame from the network; return False when it is lost."""
        self.counts.add("arrived")
        if len(self._queue) >= QUEUE_FRAMES or self._vm.state not in {"running", "moving"}:
            self.counts.add("dropped")
            return False
        self._queue.append(frame)
        if self._vm.hypervisor is not None:
            self._vm.hypervisor.announce(self._vm, len(frame))
        return True

    def announce_all(self) -> None:
        """Tell the host where the VM is now of all frames that wait."""
        self._let_in.clear()
        hypervisor = self._vm.hypervisor
        if hypervisor is not None:
            for frame in tuple(self._queue):
                hypervisor.announce(self._vm, len(frame))

    def clear(self) -> None:
        """Lose all frames that wait: whoever was to have them is over."""
        if self._queue:
            self.counts.add("dropped", len(self._queue))
        self._queue.clear()
        self._let_in.clear()

    def let_in(self, trail: Trail | None) -> None:
        """Note that the host has brought one more frame as far as the guest's device."""
        if len(self._let_in) < len(self._queue):  # otherwise it was lost on the way
            self._let_in.append(trail)
            self.offer()

    def offer(self) -> None:
        """Hand frames to the guest's device while it takes them."""
        hypervisor = self._vm.hypervisor
        while self._let_in and hypervisor is not None and self._vm.pausing is None:
            if not hypervisor.deliver(self._vm, self._queue[0], self._let_in[0]):
                self._retry_later()
                return
            self._queue.popleft()
            self._let_in.popleft()
            self.counts.add("received")

    def check(self) -> None:
        """Hold the port to its invariant: frames in are frames out, lost, or waiting.

        Raises
        ------
        InvariantError
            When a frame was lost unseen, or came twice.
        """
        arrived, received, dropped = (
            self.counts[key] for key in ("arrived", "received", "dropped")
        )
        if arrived != received + dropped + len(self._queue):
            raise InvariantError(
                f"frames for `{self._vm.name}`: {arrived} arrived, {received} were received, "
                f"{dropped} dropped, and {len(self._queue)} wait"
            )

    def transmit(self, frame: bytes, at_ns: int) -> None:
        """Send a frame that the guest handed over."""
        self.counts.add("sent")
        if self._vm.on_packet is not None:
            self._vm.on_packet(frame, at_ns)

    def _retry_later(self) -> None:
        if self._retry is None or not self._retry.pending:
            environment = self._vm.environment
            self._retry = environment.after(RETRY_NS, self.offer, reach=self._vm.scope)
