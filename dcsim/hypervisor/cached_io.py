"""Carries out what guests ask of their disks through the host's page cache.

``writeback``: a write is done when it is in the cache and reaches the disk some time later; the
guest's flush waits for that. ``writethrough``: it is done when it is on the disk; reads find it in
the cache. Room on the host's disk is taken when the write comes, not when the page is written back:
so a full disk is an error of the write itself, and nothing that was acknowledged lacks its place.

A page belongs to a file: virtual disks that stand on the same base share its pages.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from dcsim.host import BLOCK_BYTES
from dcsim.hypervisor.disk_io import FAILED, Countdown, move
from dcsim.hypervisor.durable import DurableContent
from dcsim.hypervisor.virtual_disk import PageKey, joined, parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.host import PageCache
    from dcsim.hypervisor.disk_io import GuestRequest, IoHost
    from dcsim.hypervisor.virtual_disk import Piece, VirtualDisk
    from dcsim.hypervisor.virtual_machine import Storage, VirtualMachine
    from dcsim.sim import Scope, Timer

__all__ = ["WRITEBACK_NS", "CachedIo", "Prepared"]

WRITEBACK_NS = 500_000_000
"""How long a dirty page stays before it is written: Linux looks for old ones every 5 s; shortened
to fit runs of seconds."""


class Prepared(NamedTuple):
    """What a request found in the cache."""

    request: GuestRequest
    missing: list[Piece]
    """What must be read from the device."""
    through: list[Piece]
    """What is then written to it before the guest is told."""
    status: int = 0


class _File(NamedTuple):
    """Whose pages a file's are."""

    vm: VirtualMachine
    disk: VirtualDisk
    storage: Storage


class CachedIo:
    """Carries requests out through a page cache.

    Parameters
    ----------
    host
        The hypervisor.
    cache
        The pages.
    reach
        What the end of a write-back can change: the host.

    Attributes
    ----------
    keeps_durable
        Whether to keep apart what is on the disk and what only in the cache: a host that is to fail
        loses the one and not the other.
    """

    def __init__(self, host: IoHost, cache: PageCache, reach: Scope) -> None:
        self._host = host
        self._cache = cache
        self._reach = reach
        self._files: dict[str, _File] = {}
        self._on_the_way: dict[str, dict[int, list[Callable[[], None]]]] = {}
        self._serial = 0
        self._timers: dict[str, Timer] = {}
        self.keeps_durable = False
        self._durable: dict[str, DurableContent] = {}

    # What the guest asks.

    def prepare(self, request: GuestRequest) -> Prepared:
        """Look a request up in the cache, and take room on the disk for it."""
        if request.operation == "read":
            return self._prepare_read(request)
        if request.operation == "write":
            return self._prepare_write(request)
        return Prepared(request, [], [])

    def start(self, prepared: Prepared) -> None:
        """Carry a request out that was prepared."""
        self._write_evicted()
        request, missing, through, status = prepared
        if status or request.operation == "discard":
            if not status:
                self._discard(request)
            self._host.complete(request, by_disk=False, status=status)
        elif request.operation == "flush":
            self._flush(request)
        else:
            complete = partial(
                self._host.complete, request, by_disk=bool(missing or through), status=0
            )
            storage, reach = self._host.storage_of(request.vm), request.vm.scope
            then = partial(move, storage, through, request, write=True, then=complete, reach=reach)
            move(storage, missing, request, write=False, then=then, reach=reach)

    def _prepare_read(self, request: GuestRequest) -> Prepared:
        disk = request.vm.virtual_disk
        keys = [disk.page(block) for block, _, _ in parts(request.sector, request.size_bytes)]
        missing = [key for key in keys if key is not None and not self._use(request.vm, key)]
        return Prepared(request, joined([disk.piece(key) for key in missing]), [])

    def _prepare_write(self, request: GuestRequest) -> Prepared:
        vm, disk = request.vm, request.vm.virtual_disk
        blocks = list(parts(request.sector, request.size_bytes))
        partly = {block: disk.page(block) for block, _, count in blocks if count < BLOCK_BYTES}
        plan = disk.write(request.sector, request.size_bytes)
        if plan is None:
            return Prepared(request, [], [], FAILED)
        missing = [
            disk.piece(key) for key in partly.values() if key is not None and not self._use(vm, key)
        ]
        dirty = vm.cache_mode == "writeback"
        for key in filter(None, (disk.page(block) for block, _, _ in blocks)):
            self._use(vm, key, dirty=dirty)
        if dirty:
            self._keep_apart(vm)
            self._write_later(vm)
        return Prepared(request, joined(missing), [] if dirty else plan.pieces)

    def _use(self, vm: VirtualMachine, key: PageKey, *, dirty: bool = False) -> bool:
        self._files[key.file] = _File(vm, vm.virtual_disk, self._host.storage_of(vm))
        return self._cache.use(key.file, key.page, dirty=dirty)

    def _discard(self, request: GuestRequest) -> None:
        disk = request.vm.virtual_disk
        keys = [disk.page(block) for block, _, _ in parts(request.sector, request.size_bytes)]
        disk.discard(request.sector, request.size_bytes)
        for key in keys:
            if key is not None and disk.page(key.page) != key:
                self._cache.forget(key.file, key.page)

    def _flush(self, request: GuestRequest) -> None:
        done = partial(self._host.complete, request, status=0)
        self.write_dirty(request.vm)
        self.after_writes(request.vm, done)

    # Writing back.

    def write_dirty(self, vm: VirtualMachine) -> None:
        """Write a VM's dirty pages, and the record of its disk."""
        storage = self._host.storage_of(vm)
        for file in vm.virtual_disk.file_names():
            pages = self._cache.clean(file)
            pieces = [vm.virtual_disk.piece(PageKey(file, page)) for page in pages]
            self._write(vm, storage, joined(sorted(pieces)), pages)
        self._write(vm, storage, vm.virtual_disk.unwritten(), [])

    def after_writes(self, vm: VirtualMachine, then: Callable[..., None]) -> bool:
        """Call a function when all that was ever written of a VM's disk is on the device.

        It is told whether it had to wait; so is the caller.
        """
        on_the_way = self._on_the_way.get(vm.name, {})
        if not on_the_way:
            then(by_disk=False)
            return False
        done = Countdown(len(on_the_way), partial(then, by_disk=True))
        for waiters in on_the_way.values():
            waiters.append(done)
        return True

    def forget(self, vm: VirtualMachine) -> None:
        """Forget the pages of a disk that leaves; the dirty ones must have been written."""
        for file in vm.virtual_disk.file_names():
            self._cache.drop(file)
            self._files.pop(file, None)

    def _write_later(self, vm: VirtualMachine) -> None:
        timer = self._timers.get(vm.name)
        if timer is None or not timer.pending:
            self._timers[vm.name] = self._host.environment.after(
                WRITEBACK_NS, partial(self.write_dirty, vm), reach=self._reach
            )

    def _write_evicted(self) -> None:
        """Write the dirty pages that had to leave the cache."""
        pages: dict[str, list[int]] = {}
        for name, page in self._cache.take_evicted():
            pages.setdefault(name, []).append(page)
        for name, of_file in pages.items():
            vm, disk, storage = self._files[name]
            pieces = sorted(disk.piece(PageKey(name, page)) for page in of_file)
            self._write(vm, storage, joined(pieces), of_file)

    def _write(
        self, vm: VirtualMachine, storage: Storage, pieces: list[Piece], pages: list[int]
    ) -> None:
        """Write pieces that hold pages; these are durable when all of them are written."""
        on_the_way = self._on_the_way.setdefault(vm.name, {})
        written = Countdown(len(pieces), self._made_durable(vm, pages))
        for piece in pieces:
            self._serial += 1
            on_the_way[self._serial] = []
            storage.submit(
                piece.size_bytes,
                write=True,
                done=partial(self._written, vm.name, self._serial, written),
                reach=self._reach,
                offset_bytes=piece.offset_bytes,
            )

    def _written(self, owner: str, serial: int, written: Countdown) -> None:
        written()
        for waiter in self._on_the_way[owner].pop(serial):
            waiter()

    # What a host that fails leaves.

    def _keep_apart(self, vm: VirtualMachine) -> None:
        """From a first write into the cache on, keep what is on the disk."""
        if self.keeps_durable and vm.disk is not None and vm.name not in self._durable:
            self._durable[vm.name] = DurableContent(vm.disk)

    def _made_durable(self, vm: VirtualMachine, pages: list[int]) -> Callable[[], None]:
        """Return what notes that pages, as they are now, are on the disk."""
        durable = self._durable.get(vm.name)
        if durable is None or vm.disk is None or not pages:
            return _nothing
        return durable.written_later(vm.disk, pages)

    def lose(self, vm: VirtualMachine) -> None:
        """Leave of a VM's disk what is on the device."""
        durable = self._durable.pop(vm.name, None)
        if durable is not None:
            vm.disk = durable.content()
        timer = self._timers.pop(vm.name, None)
        if timer is not None:
            timer.cancel()


def _nothing() -> None:
    """Do nothing: nobody keeps the content apart."""
