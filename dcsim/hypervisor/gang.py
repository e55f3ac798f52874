"""Strict co-scheduling: the vCPUs of a VM run together or not at all.

Time is divided into slots of one slice, the same on all processors. At the start of each slot VMs
are taken in turn, and each whose vCPUs that want to run all find a processor gets these for the
slot; one that does not fit waits, and is the first of the next slot. A vCPU that blocks leaves its
processor to nobody, as it would miss its place when it wakes: that is the *fragmentation* of strict
co-scheduling. Who wakes during a slot runs at once if all of its VM then can.

This is the matrix method of J. Ousterhout, "Scheduling Techniques for Concurrent Systems" (1982),
with the rows filled anew for each slot. Weights and caps have no meaning in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor.scheduler import Choice, may_run, places

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcsim.hypervisor.scheduler import Schedulable

__all__ = ["GangScheduler"]

SLICE_NS = 50_000_000


class GangScheduler:
    """Slots, in which VMs run with all of their vCPUs.

    Parameters
    ----------
    processors
        How many there are.
    slice_ns
        How long a slot is.
    """

    def __init__(self, processors: int, *, slice_ns: int = SLICE_NS) -> None:
        self.slice_ns = slice_ns
        self._count = processors
        self._wanting: list[Schedulable] = []
        self._turns: list[int] = []
        """The gangs that want to run, in the order of their turns."""
        self._slot = -1
        self._held: dict[int, Schedulable] = {}
        """Who has which processor in this slot, also while it is blocked."""
        self._current: dict[int, Schedulable] = {}
        """Who is on which processor: at the start of a slot that may be another than it has."""

    # Who there is, and who wants to run.

    def add(self, vcpu: Schedulable) -> None:
        """Get to know a vCPU."""

    def admits(self, vcpus: Iterable[Schedulable]) -> bool:
        """Return True: nothing is guaranteed."""
        del vcpus
        return True

    def remove(self, vcpu: Schedulable) -> None:
        """Forget a vCPU, and its place."""
        self.leave(vcpu)
        self._held = {place: each for place, each in self._held.items() if each is not vcpu}

    def charge(self, vcpu: Schedulable, ran_ns: int) -> None:
        """Do nothing: slots are measured by the clock."""

    def wake(self, vcpu: Schedulable, now_ns: int) -> Iterable[int]:
        """Note that a vCPU wants to run; return its processor, or where its VM now fits."""
        self._wanting.append(vcpu)
        if vcpu.gang not in self._turns:
            self._turns.append(vcpu.gang)
        if now_ns // self.slice_ns == self._slot and self._place_of(vcpu) is None:
            self._give(vcpu.gang)
        return [place for place, each in self._held.items() if each.gang == vcpu.gang] or (
            [] if self._slot == now_ns // self.slice_ns else range(self._count)
        )

    def leave(self, vcpu: Schedulable) -> None:
        """Note that a vCPU does not want to run any more; its place stays its own for the slot."""
        if vcpu in self._wanting:
            self._wanting.remove(vcpu)
        self._current = {place: each for place, each in self._current.items() if each is not vcpu}
        if not self._members(vcpu.gang) and vcpu.gang in self._turns:
            self._turns.remove(vcpu.gang)
            self._held = {
                place: each for place, each in self._held.items() if each.gang != vcpu.gang
            }

    def hand_over(self, processor: int, to: Iterable[Schedulable]) -> None:
        """Do nothing: whom it waits for runs, or is blocked."""

    # Slots.

    def choose(self, processor: int, current: Schedulable | None, now_ns: int) -> Choice:
        """Choose who has the processor in the slot of a time, once it is on no other one."""
        del current
        self._current.pop(processor, None)
        slot = now_ns // self.slice_ns
        if slot != self._slot:
            self._slot = slot
            self._fill()
        if processor not in self._held:
            self._fill_up(processor)
        held = self._held.get(processor)
        chosen = held if held in self._wanting and held not in self._current.values() else None
        if chosen is not None:
            self._current[processor] = chosen
        return Choice(chosen, (slot + 1) * self.slice_ns if self._wanting else None)

    def _fill(self) -> None:
        """Give the processors of a new slot to the VMs whose turn it is."""
        self._held = {}
        given = [gang for gang in self._turns if self._give(gang)]
        # Who has had its turn goes behind those that have not.
        self._turns = [gang for gang in self._turns if gang not in given] + given

    def _give(self, gang: int) -> bool:
        """Give each vCPU of a gang that wants to run a processor, if there is one for each."""
        found: dict[int, Schedulable] = {}
        placed = {id(each) for each in self._held.values()}
        for vcpu in self._members(gang):
            if id(vcpu) in placed:
                continue
            free = (
                each
                for each in places(vcpu, self._count)
                if each not in found and each not in self._held
            )
            place = next(free, None)
            if place is None:
                return False
            found[place] = vcpu
        self._held.update(found)
        return True

    def _fill_up(self, processor: int) -> None:
        """Give a processor that nobody has to a VM that needs no other one."""
        for gang in self._turns:
            members = self._members(gang)
            here = len(members) == 1 and may_run(members[0], processor)
            if here and self._place_of(members[0]) is None:
                self._held[processor] = members[0]
                return

    def _members(self, gang: int) -> list[Schedulable]:
        return [each for each in self._wanting if each.gang == gang]

    def _place_of(self, vcpu: Schedulable) -> int | None:
        return next((place for place, each in self._held.items() if each is vcpu), None)

    # Nothing here is periodic but slots, whose ends every choice tells.

    def next_tick_ns(self, now_ns: int) -> int | None:
        """Return None: there is no periodic work."""
        del now_ns
        return None

    def tick(self, now_ns: int) -> Iterable[int]:
        """Do nothing."""
        del now_ns
        return ()
