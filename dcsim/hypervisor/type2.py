"""A type-2 hypervisor: processes on a host operating system.

vCPUs are threads under the host's fair scheduler. A disk is a file: reads and writes go through
the host's page cache, so a read that hits costs no disk access, and a write is done when it is in
the cache and reaches the disk later. A guest's flush waits until its dirty pages are on the disk;
so does a move, since the destination's host has another cache.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from dcsim.host import PageCache
from dcsim.hypervisor.cached_io import CachedIo
from dcsim.hypervisor.fair import FairScheduler
from dcsim.hypervisor.hypervisor import Hypervisor
from dcsim.hypervisor.paths import TYPE2

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.host import Exit, Host
    from dcsim.hypervisor.disk_io import GuestRequest
    from dcsim.hypervisor.dispatcher import Slot
    from dcsim.hypervisor.paths import Steps
    from dcsim.hypervisor.scheduler import Scheduler
    from dcsim.hypervisor.virtual_disk import CacheMode
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["Type2"]

SYSTEM_SHARE = 8
"""The host's operating system keeps an eighth of the memory, ..."""
CACHE_SHARE = 2
"""... of which half is its page cache."""


class Type2(Hypervisor):
    """A process for each VM, on a host with a fair scheduler and a page cache.

    Parameters
    ----------
    host
        What it runs on.
    scheduler
        What chooses; the fair scheduler when left out.
    """

    kind = "type2"
    cache_mode: ClassVar[CacheMode] = "writeback"

    def __init__(self, host: Host, scheduler: Scheduler | None = None) -> None:
        super().__init__(host, scheduler or FairScheduler(host.config.pcpus), TYPE2)
        system_bytes = self.system_bytes(host.config.memory_bytes)
        host.reserve("operating-system", system_bytes)
        self.cache = PageCache(system_bytes // CACHE_SHARE)
        self._cached = CachedIo(self, self.cache, host.scope)

    @classmethod
    def system_bytes(cls, memory_bytes: int) -> int:
        """Return what the host's operating system keeps, its page cache included."""
        return memory_bytes // SYSTEM_SHARE

    def _on_io(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Return to the VM's process, which goes through the file layer."""
        if vm.config.technique == "bare-metal" or vm.cache_mode == "none":
            super()._on_io(slot, vm, exit_)
            return
        request = self._note_request(vm, exit_)
        self._admit(request, partial(self._ask, slot, request))

    def _ask(self, slot: Slot, request: GuestRequest) -> None:
        """Look a request up in the page cache, on account of its vCPU, and carry it out."""
        vm = request.vm
        prepared = self._cached.prepare(request)
        steps = self._paths_of(vm).disk_submit(request.size_bytes, len(prepared.missing))
        at_ns = self._charge(slot, vm, steps)
        self.environment.at(at_ns, partial(self._cached.start, prepared), reach=vm.scope)

    def _charge(self, slot: Slot, vm: VirtualMachine, steps: Steps) -> int:
        """Charge a path where the vCPU is; one that was held back may find it elsewhere."""
        if slot.vcpu is not None and slot.vcpu.vm is vm:
            return self._conductor.charge(slot.processor, "disk_submit", steps)
        self._interrupt(vm, "disk_submit", steps)
        return self.environment.now

    def _flush(self, vm: VirtualMachine) -> bool:
        """Write a VM's dirty pages; when there are none, forget its file."""
        self._cached.write_dirty(vm)

        def settle(*, by_disk: bool) -> None:
            if by_disk:
                self._settle(vm)

        settled = not self._cached.after_writes(vm, settle)
        if settled:
            self._cached.forget(vm)
        return settled

    def expect_crash(self) -> None:
        """Keep in mind what is on the disk, and what only in the page cache."""
        self._cached.keeps_durable = True

    def _lose_memory(self) -> None:
        """Forget the page cache: of what was written only what reached the disk is left."""
        for vm in self.shelf.owners():
            self._cached.lose(vm)
        self.cache.clear()

    def cache_counts(self) -> dict[str, int]:
        """Return how often the host's page cache had a page, and had not."""
        return self.cache.counts.as_dict()

    def drain(self, vm: VirtualMachine, then: Callable[[], None]) -> None:
        """Call a function when all that a VM wrote is on the device."""

        def drained(*, by_disk: bool) -> None:
            del by_disk
            then()

        self._cached.write_dirty(vm)
        self._cached.after_writes(vm, drained)

    def forget_file(self, name: str) -> None:
        """Forget the pages of a file that is no more."""
        self.cache.drop(name)
