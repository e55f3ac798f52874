"""Snapshots of virtual disks: taken, gone back to, merged away.

A snapshot freezes the highest layer of a disk and keeps its content; what is written afterwards
goes to a layer of its own. Going back drops the layers above. Merging copies a layer into the one
below it, block by block through the host's disk, beside the guest; what the guest writes meanwhile
is copied at the end, while its requests wait.

Whoever asks is told how it ended: nothing when well, otherwise why not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from dcsim.host import BLOCK_BYTES
from dcsim.hypervisor.disk_io import Countdown
from dcsim.hypervisor.virtual_disk import FileDisk, Piece, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dcsim.host import DiskContent, DiskModel
    from dcsim.hypervisor.disk_shelf import DiskShelf
    from dcsim.hypervisor.virtual_disk import Layer
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Scope

__all__ = ["MERGE_BLOCKS", "DiskKeeper", "Snapshots"]

MERGE_BLOCKS = 256
"""How many blocks a merge reads before it writes them: 1 MiB."""


@dataclass(slots=True)
class Snapshot:
    """A state of a disk that is kept."""

    name: str
    layers: int
    """How many layers hold it."""
    content: DiskContent


class DiskKeeper(Protocol):
    """What snapshots need of a hypervisor."""

    shelf: DiskShelf

    def drain(self, vm: VirtualMachine, then: Callable[[], None]) -> None:
        """Call a function when all that a VM wrote is on the device."""

    def forget_file(self, name: str) -> None:
        """Note that a file is no more."""


class Snapshots:
    """The snapshots of the disks on a host.

    Parameters
    ----------
    keeper
        The hypervisor.
    device
        The host's disk.
    reach
        What the end of a copy can change: the host.
    """

    def __init__(self, keeper: DiskKeeper, device: DiskModel, reach: Scope) -> None:
        self._keeper = keeper
        self._device = device
        self._reach = reach
        self._of: dict[str, list[Snapshot]] = {}

    def take(self, vm: VirtualMachine, name: str, told: Callable[[str], None]) -> None:
        """Keep the disk of a VM as it is when what is under way is done."""
        disk = vm.virtual_disk
        if not isinstance(disk, FileDisk) or vm.disk is None:
            told("its disk is no file")
            return
        if self._find(vm, name) is not None:
            told(f"it has a snapshot `{name}`")
            return
        vm.gate.close(partial(self._taken, vm, disk, name, told))

    def _taken(
        self, vm: VirtualMachine, disk: FileDisk, name: str, told: Callable[[str], None]
    ) -> None:
        layers = len(disk.layers)
        done = vm.disk is not None and self._keeper.shelf.push(disk, vm.name)
        if done and vm.disk is not None:
            self._of.setdefault(vm.name, []).append(Snapshot(name, layers, vm.disk.clone()))
        vm.gate.open()
        told("" if done else "the host's disk is full")

    def revert(self, vm: VirtualMachine, name: str, told: Callable[[str], None]) -> None:
        """Go back to a snapshot: what was written since, and later snapshots, are gone."""
        snapshot, disk = self._find(vm, name), vm.virtual_disk
        if snapshot is None or not isinstance(disk, FileDisk):
            told(f"it has no snapshot `{name}`")
        elif vm.hypervisor is not None or vm.gate.under_way:
            told("it is running")
        elif any(layer.users > 1 for layer in disk.layers[snapshot.layers :]):
            told("another disk stands on what was written since")
        else:
            for layer in disk.layers[snapshot.layers :]:
                self._drop(disk, layer)
            kept = self._of[vm.name]
            del kept[kept.index(snapshot) + 1 :]
            # The layers that went leave room for one.
            self._keeper.shelf.push(disk, vm.name)
            vm.disk = snapshot.content.clone()
            told("")

    def merge(self, vm: VirtualMachine, name: str, told: Callable[[str], None]) -> None:
        """Give a snapshot up: copy what was written after it into the layer that it froze."""
        snapshot, disk = self._find(vm, name), vm.virtual_disk
        if snapshot is None or not isinstance(disk, FileDisk):
            told(f"it has no snapshot `{name}`")
            return
        lower, upper = disk.layers[snapshot.layers - 1], disk.layers[snapshot.layers]
        if lower.users > 1 or upper.users > 1:
            told("another disk stands on it")
            return
        upper.changed = set()
        last = partial(self._end_merge, vm, disk, snapshot, told)
        if not self._copy(disk, upper, lower, sorted(upper.file.present()), last):
            upper.changed = None
            told("the host's disk is full")

    def _end_merge(
        self, vm: VirtualMachine, disk: FileDisk, snapshot: Snapshot, told: Callable[[str], None]
    ) -> None:
        """Copy what changed meanwhile, while nothing else can."""
        lower, upper = disk.layers[snapshot.layers - 1], disk.layers[snapshot.layers]

        def switch() -> None:
            lower.zeroed |= upper.zeroed
            for block in upper.zeroed:
                disk.store.release(lower.file, block)
            disk.layers.remove(upper)
            self._drop(disk, upper)
            kept = self._of[vm.name]
            kept.remove(snapshot)
            for later in kept:
                later.layers -= later.layers > snapshot.layers
            vm.gate.open()
            told("")

        def copy() -> None:
            changed = sorted(upper.changed or ())
            upper.changed = None
            here = [block for block in changed if upper.file.place(block) is not None]
            if not self._copy(disk, upper, lower, here, switch):
                vm.gate.open()
                told("the host's disk is full")

        vm.gate.close(lambda: self._keeper.drain(vm, copy))

    def _copy(
        self,
        disk: FileDisk,
        upper: Layer,
        lower: Layer,
        blocks: Sequence[int],
        then: Callable[[], None],
    ) -> bool:
        """Copy blocks from a layer to the one below; tell whether there is room for them."""
        holes = [run for block in blocks for run in lower.file.holes(range(block, block + 1))]
        if not disk.store.fill(lower.file, holes):
            return False
        lower.zeroed.difference_update(blocks)
        self._copy_on(upper, lower, blocks, then)
        return True

    def _copy_on(
        self, upper: Layer, lower: Layer, blocks: Sequence[int], then: Callable[[], None]
    ) -> None:
        """Read a part of the blocks, write it, go on with the rest."""
        part, rest = blocks[:MERGE_BLOCKS], blocks[MERGE_BLOCKS:]
        if not part:
            then()
            return
        on = partial(self._copy_on, upper, lower, rest, then)
        write = partial(self._move, _pieces(lower, part), write=True, then=on)
        self._move(_pieces(upper, part), write=False, then=write)

    def _move(self, pieces: list[Piece], *, write: bool, then: Callable[[], object]) -> None:
        done = Countdown(len(pieces), then)
        for piece in pieces:
            self._device.submit(
                piece.size_bytes,
                write=write,
                done=done,
                reach=self._reach,
                offset_bytes=piece.offset_bytes,
            )

    def _drop(self, disk: FileDisk, layer: Layer) -> None:
        if layer in disk.layers:
            disk.layers.remove(layer)
        self._keeper.forget_file(layer.file.name)
        self._keeper.shelf.let_go(disk.store, layer)

    def _find(self, vm: VirtualMachine, name: str) -> Snapshot | None:
        return next((each for each in self._of.get(vm.name, ()) if each.name == name), None)


def _pieces(layer: Layer, blocks: Iterable[int]) -> list[Piece]:
    """Return where blocks of a layer are that are there."""
    places = sorted(place for place in map(layer.file.place, blocks) if place is not None)
    return joined([Piece(place * BLOCK_BYTES, BLOCK_BYTES) for place in places])
