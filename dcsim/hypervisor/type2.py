"""A type-2 hypervisor: processes on a host operating system.

vCPUs are threads under the host's fair scheduler, and so is the I/O thread of each VM, which does
what its devices are asked, beside whatever other processes the host has. A disk is a file: reads
and writes go through the host's page cache, so a read that hits costs no disk access, and a write
is done when it is in the cache and reaches the disk later. A guest's flush waits until its dirty
pages are on the disk; so does a move, since the destination's host has another cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dcsim.host import PageCache
from dcsim.hypervisor.cached_io import CachedIo
from dcsim.hypervisor.fair import FairScheduler
from dcsim.hypervisor.hosted_network import HostedNetwork, hosted_paths
from dcsim.hypervisor.hypervisor import Hypervisor
from dcsim.hypervisor.io_threads import IoThreads
from dcsim.hypervisor.paths import TYPE2

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.host import Exit, Host
    from dcsim.hypervisor.dispatcher import Slot
    from dcsim.hypervisor.hosted_network import NetworkPath
    from dcsim.hypervisor.route import Route
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
    network
        How a monitor with a world of its own reaches the network; one that is in the host's kernel
        when left out.
    """

    kind = "type2"
    cache_mode: ClassVar[CacheMode] = "writeback"

    def __init__(
        self,
        host: Host,
        scheduler: Scheduler | None = None,
        network: NetworkPath | None = None,
    ) -> None:
        paths = TYPE2 if network is None else hosted_paths(network)
        super().__init__(host, scheduler or FairScheduler(host.config.pcpus), paths)
        system_bytes = self.system_bytes(host.config.memory_bytes)
        host.reserve("operating-system", system_bytes)
        self.cache = PageCache(system_bytes // CACHE_SHARE)
        self._cached = CachedIo(self, self.cache, host.scope)
        self.hosted = None if network is None else HostedNetwork(self, self._cached, network)
        self.io_threads = self.hosted or IoThreads(self, self._cached)

    @classmethod
    def system_bytes(cls, memory_bytes: int) -> int:
        """Return what the host's operating system keeps, its page cache included."""
        return memory_bytes // SYSTEM_SHARE

    def route_of(self, vm: VirtualMachine) -> Route:
        """Return the way of a VM's requests: its process's I/O thread."""
        return self._own if vm.config.technique == "bare-metal" else self.io_threads

    def _on_wait(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        if self.hosted is not None and vm.config.technique != "bare-metal":
            self.hosted.idle(vm)
        super()._on_wait(slot, vm, exit_)

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
