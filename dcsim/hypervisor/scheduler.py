"""What every vCPU scheduler offers to the hypervisor that dispatches by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Choice", "Reservation", "Schedulable", "Scheduler", "may_run", "places"]


@dataclass(frozen=True, slots=True)
class Reservation:
    """Processor time that a real-time scheduler guarantees."""

    budget_ns: int
    """So much in every period."""
    period_ns: int
    """From the first use on, time is divided into periods of this length."""


class Schedulable(Protocol):
    """What runs on a processor: a VM's vCPU, or a thread of the host's own software.

    Each is itself and nothing else: schedulers keep them in tables by identity.
    """

    index: int
    """Differs between all of a run; ties are broken by it."""
    gang: int
    """The same for all vCPUs of a VM, and for nobody else on a host."""
    weight: int
    """Share under contention, in proportion to the others'."""
    cap_percent: int
    """At most this much of one processor; 0 for no cap."""
    processor: int
    """Where it runs, or ran last."""
    affinity: frozenset[int] | None
    """The only processors on which it may run; None for any."""
    home: frozenset[int] | None
    """The processors that are near its memory; None when all are."""
    reservation: Reservation | None
    """What a real-time scheduler guarantees it; None for a part of what is left over."""


class Choice(NamedTuple):
    """Who runs next on a processor, and when to ask again."""

    vcpu: Schedulable | None
    again_ns: int | None
    """At the latest; None when only an event can change the answer."""


class Scheduler(Protocol):
    """Decides which vCPU runs on which processor.

    A scheduler holds the vCPUs that want to run. The one that runs on a processor is *current*
    there and in no queue. It is told of everything that happens and asked to choose; it never acts.
    None puts a vCPU where its affinity does not let it.
    """

    def add(self, vcpu: Schedulable) -> None:
        """Get to know a vCPU, which does not want to run yet."""

    def admits(self, vcpus: Iterable[Schedulable]) -> bool:
        """Tell whether what is guaranteed to these can be, beside what is already."""

    def remove(self, vcpu: Schedulable) -> None:
        """Forget a vCPU; it does not run and is not queued afterwards."""

    def wake(self, vcpu: Schedulable, now_ns: int) -> Iterable[int]:
        """Queue a vCPU that wants to run; return the processors that should choose again."""

    def charge(self, vcpu: Schedulable, ran_ns: int) -> None:
        """Note that a vCPU ran."""

    def choose(self, processor: int, current: Schedulable | None, now_ns: int) -> Choice:
        """Choose who runs on a processor from now on.

        Parameters
        ----------
        processor
            Which one.
        current
            Who ran there and still wants to; queued when another is chosen.
        now_ns
            The time there.
        """

    def leave(self, vcpu: Schedulable) -> None:
        """Note that a vCPU, current or queued, does not want to run any more."""

    def hand_over(self, processor: int, to: Iterable[Schedulable]) -> None:
        """Note that whoever has just left a processor gives the rest of its turn to others.

        Parameters
        ----------
        processor
            Where it ran.
        to
            Those that it waits for, best first: of them the first that is queued and may run there
            is the next to be chosen, once. A scheduler with priorities keeps to them all the same.
        """

    def next_tick_ns(self, now_ns: int) -> int | None:
        """Return when :meth:`tick` wants to be called; None while it has nothing to do."""

    def tick(self, now_ns: int) -> Iterable[int]:
        """Do periodic work; return the processors that should choose again."""


def may_run(vcpu: Schedulable, processor: int) -> bool:
    """Tell whether a vCPU's affinity lets it run on a processor."""
    return vcpu.affinity is None or processor in vcpu.affinity


def places(vcpu: Schedulable, count: int) -> list[int]:
    """Return where a vCPU may run, of so many processors, best first.

    Where it ran last its lines may still be in the cache, but a node that is not its memory's is
    worse than any other processor at home.
    """
    home = vcpu.home
    last = vcpu.processor % count

    def rank(processor: int) -> tuple[bool, bool, int]:
        return home is not None and processor not in home, processor != last, processor

    return sorted((each for each in range(count) if may_run(vcpu, each)), key=rank)
