"""Snapshots of virtual disks: kept, gone back to, merged with what that moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dcsim.hypervisor import FileDisk, Type1, Type2

PAGE = 4096
MIB = 1 << 20
TYPES = [Type1, Type2]
WRITES = [("write", 4 * PAGE), ("run", 10**6)]


@pytest.fixture
def start(
    make_rig: Callable[..., Any], make_vm: Callable[..., Any], double_disk: type
) -> Callable[..., Any]:
    """Return a function that starts a VM with a sparse disk."""

    def start_one(kind: type, script: list[tuple[Any, ...]], **host: Any) -> tuple[Any, Any, Any]:
        rig = make_rig([script], **host)
        vm = make_vm(rig, disk_bytes=1 << 20, disk_format="sparse", disk=double_disk(4, "at first"))
        hypervisor = kind(rig.host)
        hypervisor.expect(vm)
        hypervisor.create(vm)
        return vm, rig, hypervisor

    return start_one


def blocks(disk: FileDisk) -> list[list[int]]:
    return [sorted(layer.file.present()) for layer in disk.layers]


@pytest.mark.parametrize("kind", TYPES)
def test_a_snapshot_freezes_what_is_there(start: Callable[..., Any], kind: type) -> None:
    vm, rig, hypervisor = start(kind, [*WRITES, ("run", 10**7), ("write", PAGE), ("wait",)])
    told: list[str] = []
    rig.environment.at(5 * 10**6, lambda: hypervisor.snapshots.take(vm, "s", told.append))
    rig.environment.run(until=10**9)
    assert told == [""]
    assert blocks(vm.virtual_disk) == [[0, 1, 2, 3], [0]]
    rig.host.store.check("host")


@pytest.mark.parametrize("kind", TYPES)
def test_it_waits_for_what_is_under_way_and_holds_back_the_rest(
    start: Callable[..., Any], kind: type
) -> None:
    script = [("read", PAGE), ("write", 4 * PAGE), ("run", 30_000), ("write", PAGE), ("wait",)]
    vm, rig, hypervisor = start(kind, script)
    vm.virtual_disk.write(8 * 8, PAGE)
    told: list[int] = []
    take = hypervisor.snapshots.take

    def note(_: object) -> None:
        told.append(rig.environment.now)

    rig.environment.at(20_000, lambda: take(vm, "s", note), reach=vm.scope)
    rig.environment.run(until=10**9)
    first, last = blocks(vm.virtual_disk)
    assert {0, 1, 2, 3, 8} >= set(first)
    assert last == [0] or kind is Type2
    assert vm.disk_counts["errors"] == 0
    assert len(told) == 1


def test_it_needs_room_for_a_layer(start: Callable[..., Any]) -> None:
    vm, rig, hypervisor = start(
        Type1, [*WRITES, ("write", PAGE), ("wait",)], disk_capacity_bytes=MIB + 8 * PAGE
    )
    told: list[str] = []
    rig.environment.at(5 * 10**5, lambda: hypervisor.snapshots.take(vm, "s", told.append))
    rig.environment.run(until=10**9)
    assert told == ["the host's disk is full"]
    assert vm.disk_counts["errors"] == 0


@pytest.mark.parametrize("kind", TYPES)
def test_going_back_drops_what_was_written_since(start: Callable[..., Any], kind: type) -> None:
    vm, rig, hypervisor = start(
        kind, [*WRITES, ("run", 10**7), ("write", 8 * PAGE), ("wait",), ("wait",), ("off", 0)]
    )
    told: list[str] = []
    at, snapshots = rig.environment.at, hypervisor.snapshots
    at(5 * 10**6, lambda: snapshots.take(vm, "s", told.append))
    at(6 * 10**6, lambda: snapshots.revert(vm, "s", told.append))
    at(7 * 10**6, lambda: setattr(vm.disk, "content", "later"))
    rig.environment.run(until=10**9)
    assert told == ["", "it is running"]
    assert vm.state == "off"
    snapshots.revert(vm, "s", told.append)
    assert told[-1] == ""
    assert blocks(vm.virtual_disk) == [[0, 1, 2, 3], []]
    assert vm.disk.content == "at first"
    rig.host.store.check("host")
    snapshots.revert(vm, "other", told.append)
    assert told[-1] == "it has no snapshot `other`"


@pytest.mark.parametrize("kind", TYPES)
def test_merging_copies_what_lies_above(start: Callable[..., Any], kind: type) -> None:
    vm, rig, hypervisor = start(
        kind, [*WRITES, ("run", 10**7), ("write", 6 * PAGE), ("run", 10**9), ("wait",)]
    )
    told: list[str] = []
    at, snapshots, disk = rig.environment.at, hypervisor.snapshots, rig.host.disk
    at(5 * 10**6, lambda: snapshots.take(vm, "s", told.append))
    rig.environment.run(until=8 * 10**8)
    read, written = disk.moved["read_bytes"], disk.moved["write_bytes"]
    assert blocks(vm.virtual_disk) == [[0, 1, 2, 3], [0, 1, 2, 3, 4, 5]]
    at(8 * 10**8 + 1, lambda: snapshots.merge(vm, "s", told.append))
    rig.environment.run(until=9 * 10**8)
    assert told == ["", ""]
    assert blocks(vm.virtual_disk) == [[0, 1, 2, 3, 4, 5]]
    assert disk.moved["read_bytes"] - read == 6 * PAGE
    assert disk.moved["write_bytes"] - written >= 6 * PAGE
    rig.host.store.check("host")
    disk.check("host")


def test_what_is_written_during_a_merge_is_copied_at_its_end(start: Callable[..., Any]) -> None:
    """The first pass takes two disk accesses; the guest writes a block anew and one more."""
    vm, rig, hypervisor = start(
        Type1,
        [
            *WRITES,
            ("run", 10**7),
            ("write", PAGE),
            ("run", 10**7),
            ("write", 2 * PAGE),
            ("wait",),
        ],
    )
    told: list[int] = []
    at, snapshots, disk = rig.environment.at, hypervisor.snapshots, rig.host.disk
    at(5 * 10**6, lambda: snapshots.take(vm, "s", lambda _: None))
    rig.environment.run(until=21 * 10**6 - 20_000)
    # The write comes while the first pass reads.

    def merge() -> None:
        snapshots.merge(vm, "s", lambda _: told.append(rig.environment.now))

    at(rig.environment.now, merge)
    rig.environment.run(until=10**9)
    assert len(told) == 1
    assert blocks(vm.virtual_disk) == [[0, 1, 2, 3]]
    # One block in the first pass, two in the second: what the guest wrote is among them.
    assert disk.moved["read_bytes"] == 3 * PAGE
    rig.host.store.check("host")


def test_what_others_stand_on_is_not_merged(start: Callable[..., Any]) -> None:
    vm, rig, hypervisor = start(Type1, [*WRITES, ("run", 10**7), ("wait",)])
    told: list[str] = []
    rig.environment.at(5 * 10**6, lambda: hypervisor.snapshots.take(vm, "s", told.append))
    rig.environment.run(until=10**9)
    vm.virtual_disk.layers[0].users += 1
    hypervisor.snapshots.merge(vm, "s", told.append)
    assert told == ["", "another disk stands on it"]


def test_a_name_is_used_once(start: Callable[..., Any]) -> None:
    vm, rig, hypervisor = start(Type1, [*WRITES, ("wait",)])
    told: list[str] = []
    for time_ns in (5 * 10**6, 6 * 10**6):
        rig.environment.at(time_ns, lambda: hypervisor.snapshots.take(vm, "s", told.append))
    rig.environment.run(until=10**9)
    assert told == ["", "it has a snapshot `s`"]
