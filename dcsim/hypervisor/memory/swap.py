"""Swapping by the hypervisor: the last resort.

Victims are random pages of the VMs that have more than they should: the hypervisor does not know
which pages its guest needs least, and would only make the guest's own choice again. Before a page
is written its content is looked up, and shared if another page has it. A frame is free as soon as
its page has been taken; only so many pages are on their way to the disk at once, so that memory is
reclaimed no faster than the disk takes it.

A page that its VM needs is read back while the vCPU stalls. Both ways lead through the host's own
disk, behind whatever is queued there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dcsim.hypervisor.memory.record import PAGE_BYTES
from dcsim.hypervisor.memory.settings import SWAP_WINDOW
from dcsim.hypervisor.memory.swap_space import SwapSpace
from dcsim.hypervisor.paths import SWAP
from dcsim.sim import Counter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcsim.hypervisor.hypervisor import Hypervisor
    from dcsim.hypervisor.memory.places import Places
    from dcsim.hypervisor.memory.settings import MemorySettings
    from dcsim.hypervisor.memory.vm_memory import VmMemory
    from dcsim.hypervisor.steps import Path
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Stream

__all__ = ["Swapper"]

VICTIM_TRIES = 8
"""How many pages are tried for one that can go, some being in use by the monitor or a device."""


class Swapper:
    """Takes pages from VMs and brings them back.

    Parameters
    ----------
    hypervisor
        Whose host's memory and disk.
    places
        Where the work runs.
    settings
        How much the disk may hold.
    stream
        Which pages go.
    vms
        The VMs by number, as the host knows them.
    on_progress
        Called when frames have become free, or a page has come back.

    Attributes
    ----------
    counts
        ``swapped``: pages written to the disk; ``shared``: pages that another had already;
        ``compressed``; ``refused``: pages that could not go; ``in``: pages that came back.
    in_flight
        Pages on their way to the disk.
    """

    def __init__(
        self,
        hypervisor: Hypervisor,
        places: Places,
        settings: MemorySettings,
        stream: Stream,
        vms: Mapping[int, VmMemory],
        on_progress: Callable[[], None],
    ) -> None:
        host = hypervisor.host
        self._hypervisor = hypervisor
        self._host = host
        self._machine = host.machine
        self._places = places
        self._space = SwapSpace(host, settings.swap_bytes)
        self._compressed_frames = settings.compressed_bytes // PAGE_BYTES
        self._stream = stream
        self._vms = vms
        self._on_progress = on_progress
        self._coming: dict[tuple[int, int], list[Callable[[], None]]] = {}
        self._without_frame: list[tuple[VmMemory, int]] = []
        self.counts = Counter()
        self.in_flight = 0

    @property
    def has_space(self) -> bool:
        """Whether there is a place for one page more."""
        return self._can_compress or self._space.has_room(self._is_swapped)

    @property
    def _can_compress(self) -> bool:
        return self._machine.compression()["frames"] < self._compressed_frames

    def _is_swapped(self, vm: int, page: int) -> bool:
        return vm in self._vms and self._machine.page_state(vm, page) == "swapped"

    @property
    def waits_for_disk(self) -> bool:
        """Whether a page is on its way, in or out."""
        return self.in_flight > 0 or len(self._coming) > len(self._without_frame)

    # Out.

    def pump(self) -> None:
        """Start as much of what is to go as may be on its way."""
        while self.in_flight < SWAP_WINDOW and self._take_one():
            pass

    def take_now(self, free: int) -> bool:
        """Take pages until so many frames are free, however busy the disk is; False if it fails."""
        while self._machine.free_frames < free and self._take_one():
            pass
        return self._machine.free_frames >= free

    def _take_one(self) -> bool:
        """Take a page from the VM that has the most to give; False when none can."""
        owing = [memory for memory in self._vms.values() if memory.to_swap > 0]
        for memory in sorted(owing, key=lambda each: -each.to_swap):
            if self._evict(memory):
                memory.to_swap -= 1
                return True
            memory.to_swap = 0
        return False

    def _evict(self, memory: VmMemory) -> bool:
        """Take a random page from a VM; False when none of some was to be had."""
        number = memory.vm.number
        for _ in range(VICTIM_TRIES):
            resident = memory.resident
            if not resident or not self.has_space:
                return False
            page = self._machine.resident_page(number, self._stream.below(resident))
            outcome = self._take(number, page)
            self.counts.add(outcome)
            if outcome == "swapped":
                self._write(self._space.take(number, page))
            if outcome != "refused":
                return True
        return False

    def _take(self, vm: int, page: int) -> str:
        """Take a page out of its frame, into the compressed tier while that has room."""
        if self._can_compress:
            outcome = self._swap_out(vm, page, "compressed")
            if outcome != "refused":
                return "compressed" if outcome == "swapped" else outcome
        has_room = self._space.has_room(self._is_swapped)
        return self._swap_out(vm, page, "disk") if has_room else "refused"

    def _swap_out(self, vm: int, page: int, tier: str) -> str:
        take = partial(self._machine.swap_out, vm=vm, page=page, share_first=True, tier=tier)
        return self._host.conductor.work(self._places.choose(), take)

    def _write(self, place: int) -> None:
        self.in_flight += 1
        self._charge("swap_submit", SWAP.submit)
        self._move(place, write=True, done=self._written)

    def _charge(self, name: str, path: Path) -> None:
        """Execute the host's own part of a transfer, on any processor."""
        self._hypervisor.host_interrupt(self._places.choose().index, name, path)

    def _move(self, place: int, *, write: bool, done: Callable[[], None]) -> None:
        """Have the disk move a page; at its end it interrupts."""

        def finish() -> None:
            self._charge("swap_interrupt", SWAP.interrupt)
            done()

        self._host.disk.submit(
            PAGE_BYTES, write=write, done=finish, reach=self._host.scope, offset_bytes=place
        )

    def _written(self) -> None:
        self.in_flight -= 1
        self.pump()
        self._on_progress()

    # In.

    def bring_back(self, memory: VmMemory, page: int, then: Callable[[], None]) -> None:
        """Read a page from the disk; ``then`` is called when its VM has it.

        The processor on which it is missed asks for it, or brings it back if it is compressed.
        """
        key = (memory.vm.number, page)
        waiting = self._coming.setdefault(key, [])
        waiting.append(then)
        if len(waiting) == 1 and self._machine.page_state(*key) == "compressed":
            self._arrive(memory, page)
        elif len(waiting) == 1:
            arrive = partial(self._arrive, memory, page)
            self._hypervisor.charge_vm(memory.vm, "swap_submit", SWAP.submit)
            self._move(self._space.take(*key), write=False, done=arrive)

    def _swap_in(self, vm: VirtualMachine, page: int) -> bool:
        def bring(pcpu: int) -> bool:
            return self._machine.swap_in(vm.number, page, pcpu)

        processor = self._hypervisor.processor_of(vm) or self._places.choose()
        return self._host.conductor.work(processor, bring)

    def forget(self, memory: VmMemory) -> None:
        """Note that a VM is gone: what comes from the disk for it is dropped."""
        number = memory.vm.number
        self._without_frame = [each for each in self._without_frame if each[0] is not memory]
        self._space.forget(number)
        for key in [key for key in self._coming if key[0] == number]:
            del self._coming[key]

    def retry(self) -> None:
        """Put pages that were read into frames that have become free."""
        waiting, self._without_frame = self._without_frame, []
        for memory, page in waiting:
            self._arrive(memory, page)

    def _arrive(self, memory: VmMemory, page: int) -> None:
        number = memory.vm.number
        if (number, page) not in self._coming:
            return
        if self._machine.page_state(number, page) in {"swapped", "compressed"}:
            if not self._swap_in(memory.vm, page):
                self._without_frame.append((memory, page))
                return
            self._space.leave(number, page)
            self.counts.add("in")
        for then in self._coming.pop((number, page)):
            then()
