"""Virtual disks as files: what each format takes, reads and writes, and what a full disk does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dcsim.errors import PlacementError
from dcsim.host import BLOCK_BYTES, FileStore, Partition, Run
from dcsim.hypervisor import FileDisk, Hypervisor, Type1, Type2
from dcsim.hypervisor.virtual_disk import Layer, PlainDisk
from dcsim.sim import Environment

MIB = 1 << 20
PAGE = 4096
Script = list[tuple[Any, ...]]
DISK_NS = 80_000
PAGE_NS = 8_192


def sparse(store: FileStore, name: str = "a", size_bytes: int = 64 * PAGE) -> FileDisk:
    file = store.create(f"{name}.0")
    assert file is not None
    return FileDisk(store, size_bytes, [Layer(file, name)])


def over(base: FileDisk, name: str = "b") -> FileDisk:
    file = base.store.create(f"{name}.0")
    assert file is not None
    for layer in base.layers:
        layer.users += 1
    return FileDisk(base.store, base.size_bytes, [*base.layers, Layer(file, name)])


def offset(disk: FileDisk, layer: int, block: int) -> int:
    place = disk.layers[layer].file.place(block)
    assert place is not None
    return place * BLOCK_BYTES


# Places.


def test_what_was_never_written_is_read_without_the_disk() -> None:
    disk = sparse(FileStore(Run(256, 1000)))
    assert disk.read(0, 16 * PAGE) == []
    assert disk.page(3) is None


def test_a_sparse_disk_grows_by_the_blocks_that_are_written() -> None:
    store = FileStore(Run(256, 1000))
    disk = sparse(store)
    free = store.free_blocks
    plan = disk.write(8 * 5 + 2, 1024)
    assert plan is not None
    assert plan.copied == []
    assert plan.pieces == [(offset(disk, 0, 5) + 1024, 1024)]
    # The block, and the one with its place.
    assert free - store.free_blocks == 2
    assert disk.write(8 * 5, PAGE) is not None
    assert free - store.free_blocks == 2
    assert disk.write(8 * 4 + 7, 1024) is not None
    assert free - store.free_blocks == 3
    assert disk.read(8 * 4, 3 * PAGE)[0].size_bytes == PAGE


def test_neighbours_are_one_piece() -> None:
    disk = sparse(FileStore(Run(256, 1000)))
    plan = disk.write(4, 3 * PAGE)
    assert plan is not None
    assert plan.pieces == [(offset(disk, 0, 0) + 2048, 3 * PAGE)]
    assert disk.read(4, 3 * PAGE) == plan.pieces


def test_a_discard_gives_whole_blocks_back() -> None:
    store = FileStore(Run(256, 1000))
    disk = sparse(store)
    disk.write(0, 4 * PAGE)
    free = store.free_blocks
    disk.discard(4, 3 * PAGE)
    assert store.free_blocks == free + 2
    assert [disk.page(block) is None for block in range(4)] == [False, True, True, False]
    store.check("host")


def test_an_overlay_reads_its_base_and_writes_itself() -> None:
    store = FileStore(Run(256, 1000))
    base = sparse(store)
    base.write(0, 4 * PAGE)
    one, other = over(base, "b"), over(base, "c")
    assert one.read(0, 4 * PAGE) == base.read(0, 4 * PAGE)
    plan = one.write(8, PAGE)
    assert plan is not None
    assert plan.copied == []
    assert one.read(8, PAGE) == [(offset(one, 1, 1), PAGE)]
    # Neither the base nor the other overlay has changed.
    assert other.read(8, PAGE) == base.read(8, PAGE) == [(offset(base, 0, 1), PAGE)]


def test_a_block_that_is_written_in_part_is_copied_first() -> None:
    store = FileStore(Run(256, 1000))
    base = sparse(store)
    base.write(0, 4 * PAGE)
    disk = over(base)
    plan = disk.write(8 + 1, 512)
    assert plan is not None
    assert plan.copied == [(offset(base, 0, 1), PAGE)]
    assert plan.pieces == [(offset(disk, 1, 1), PAGE)]
    again = disk.write(8 + 1, 512)
    assert again is not None
    assert (again.copied, again.pieces) == ([], [(offset(disk, 1, 1) + 512, 512)])
    # Of a block that is nowhere there is nothing to copy.
    fresh = disk.write(8 * 30 + 1, 512)
    assert fresh is not None
    assert fresh.copied == []


def test_a_discard_in_an_overlay_hides_the_base() -> None:
    store = FileStore(Run(256, 1000))
    base = sparse(store)
    base.write(0, 4 * PAGE)
    disk = over(base)
    disk.discard(8, PAGE)
    assert disk.read(0, 2 * PAGE) == [(offset(base, 0, 0), PAGE)]
    assert base.read(8, PAGE) != []
    disk.write(8, 512)
    assert disk.page(1) is not None


def test_a_write_without_room_changes_nothing() -> None:
    store = FileStore(Run(256, 10))
    disk = sparse(store)
    assert disk.write(0, 4 * PAGE) is not None
    before = disk.read(0, 64 * PAGE)
    assert store.free_blocks == 2
    assert disk.write(8 * 8, 3 * PAGE) is None
    assert disk.read(0, 64 * PAGE) == before
    assert store.free_blocks == 2
    # What has its place already can be written again.
    assert disk.write(0, 4 * PAGE) is not None
    store.check("host")


def test_a_partition_is_a_disk_as_it_lies() -> None:
    disk = PlainDisk("a", 3 * MIB)
    assert disk.read(2, 1024) == [(3 * MIB + 1024, 1024)]
    assert disk.write(2, 1024).pieces == disk.read(2, 1024)


# Under a hypervisor.


@pytest.fixture
def start(make_rig: Callable[..., Any], make_vm: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that starts one VM with a script and returns it and its rig."""

    def start_one(kind: type[Hypervisor], script: Script, **config: Any) -> tuple[Any, Any]:
        host = config.pop("host", {})
        rig = make_rig([script], **host)
        vm = make_vm(rig, **{"disk_bytes": 1 << 20, "disk_format": "sparse", **config})
        hypervisor = kind(rig.host)
        hypervisor.expect(vm)
        hypervisor.create(vm)
        return vm, rig

    return start_one


def completed(rig: Any, vm: Any) -> list[int]:
    statuses: list[int] = rig.machine.vms[vm.number].statuses
    return statuses


SMALL = {"disk_capacity_bytes": MIB + 8 * PAGE}
"""Room for a store's own two blocks, a file's two, and four of content."""


@pytest.mark.parametrize("kind", [Type1, Type2])
def test_a_full_disk_is_an_error_of_the_write(start: Callable[..., Any], kind: type) -> None:
    script = [("write", 4 * PAGE), ("run", 10**6), ("write", 5 * PAGE), ("read", PAGE), ("wait",)]
    vm, rig = start(kind, script, host=SMALL)
    rig.environment.run(until=10**9)
    assert completed(rig, vm) == [0, 1, 0]
    assert vm.disk_counts["errors"] == 1
    assert rig.host.store.free_blocks == 0
    rig.host.store.check("host")
    rig.host.disk.check("host")


def test_room_is_taken_when_the_write_comes(start: Callable[..., Any]) -> None:
    """With write-back the page reaches the disk later, and has its place from the start."""
    vm, rig = start(Type2, [("write", 4 * PAGE), ("wait",)], host=SMALL)
    rig.environment.run(until=10**6)
    assert completed(rig, vm) == [0]
    assert rig.host.disk.moved["write"] == 0
    assert rig.host.store.free_blocks == 0
    rig.environment.run(until=10**9)
    # The content in one piece, and the two blocks of the file's record in two or one.
    assert rig.host.disk.moved["write_bytes"] == 6 * PAGE


def test_a_raw_disk_has_all_of_its_blocks(start: Callable[..., Any]) -> None:
    _, rig = start(Type1, [("wait",)], disk_format="raw")
    assert rig.host.store.data_blocks == 256


def test_a_raw_disk_that_does_not_fit_is_refused(start: Callable[..., Any]) -> None:
    with pytest.raises(PlacementError, match="is raw and needs 1048576"):
        start(Type1, [("wait",)], disk_format="raw", host=SMALL)


def test_holes_cost_no_disk_access(start: Callable[..., Any]) -> None:
    vm, rig = start(Type1, [("read", 8 * PAGE), ("wait",), ("off", 0)])
    rig.environment.run(until=10**9)
    assert vm.state == "off"
    assert rig.host.disk.moved["read"] == 0


def test_a_flush_writes_the_record(start: Callable[..., Any]) -> None:
    vm, rig = start(Type1, [("write", PAGE), ("run", 10**6), ("flush",), ("wait",)])
    rig.environment.run(until=10**9)
    assert completed(rig, vm) == [0, 0]
    # The page, then the two blocks of the record side by side, then the flush itself.
    assert rig.host.disk.moved.as_dict() == {"write": 3, "write_bytes": 3 * PAGE}


def test_with_write_through_the_guest_waits_for_the_disk(start: Callable[..., Any]) -> None:
    script = [("write", PAGE), ("wait",), ("run", 10**6), ("read", PAGE), ("wait",)]
    vm, rig = start(Type2, script, disk_cache="writethrough")
    rig.environment.run(until=10**9)
    double = rig.machine.vms[vm.number]
    (_, written_ns), _ = double.completed
    assert written_ns > DISK_NS + PAGE_NS
    # The read finds the page in the cache.
    assert rig.host.disk.moved.as_dict()["write_bytes"] == PAGE
    assert rig.host.disk.moved["read"] == 0
    (thread,) = vm.hypervisor.threads
    assert thread.cycles["disk_complete"] > 0
    assert thread.cycles["disk_inject"] > 0


def test_without_the_cache_every_request_goes_to_the_disk(start: Callable[..., Any]) -> None:
    script = [("write", PAGE), ("run", 10**6), ("read", PAGE), ("run", 10**6), ("read", PAGE)]
    vm, rig = start(Type2, [*script, ("wait",)], disk_cache="none")
    rig.environment.run(until=10**9)
    assert completed(rig, vm) == [0, 0, 0]
    assert rig.host.disk.moved.as_dict() == {
        "read": 2,
        "read_bytes": 2 * PAGE,
        "write": 1,
        "write_bytes": PAGE,
    }


def test_a_host_that_is_all_raw_partitions_takes_no_file(start: Callable[..., Any]) -> None:
    host = {"partitions": (Partition("p", 4 * MIB, "raw"),)}
    with pytest.raises(PlacementError, match="no partition for files"):
        start(Type1, [("wait",)], host=host)
    vm, rig = start(Type1, [("read", PAGE), ("wait",), ("off", 0)], host=host, disk_partition="p")
    rig.environment.run(until=10**9)
    assert vm.state == "off"
    assert rig.host.disk.moved["read"] == 1


# Bases.


@pytest.mark.parametrize("kind", [Type1, Type2])
def test_overlays_share_their_base(
    make_rig: Callable[..., Any],
    make_vm: Callable[..., Any],
    double_disk: type,
    kind: type[Hypervisor],
) -> None:
    read = [("run", 10**6), ("read", 4 * PAGE), ("run", 10**6)]
    rig = make_rig([[("write", 4 * PAGE), ("wait",), ("off", 0)], [*read, ("wait",)], [*read]])
    hypervisor = kind(rig.host)
    disk = {"disk_bytes": 1 << 20, "disk_format": "sparse", "disk": double_disk(4)}
    base = make_vm(rig, 0, **disk)
    hypervisor.expect(base)
    hypervisor.create(base)
    early = make_vm(rig, 1, **{**disk, "disk_format": "overlay", "disk_base": "vm-0"})
    with pytest.raises(PlacementError, match="is running; start it when that one is over"):
        hypervisor.create(early)
    rig.environment.run(until=10**9)
    assert base.state == "off"
    before = rig.host.disk.moved["read"]
    for index in (1, 2):
        vm = make_vm(rig, index, **{**disk, "disk_format": "overlay", "disk_base": "vm-0"})
        hypervisor.expect(vm)
        hypervisor.create(vm)
        assert vm.disk is not base.disk
        rig.environment.run(until=(index + 1) * 10**9)
    reads = rig.host.disk.moved["read"] - before
    # Type 2 still has the pages that the base's own VM wrote: they are the base's, whoever reads.
    assert reads == (2 if kind is Type1 else 0)
    layers = hypervisor.shelf.files["vm-0"].layers
    assert [layer.users for layer in layers] == [3]
    hypervisor.shelf.remove("vm-0")
    assert rig.host.store.data_blocks == 4
    hypervisor.shelf.remove("vm-1")
    hypervisor.shelf.remove("vm-2")
    assert rig.host.store.files == {}
    assert rig.host.store.free_blocks == rig.host.store.whole.count - rig.host.store.own_blocks


def test_an_overlay_without_its_base_is_refused(start: Callable[..., Any]) -> None:
    with pytest.raises(PlacementError, match="which is not on host"):
        start(Type1, [("wait",)], disk_format="overlay", disk_base="other")


# Moves.


def test_a_sparse_disk_that_moves_takes_what_it_holds_elsewhere(
    make_rig: Callable[..., Any], make_vm: Callable[..., Any], double_disk: type
) -> None:
    environment = Environment()
    script = [("write", 4 * PAGE), ("run", 10**6), ("wait",)]
    home = make_rig([script], environment=environment, name="home")
    away = make_rig([], environment=environment, name="away")
    source, destination = Type1(home.host), Type1(away.host)
    vm = make_vm(
        home, disk_bytes=1 << 20, disk_format="sparse", disk_moves=True, disk=double_disk(4)
    )
    source.expect(vm)
    source.create(vm)
    environment.run(until=10**8)
    destination.expect(vm)
    paused = source.pause(vm)
    environment.run(until=paused)
    state = source.save(vm)
    assert home.host.store.files == {}
    destination.restore(vm, state)
    assert away.host.store.data_blocks == 4
    for rig in (home, away):
        rig.host.store.check(rig.host.name)
