"""A guest that is saved part of the way through its life goes on as if nothing had happened."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import _core
from dcsim.errors import MachineError, UsageError
from tests.fidelity.cases import CASES, Case
from tests.fidelity.direct import STORE_BYTES, Guest
from tests.fidelity.outcome import Outcome, outcome

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
TECHNIQUES = ["bare-metal", "trap-and-emulate"]
FORKS = next(case for case in CASES if case.name == "forkwait")
DIGEST_BYTES = 32


def life(case: Case, technique: str) -> tuple[Outcome, int]:
    """Return what a guest leaves behind, and when its life ends."""
    guest = Guest(case, technique).boot()
    return guest.run_to_end(), guest.now_ns


@every_case
@pytest.mark.parametrize("source", TECHNIQUES)
@pytest.mark.parametrize("destination", TECHNIQUES)
def test_a_saved_guest_goes_on(case: Case, source: str, destination: str) -> None:
    """Through bytes into another store, or by its pages in the same: to the very same end."""
    expected, ended_ns = life(case, source)
    percent = 30 + 10 * (CASES.index(case) % 5)
    first = Guest(case, source).boot().run(ended_ns * percent // 100)
    assert first.status is None
    state = first.save()
    store = _core.PageStore(STORE_BYTES)
    copy = _core.VmState.from_bytes(store, state.to_bytes())

    here = Guest(case, destination, store=first.store).go_on(first, state).run()
    there = Guest(case, destination, store=store).go_on(first, copy).run()

    assert outcome(case, bytes(first.console + here.console), here.status) == expected
    assert here.trace() == there.trace()


@every_case
@pytest.mark.parametrize("source", TECHNIQUES)
@pytest.mark.parametrize("destination", TECHNIQUES)
def test_a_restored_guest_is_the_saved_one(case: Case, source: str, destination: str) -> None:
    _, ended_ns = life(case, source)
    first = Guest(case, source).boot().run(ended_ns * 60 // 100)
    state = first.save()

    second = Guest(case, destination, store=first.store)
    second.vm = second.machine.restore_vm(second.config, state, None)
    restored = second.machine.save_vm(second.vm)
    copy = _core.VmState.from_bytes(_core.PageStore(STORE_BYTES), state.to_bytes())

    for other in (restored, copy):
        assert state.differences(other) == other.differences(state) == []
        assert other.digest() == state.digest()
        assert other.to_bytes() == state.to_bytes()
    assert (state.pages + state.zero_pages) * 4096 == state.memory_bytes == case.memory_mib << 20


def test_a_saved_guest_stays_as_it_was() -> None:
    """Its pages are shared with the guest that goes on, and copied when that writes them."""
    guest = Guest(FORKS, "trap-and-emulate").boot().run(900_000)
    state = guest.save()
    digest = state.digest()
    guest.machine.load(0, guest.vm, 0, guest.now_ns)
    guest.run()
    assert state.digest() == digest
    later = guest.save()
    differences = state.differences(later)
    assert "registers" in differences
    assert "devices" in differences
    assert sum(each.startswith("page ") for each in differences) > 10
    assert later.digest() != digest


# ---- the comparison itself ----


@dataclass(frozen=True)
class Layout:
    """Where the parts of a state lie in its bytes."""

    data: bytes

    @property
    def registers(self) -> tuple[int, int]:
        return self._part(20)

    @property
    def devices(self) -> tuple[int, int]:
        return self._part(self.registers[1])

    @property
    def pages(self) -> list[tuple[int, int]]:
        """The number of each page and where its content begins."""
        start = self.devices[1]
        count = self._number(start)
        first = range(start + 8, start + 8 + count * 4104, 4104)
        return [(self._number(at), at + 8) for at in first]

    def _part(self, at: int) -> tuple[int, int]:
        return at + 8, at + 8 + self._number(at)

    def _number(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 8], "little")

    def with_bit_flipped(self, at: int, bit: int) -> bytes:
        """Return the bytes of a state that differs in one bit, with a digest that is right."""
        body = bytearray(self.data[:-DIGEST_BYTES])
        body[at] ^= 1 << bit
        return bytes(body) + hashlib.sha256(body).digest()


@pytest.fixture(scope="module")
def saved() -> tuple[Guest, _core.VmState, Layout]:
    guest = Guest(FORKS, "trap-and-emulate").boot().run(900_000)
    state = guest.save()
    return guest, state, Layout(state.to_bytes())


@settings(max_examples=40)
@given(data=st.data())
def test_one_bit_of_memory_is_a_difference(
    saved: tuple[Guest, _core.VmState, Layout], data: st.DataObject
) -> None:
    guest, state, layout = saved
    number, start = data.draw(st.sampled_from(layout.pages))
    at = start + data.draw(st.integers(0, 4095))
    changed = layout.with_bit_flipped(at, data.draw(st.integers(0, 7)))

    for store in (guest.store, _core.PageStore(STORE_BYTES)):
        other = _core.VmState.from_bytes(store, changed)
        assert state.differences(other) == other.differences(state) == [f"page {number}"]
        assert other.digest() != state.digest()


def test_one_bit_of_a_register_is_a_difference(
    saved: tuple[Guest, _core.VmState, Layout],
) -> None:
    guest, state, layout = saved
    for at in range(layout.registers[0], layout.registers[0] + 8 * 31, 8):
        changed = _core.VmState.from_bytes(guest.store, layout.with_bit_flipped(at, 3))
        assert state.differences(changed) == ["registers"]


def test_a_page_that_is_missing_is_a_difference(
    saved: tuple[Guest, _core.VmState, Layout],
) -> None:
    """A page of zeros is not the same as one with content."""
    guest, state, layout = saved
    number, start = layout.pages[-1]
    body = bytearray(layout.data[: start - 8])
    at = layout.devices[1]
    body[at : at + 8] = (len(layout.pages) - 1).to_bytes(8, "little")
    other = _core.VmState.from_bytes(guest.store, bytes(body) + hashlib.sha256(body).digest())
    assert state.differences(other) == [f"page {number}"]
    assert other.zero_pages == state.zero_pages + 1


@pytest.mark.parametrize("damage", ["cut off", "one bit", "another version", "empty", "no state"])
def test_damaged_bytes_are_refused(saved: tuple[Guest, _core.VmState, Layout], damage: str) -> None:
    guest, _, layout = saved
    flipped = bytearray(layout.data)
    flipped[len(flipped) // 2] ^= 1
    damaged = {
        "cut off": layout.data[:-1],
        "one bit": bytes(flipped),
        "another version": layout.with_bit_flipped(8, 7),
        "empty": b"",
        "no state": layout.with_bit_flipped(0, 0),
    }
    used_bytes = guest.store.used_bytes
    with pytest.raises(MachineError):
        _core.VmState.from_bytes(guest.store, damaged[damage])
    assert guest.store.used_bytes == used_bytes


def test_a_state_of_another_store_is_refused(
    saved: tuple[Guest, _core.VmState, Layout],
) -> None:
    _, state, _ = saved
    other = Guest(FORKS, "trap-and-emulate")
    with pytest.raises(UsageError, match="store"):
        other.machine.restore_vm(other.config, state, None)


def test_a_running_guest_is_not_saved() -> None:
    guest = Guest(FORKS, "trap-and-emulate").boot().run(100_000)
    with pytest.raises(MachineError):
        guest.machine.save_vm(guest.vm)
