"""What a scenario says of disks: profiles and bases that exist, partitions that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.errors import did_you_mean
from dcsim.hardware import disk_profile_names, load_disk_profile
from dcsim.host import ALIGNMENT_BYTES, BLOCK_BYTES, MOST_PARTITIONS, Partition, divide
from dcsim.scenario.finding import Finding, known, positive, whole
from dcsim.units import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.scenario.hosts import Disk, Host
    from dcsim.scenario.model import Model
    from dcsim.scenario.scenario import Scenario
    from dcsim.scenario.vms import VirtualDisk, Vm

__all__ = ["check_disks"]

SECTOR_BYTES = 512
_AS_FILES = "as files, a partition holds as many disks as there is room for: leave `partition` out"

Location = tuple[int | str, ...]


def check_disks(scenario: Scenario) -> Iterator[Finding]:
    """Yield what is wrong with the disks of hosts and VMs."""
    for index, host in enumerate(scenario.hosts):
        yield from _check_host_disk(host.disk, ("hosts", index, "disk"))
    taken: dict[tuple[str, str], str] = {}
    for index, vm in enumerate(scenario.vms):
        if vm.disk is not None:
            location = ("vms", index, "disk")
            yield from whole(vm.disk.size_bytes, SECTOR_BYTES, (*location, "size"))
            yield from _check_files(vm.disk, location)
            yield from _check_base(scenario, vm, location)
            yield from _check_cache(scenario, vm, location)
            yield from _check_partition(scenario, vm, taken, location)
    yield from _check_snapshots(scenario)


# The disks of hosts.


def _check_host_disk(disk: Disk, location: Location) -> Iterator[Finding]:
    yield from positive(disk.bandwidth_bits_per_second, (*location, "bandwidth"))
    if disk.profile is None:
        if disk.order != "fifo":
            message = "a disk without a profile has no arm"
            yield Finding((*location, "order"), message, "name a profile of a rotating disk")
    elif disk.profile not in disk_profile_names():
        yield from known("disk profile", disk.profile, disk_profile_names(), (*location, "profile"))
        return
    else:
        yield from _check_profile(disk, disk.profile, location)
    if disk.holds_bytes < 2 * ALIGNMENT_BYTES:
        message = f"a disk of {BYTES.format(disk.holds_bytes)} has no room behind its first MiB"
        yield Finding((*location, "capacity"), message, "write at least `2 MiB`")
        return
    yield from _check_partitions(disk, location)


def _check_profile(disk: Disk, name: str, location: Location) -> Iterator[Finding]:
    for key, field in (("latency", "latency_ns"), ("bandwidth", "bandwidth_bits_per_second")):
        if _is_said(disk, field):
            message = f"the profile `{name}` has its own {key}"
            yield Finding((*location, key), message, f"leave out either `{key}` or `profile`")
    profile = load_disk_profile(name)
    if disk.order != "fifo" and profile.kind != "rotating":
        message = f"`{name}` has no arm"
        yield Finding((*location, "order"), message, "leave it out")
    most_bytes = profile.capacity_bytes.value
    if disk.capacity_bytes is not None and disk.capacity_bytes > most_bytes:
        message = f"`{name}` holds {BYTES.format(most_bytes)}"
        yield Finding((*location, "capacity"), message, "write no more, or leave it out")


def _check_partitions(disk: Disk, location: Location) -> Iterator[Finding]:
    place = (*location, "partitions")
    if len(disk.partitions) > MOST_PARTITIONS:
        message = (
            f"a master boot record has room for {MOST_PARTITIONS} primary partitions, and "
            f"`{disk.partitions[MOST_PARTITIONS].name}` is the fifth"
        )
        yield Finding((*place, MOST_PARTITIONS), message, _AS_FILES)
        return
    names: list[str] = []
    for index, each in enumerate(disk.partitions):
        yield from whole(each.size_bytes, BLOCK_BYTES, (*place, index, "size"))
        if each.name in names:
            message = f"the name `{each.name}` is taken"
            yield Finding((*place, index, "name"), message, "choose another")
        names.append(each.name)
    holders = [index for index, each in enumerate(disk.partitions) if each.use == "files"]
    if len(holders) > 1:
        message = "one partition holds the files"
        yield Finding((*place, holders[1], "use"), message, "make it larger, or write `use: raw`")
    try:
        divide(disk.holds_bytes, [Partition(p.name, p.size_bytes, p.use) for p in disk.partitions])
    except ValueError as error:
        message = f"{error}, which holds {BYTES.format(disk.holds_bytes)}"
        yield Finding(
            place, message, "make one smaller; each begins at a whole MiB, from the first"
        )


# The disks of VMs.


def _check_files(disk: VirtualDisk, location: Location) -> Iterator[Finding]:
    """Hold the keys of a disk that is a file to each other."""
    fits = disk.on == "local" and disk.partition is None
    for key in ("format", "base"):
        if _is_said(disk, key) and not fits:
            message = f"`{key}` is of a disk that is a file, on its host's own"
            yield Finding((*location, key), message, "leave it out")
            return
    if (disk.format == "overlay") != (disk.base is not None):
        key = "format" if disk.format == "overlay" else "base"
        message = "an overlay stands on a base, and nothing else does"
        remedy = "write `format: overlay` and `base: <a VM with a disk>`"
        yield Finding((*location, key), message, remedy)
    if disk.moves and (disk.base is not None or disk.partition is not None):
        what = "its base" if disk.base is not None else "its partition"
        message = f"the disk cannot cross the network: {what} stays"
        yield Finding((*location, "moves"), message, "leave it out")


def _check_base(scenario: Scenario, vm: Vm, location: Location) -> Iterator[Finding]:
    disk = vm.disk
    if disk is None or disk.base is None or disk.on != "local":
        return
    place = (*location, "base")
    each_vm = {each.name: each for each in scenario.each_vm()}
    bases = [name for name, each in each_vm.items() if _is_file(each)]
    if disk.base not in bases:
        message = f"there is no VM `{disk.base}` whose disk is a file"
        yield Finding(place, message, did_you_mean(disk.base, bases))
        return
    base = each_vm[disk.base]
    assert base.disk is not None
    if base.disk.size_bytes != disk.size_bytes:
        message = f"the disk of `{disk.base}` has {BYTES.format(base.disk.size_bytes)}"
        yield Finding((*location, "size"), message, "an overlay has the size of its base")
    if base.host is None or base.host != vm.host or base.disk.moves:
        message = f"the disk of `{disk.base}` has to be on the same host"
        yield Finding(place, message, "name one `host` for both, and let neither disk move")
    if base.start_ns >= vm.start_ns:
        message = f"`{disk.base}` is not over when this VM starts"
        yield Finding(place, message, "start this VM later, when the base is written")


def _check_snapshots(scenario: Scenario) -> Iterator[Finding]:
    vms = {each.name: each for each in scenario.each_vm()}
    files = [name for name, each in vms.items() if _is_file(each)]
    for index, snapshot in enumerate(scenario.snapshots):
        location = ("snapshots", index)
        if snapshot.vm in vms and snapshot.vm not in files:
            message = f"the disk of `{snapshot.vm}` is no file on its host's disk"
            yield Finding((*location, "vm"), message, "only such a disk has snapshots")
        else:
            yield from known("VM", snapshot.vm, files, (*location, "vm"))
        if snapshot.at_ns >= scenario.duration_ns > 0:
            yield Finding((*location, "at"), "that is after the run's end", "write an earlier time")
        disk = vms[snapshot.vm].disk if snapshot.vm in vms else None
        if disk is not None and disk.moves:
            message = f"the disk of `{snapshot.vm}` moves, and its snapshots would not"
            yield Finding((*location, "vm"), message, "leave `moves` out at the disk")


def _is_said(model: Model, field: str) -> bool:
    """Tell whether a field differs from its default: a canonical scenario has all of them."""
    return bool(getattr(model, field) != type(model).model_fields[field].default)


def _is_file(vm: Vm) -> bool:
    return vm.disk is not None and vm.disk.on == "local" and vm.disk.partition is None


def _check_cache(scenario: Scenario, vm: Vm, location: Location) -> Iterator[Finding]:
    disk = vm.disk
    if disk is None or disk.cache in {None, "none"}:
        return
    hosts = [each for each in scenario.each_host() if vm.host in {None, each.name}]
    owner = next((each for each in hosts if each.hypervisor == "type1"), None)
    if owner is not None:
        message = f"the VM may run on `{owner.name}`, whose type 1 hypervisor has no page cache"
        yield Finding((*location, "cache"), message, "leave it out, or write `cache: none`")


def _check_partition(
    scenario: Scenario, vm: Vm, taken: dict[tuple[str, str], str], location: Location
) -> Iterator[Finding]:
    disk = vm.disk
    if disk is None or disk.partition is None:
        return
    place = (*location, "partition")
    if disk.on != "local":
        yield Finding(place, "a partition is of a host's own disk", "write `on: local`")
        return
    host = next((each for each in scenario.each_host() if each.name == vm.host), None)
    if host is None:
        message = "the host is not said whose partition it is"
        yield Finding(place, message, "add `host: ...` to the VM")
        return
    yield from _check_partition_of(host, disk, place)
    before = taken.get((host.name, disk.partition))
    if before is not None or (vm.count or 1) > 1:
        yield _no_partition_left(host, disk.partition, before or f"{vm.name}-0", place)
    taken[host.name, disk.partition] = vm.name


def _check_partition_of(host: Host, disk: VirtualDisk, place: Location) -> Iterator[Finding]:
    partitions = {each.name: each for each in host.disk.partitions}
    partition = partitions.get(disk.partition or "")
    if partition is None:
        message = f"the disk of `{host.name}` has no partition `{disk.partition}`"
        remedy = did_you_mean(disk.partition or "", partitions)
        if len(partitions) >= MOST_PARTITIONS:
            message += f", and no room for more than its {MOST_PARTITIONS}"
            remedy = _AS_FILES
        yield Finding(place, message, remedy)
    elif partition.use != "raw":
        message = f"the partition `{partition.name}` holds files"
        yield Finding(place, message, "leave `partition` out: the disk is then a file in it")
    elif disk.size_bytes > partition.size_bytes:
        message = f"the partition `{partition.name}` has {BYTES.format(partition.size_bytes)}"
        yield Finding(
            (*place[:-1], "size"), message, "make the partition larger, or the disk smaller"
        )


def _no_partition_left(host: Host, name: str, before: str, place: Location) -> Finding:
    used = len(host.disk.partitions) >= MOST_PARTITIONS
    full = f", and a master boot record has room for {MOST_PARTITIONS}" if used else ""
    message = f"the partition `{name}` of `{host.name}` is the disk of `{before}`{full}"
    return Finding(place, message, _AS_FILES)
