"""The virtual disks that lie on one host: made, kept when their VM is over, taken away.

A disk outlives its VM: one that is started again finds what it wrote, and another can stand on it
as its base.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.errors import PlacementError
from dcsim.host import BLOCK_BYTES, Run
from dcsim.hypervisor.virtual_disk import FileDisk, Layer, PlainDisk

if TYPE_CHECKING:
    from dcsim.host import DiskFile, FileStore, Host
    from dcsim.hypervisor.virtual_disk import VirtualDisk
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["DiskShelf"]


class DiskShelf:
    """The virtual disks of a host.

    Parameters
    ----------
    host
        On whose disk they are.

    Attributes
    ----------
    files
        The disks that are files, by their VM's name.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.files: dict[str, FileDisk] = {}
        self._owners: dict[str, VirtualMachine] = {}

    def open(self, vm: VirtualMachine) -> VirtualDisk:
        """Return a VM's disk, made if it is not there.

        Raises
        ------
        PlacementError
            When the host has no room for it, or lacks what it stands on.
        """
        config = vm.config
        if config.disk_bytes == 0 or vm.storage is not None:
            return PlainDisk(vm.name)
        if config.disk_partition:
            return PlainDisk(vm.name, self._partition(vm).start * BLOCK_BYTES)
        disk = self.files.get(vm.name)
        if disk is None:
            disk = self.files[vm.name] = self._make(vm)
            self._owners[vm.name] = vm
        elif disk.top.users > 1:
            self.push(disk, vm.name)
        return disk

    def owners(self) -> list[VirtualMachine]:
        """Return the VMs whose disks are files here."""
        return list(self._owners.values())

    def remove(self, name: str) -> None:
        """Delete the files of a VM's disk on which nobody else stands."""
        disk = self.files.pop(name, None)
        if disk is None:
            return
        del self._owners[name]
        for layer in disk.layers:
            self.let_go(disk.store, layer)

    @staticmethod
    def let_go(store: FileStore, layer: Layer) -> None:
        """Stand on a layer no longer; delete it when nobody does."""
        layer.users -= 1
        if not layer.users:
            store.delete(layer.file)

    def push(self, disk: FileDisk, name: str) -> bool:
        """Put an empty layer on a disk; tell whether there was room for it."""
        file = self._new_file(disk.store, name)
        if file is not None:
            disk.layers.append(Layer(file, name))
        return file is not None

    def _make(self, vm: VirtualMachine) -> FileDisk:
        store = self._host.store
        if store is None:
            raise PlacementError(
                f"{self._host.name} has no partition for files, and the disk of {vm.name} is one"
            )
        below = self._base_of(vm).layers if vm.config.disk_base else []
        file = self._new_file(store, vm.name)
        if file is None:
            raise self._full(vm, store)
        keeps = vm.config.disk_format == "raw"
        disk = FileDisk(store, vm.config.disk_bytes, [*below, Layer(file, vm.name, keeps=keeps)])
        blocks = [Run(0, disk.blocks)] if keeps else vm.carried_blocks
        if not store.fill(file, blocks):
            store.delete(file)
            raise self._full(vm, store)
        vm.carried_blocks = []
        for layer in below:
            layer.users += 1
        file.unwritten.clear()  # whoever made it has written it
        return disk

    def _base_of(self, vm: VirtualMachine) -> FileDisk:
        """Return the disk on which another stands, whose content that one's VM then begins with."""
        base = self.files.get(vm.config.disk_base)
        owner = self._owners.get(vm.config.disk_base)
        where = f"the disk of {vm.name} stands on that of {vm.config.disk_base}"
        if base is None or owner is None or owner.disk is None:
            raise PlacementError(f"{where}, which is not on {self._host.name}")
        if owner.state not in {"off", "failed"}:
            raise PlacementError(f"{where}, which is {owner.state}; start it when that one is over")
        vm.disk = owner.disk.clone()
        return base

    def _partition(self, vm: VirtualMachine) -> Run:
        run = self._host.partitions.get(vm.config.disk_partition)
        if run is None:
            name = vm.config.disk_partition
            raise PlacementError(f"{self._host.name} has no partition `{name}` for {vm.name}")
        return run

    def _full(self, vm: VirtualMachine, store: FileStore) -> PlacementError:
        free_bytes = store.free_blocks * BLOCK_BYTES
        return PlacementError(
            f"the disk of {self._host.name} has {free_bytes} bytes left; the disk of {vm.name} is "
            f"{vm.config.disk_format} and needs {vm.config.disk_bytes}"
        )

    @staticmethod
    def _new_file(store: FileStore, name: str) -> DiskFile | None:
        number = 0
        while f"{name}.{number}" in store.files:
            number += 1
        return store.create(f"{name}.{number}")
