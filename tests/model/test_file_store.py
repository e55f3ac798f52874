"""Blocks of a host's disk: each is free, the store's, or one file's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.errors import InvariantError
from dcsim.host import BLOCK_BYTES, FileStore, FreeRuns, Partition, Run, divide

MIB = 1 << 20


def test_blocks_are_taken_near_a_place_and_given_back() -> None:
    free = FreeRuns(Run(10, 100))
    assert free.take(5, 10) == [Run(10, 5)]
    assert free.take(5, 50) == [Run(50, 5)]
    # From 20 there are 30 up to what is taken; then on behind that.
    assert free.take(35, 20) == [Run(20, 30), Run(55, 5)]
    assert free.free == 100 - 45
    free.give(Run(20, 30))
    assert free.runs() == [Run(15, 35), Run(60, 50)]
    with pytest.raises(ValueError, match="free already"):
        free.give(Run(49, 2))
    with pytest.raises(ValueError, match="86 blocks are asked for"):
        free.take(86, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 63), st.booleans()), max_size=40))
def test_what_is_taken_and_what_is_free_are_all(steps: list[tuple[int, int, bool]]) -> None:
    free = FreeRuns(Run(0, 64))
    taken: list[Run] = []
    for count, near, give in steps:
        if give and taken:
            free.give(taken.pop(near % len(taken)))
        elif count <= free.free:
            taken += free.take(count, near)
        blocks = sorted(b for run in (*taken, *free.runs()) for b in range(run.start, run.end))
        assert blocks == list(range(64))
        assert free.free == sum(run.count for run in free.runs())
        # Runs that touch are one.
        ends = [run.end for run in free.runs()]
        assert not set(ends) & {run.start for run in free.runs()}


def test_the_record_of_a_file_is_counted() -> None:
    """One block describes a file, and one holds the places of 512 of its blocks."""
    store = FileStore(Run(0, 10_000))
    assert store.own_blocks == 2  # the description, and a bit for each of 10,000 blocks
    file = store.create("a")
    assert file is not None
    assert store.fill(file, [Run(0, 1025)])
    assert (file.data_blocks, len(file.maps), file.blocks) == (1025, 3, 1029)
    assert store.free_blocks == 10_000 - 2 - 1029
    store.check("host")
    store.delete(file)
    assert store.free_blocks == 10_000 - 2
    store.check("host")


def test_a_file_is_filled_all_or_not_at_all() -> None:
    store = FileStore(Run(0, 12))
    file = store.create("a")
    assert file is not None
    assert store.free_blocks == 9
    assert store.needed(file, [Run(0, 9)]) == 10
    assert not store.fill(file, [Run(0, 9)])
    assert (file.data_blocks, store.free_blocks) == (0, 9)
    assert store.fill(file, [Run(0, 8)])
    assert store.free_blocks == 0
    assert store.create("b") is None
    store.check("host")


def test_a_file_lies_in_order_when_there_is_room() -> None:
    store = FileStore(Run(256, 1000))
    file = store.create("a")
    assert file is not None
    for block in range(100):
        assert store.fill(file, [Run(block, 1)])
    places = [file.place(block) for block in range(100)]
    first = places[0]
    assert first is not None
    assert places == list(range(first, first + 100))
    assert file.place(100) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.booleans()), max_size=80))
def test_no_block_is_lost_or_has_two_owners(steps: list[tuple[str, int, bool]]) -> None:
    store = FileStore(Run(7, 60))
    want: dict[str, set[int]] = {}
    for name, block, write in steps:
        file = store.files.get(name) or store.create(name)
        if file is None:
            continue
        have = want.setdefault(name, set())
        if write:
            if store.fill(file, file.holes(range(block, block + 3))):
                have |= {block, block + 1, block + 2}
        else:
            store.release(file, block)
            have.discard(block)
        assert set(file.present()) == have
        store.check("host")
        used = store.data_blocks + store.record_blocks
        assert used + store.free_blocks == 60


def test_a_block_with_two_owners_is_found() -> None:
    store = FileStore(Run(0, 100))
    file = store.create("a")
    assert file is not None
    assert store.fill(file, [Run(0, 2)])
    place = file.place(1)
    assert place is not None
    file.put(2, Run(place, 1))
    with pytest.raises(InvariantError, match="7 are used and 94 free, of 100"):
        store.check_sums("host")
    with pytest.raises(InvariantError, match=f"block {place} of the disk of `host` belongs to two"):
        store.check("host")


def test_a_lost_block_is_found() -> None:
    store = FileStore(Run(0, 100))
    file = store.create("a")
    assert file is not None
    assert store.fill(file, [Run(0, 2)])
    place = file.take_out(1)
    with pytest.raises(
        InvariantError, match=f"block {place} of the disk of `host` belongs to nobo"
    ):
        store.check("host")


def test_partitions_begin_at_whole_mebibytes() -> None:
    parts = [Partition("a", 3 * BLOCK_BYTES, "raw"), Partition("b", 2 * MIB, "files")]
    assert divide(8 * MIB, parts) == {"a": Run(256, 3), "b": Run(512, 512)}


def test_a_master_boot_record_has_four_entries() -> None:
    five = [Partition(f"p{n}", MIB, "raw") for n in range(5)]
    assert len(divide(8 * MIB, five[:4])) == 4
    with pytest.raises(ValueError, match="room for 4"):
        divide(8 * MIB, five)
    with pytest.raises(ValueError, match="`p1` passes the end"):
        divide(2 * MIB, five[:2])
