"""Takes from a model that has run what became of its disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.host import BLOCK_BYTES
from dcsim.hypervisor import FileDisk
from dcsim.results import DiskLayerRecord, HostDiskRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.host import Host
    from dcsim.hypervisor import Hypervisor, VirtualMachine

__all__ = ["disk_bytes_of", "disk_layers", "host_disk"]


def disk_bytes_of(vm: VirtualMachine) -> int:
    """Return what a VM's disk takes of what holds it."""
    disk = vm.virtual_disk
    return disk.own_blocks * BLOCK_BYTES if isinstance(disk, FileDisk) else vm.config.disk_bytes


def host_disk(hypervisor: Hypervisor, ended_ns: int) -> HostDiskRecord:
    """Return what a host's disk did, and what is on it."""
    host = hypervisor.host
    disk, store = host.disk, host.store
    counts = hypervisor.cache_counts()
    return HostDiskRecord(
        profile=host.config.disk_profile.name if host.config.disk_profile else "",
        capacity_bytes=host.config.disk_capacity_bytes,
        files_capacity_bytes=store.whole.count * BLOCK_BYTES if store else 0,
        files_bytes=store.data_blocks * BLOCK_BYTES if store else 0,
        record_bytes=store.record_blocks * BLOCK_BYTES if store else 0,
        free_bytes=store.free_blocks * BLOCK_BYTES if store else 0,
        partitions_bytes=_raw_bytes(host),
        reads=disk.moved["read"],
        writes=disk.moved["write"],
        read_bytes=disk.moved["read_bytes"],
        written_bytes=disk.moved["write_bytes"],
        under_way=disk.queue.value,
        wait_ns=disk.waits_ns.total,
        busy_ns=sum(time for count, time in disk.queue.time_at_ns(ended_ns).items() if count),
        responses_ns=tuple(sorted(disk.responses_ns.values())),
        cache_hits=counts.get("hit", 0),
        cache_misses=counts.get("miss", 0),
    )


def _raw_bytes(host: Host) -> int:
    return sum(each.size_bytes for each in host.config.partitions if each.use == "raw")


def disk_layers(hypervisor: Hypervisor) -> Iterator[DiskLayerRecord]:
    """Yield the layers of the virtual disks on a host."""
    for name, disk in hypervisor.shelf.files.items():
        for depth, layer in enumerate(disk.layers):
            yield DiskLayerRecord(
                host=hypervisor.host.name,
                vm=name,
                depth=depth,
                file=layer.file.name,
                virtual_bytes=disk.size_bytes,
                data_bytes=layer.file.data_blocks * BLOCK_BYTES,
                record_bytes=(layer.file.blocks - layer.file.data_blocks) * BLOCK_BYTES,
                users=layer.users,
            )
