"""A type-2 hypervisor: processes on a host operating system.

vCPUs are threads under the host's fair scheduler. A disk is a file: reads and writes go through
the host's page cache, so a read that hits costs no disk access, and a write is done when it is in
the cache and reaches the disk later. A guest's flush waits until its dirty pages are on the disk;
so does a move, since the destination's host has another cache.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dcsim.host import CACHE_PAGE_BYTES, PageCache
from dcsim.hypervisor.fair import FairScheduler
from dcsim.hypervisor.hypervisor import Hypervisor, field
from dcsim.hypervisor.paths import TYPE2

if TYPE_CHECKING:
    from dcsim.host import Exit, Host
    from dcsim.hypervisor.dispatcher import Slot
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Timer

__all__ = ["Type2"]

SYSTEM_SHARE = 8
"""The host's operating system keeps an eighth of the memory, ..."""
CACHE_SHARE = 2
"""... of which half is its page cache."""
WRITEBACK_NS = 500_000_000
"""How long a dirty page stays before it is written: Linux looks for old ones every 5 s; shortened
to fit runs of seconds."""


class Type2(Hypervisor):
    """A process for each VM, on a host with a fair scheduler and a page cache.

    Parameters
    ----------
    host
        What it runs on.
    """

    kind = "type2"

    def __init__(self, host: Host) -> None:
        super().__init__(host, FairScheduler(host.config.pcpus), TYPE2)
        system_bytes = self.system_bytes(host.config.memory_bytes)
        host.reserve("operating-system", system_bytes)
        self.cache = PageCache(system_bytes // CACHE_SHARE)
        self._written_ns: dict[str, int] = {}
        self._write_back_timers: dict[str, Timer] = {}

    @classmethod
    def system_bytes(cls, memory_bytes: int) -> int:
        """Return what the host's operating system keeps, its page cache included."""
        return memory_bytes // SYSTEM_SHARE

    def _on_io(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Return to the VM's process, which goes through the file layer."""
        if vm.config.technique == "bare-metal":
            super()._on_io(slot, vm, exit_)
            return
        self._count_io(vm, exit_)
        if exit_.bytes:
            self._transfer(slot, vm, exit_)
        else:
            self._flush_for_guest(slot, vm, field(exit_.tag))

    def _transfer(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        size_bytes = field(exit_.bytes)
        touch = self.cache.write if exit_.write else self.cache.read
        touched = touch(vm.name, field(exit_.sector), size_bytes)
        steps = self._paths_of(vm).disk_submit(size_bytes, touched.missing)
        at_ns = self._conductor.charge(slot.processor, "disk_submit", steps)
        done = partial(self._complete, vm, field(exit_.tag))

        def submit() -> None:
            if touched.written_back:
                self._write(vm, touched.written_back)
            if touched.missing:
                missing_bytes = touched.missing * CACHE_PAGE_BYTES
                self.storage_of(vm).submit(missing_bytes, write=False, done=done, reach=vm.scope)
            else:
                done(by_disk=False)

        self.environment.at(at_ns, submit, reach=vm.scope)
        if exit_.write:
            self._write_back_later(vm)

    def _flush_for_guest(self, slot: Slot, vm: VirtualMachine, tag: int) -> None:
        steps = self._paths_of(vm).disk_submit(0, 0)
        at_ns = self._conductor.charge(slot.processor, "disk_submit", steps)

        def flush() -> None:
            written_ns = self._write_dirty(vm)
            by_disk = written_ns > self.environment.now
            done = partial(self._complete, vm, tag, by_disk=by_disk)
            self.environment.at(written_ns, done, reach=vm.scope)

        self.environment.at(at_ns, flush, reach=vm.scope)

    def _flush(self, vm: VirtualMachine) -> bool:
        """Write a VM's dirty pages; when there are none, forget its file."""
        written_ns = self._write_dirty(vm)
        if written_ns > self.environment.now:
            self.environment.at(written_ns, partial(self._settle, vm), reach=vm.scope)
            return False
        self.cache.drop(vm.name)
        return True

    # Writing back.

    def _write_back_later(self, vm: VirtualMachine) -> None:
        timer = self._write_back_timers.get(vm.name)
        if timer is None or not timer.pending:
            write = partial(self._write_dirty, vm)
            self._write_back_timers[vm.name] = self.environment.after(
                WRITEBACK_NS, write, reach=vm.scope
            )

    def _write_dirty(self, vm: VirtualMachine) -> int:
        """Write a VM's dirty pages; return when all that was ever dirty is on the disk."""
        dirty = self.cache.clean(vm.name)
        if dirty:
            self._write(vm, dirty)
        return max(self.environment.now, self._written_ns.get(vm.name, 0))

    def _write(self, vm: VirtualMachine, pages: int) -> None:
        size_bytes = pages * CACHE_PAGE_BYTES
        written_ns = self.storage_of(vm).submit(
            size_bytes, write=True, done=_nothing, reach=vm.scope
        )
        self._written_ns[vm.name] = max(written_ns, self._written_ns.get(vm.name, 0))


def _nothing() -> None:
    """Do nothing: nobody waits for a page that is written back."""
