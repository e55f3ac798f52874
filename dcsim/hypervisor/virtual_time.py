"""Virtual run time: what fair schedulers share.

A thread's virtual time advances by its run time divided by its weight, so threads that have had
their fair shares stand at the same virtual time. A weight counts for no more than what a thread can
use: on several processors one thread cannot have more than one of them, so a weight that stands for
more is taken as one that stands for exactly that, and the rest is shared by the others in
proportion (the weight readjustment of surplus fair scheduling, Chandra and others, OSDI 2000).

Virtual times and weights are whole numbers: nanoseconds at the default weight, and the weights of
the scenario, both times :data:`SCALE`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from dcsim.hypervisor.bandwidth import Bandwidth
from dcsim.hypervisor.shared_queue import SharedQueue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dcsim.hypervisor.scheduler import Schedulable

__all__ = ["SCALE", "Standing", "VirtualTimeScheduler", "feasible_weights", "virtual"]

SCALE = 1 << 20
WEIGHT_OF_DEFAULT = 256
"""The VM weight for which virtual time passes as time does."""


class Standing:
    """Where a thread stands.

    Attributes
    ----------
    virtual
        Its virtual time.
    weight
        Its weight as far as it can use it.
    deadline
        The virtual time at which its request would be served at its own rate, where there are such.
    lag
        The virtual time that it was behind the mean when it last left, where that counts.
    """

    __slots__ = ("deadline", "lag", "virtual", "weight")

    def __init__(self, weight: int) -> None:
        self.weight = SCALE * weight
        self.virtual = 0
        self.deadline = 0
        self.lag = 0


def feasible_weights(weights: Sequence[int], processors: int) -> list[int]:
    """Return weights of which none stands for more than one processor.

    Parameters
    ----------
    weights
        In descending order.
    processors
        How many there are.

    Examples
    --------
    >>> feasible_weights([8, 1, 1], 2)
    [2, 1, 1]
    """
    if len(weights) <= processors:
        return [SCALE * WEIGHT_OF_DEFAULT for _ in weights]
    total, whole = sum(weights), 0
    # The first ones get a processor each while their weights ask for more than that.
    while weights[whole] * (processors - whole) > total:
        total -= weights[whole]
        whole += 1
    return [total // (processors - whole)] * whole + list(weights[whole:])


def virtual(time_ns: int, standing: Standing) -> int:
    """Return by how much a time on a processor advances a thread's virtual time."""
    return SCALE * SCALE * WEIGHT_OF_DEFAULT * time_ns // standing.weight


class VirtualTimeScheduler(SharedQueue):
    """Weights and caps by virtual time; which thread is first is each scheduler's own.

    Parameters
    ----------
    processors
        How many there are.
    """

    def __init__(self, processors: int) -> None:
        super().__init__(processors)
        self._standings: dict[Schedulable, Standing] = {}
        self._bandwidth = Bandwidth()

    @abstractmethod
    def _place(self, vcpu: Schedulable, standing: Standing) -> None:
        """Set the virtual time of a thread that wakes, which is not queued yet."""

    def add(self, vcpu: Schedulable) -> None:
        """Get to know a thread."""
        self._standings[vcpu] = Standing(vcpu.weight)

    def remove(self, vcpu: Schedulable) -> None:
        """Forget a thread."""
        super().remove(vcpu)
        self._bandwidth.forget(vcpu)
        del self._standings[vcpu]

    def virtual(self, vcpu: Schedulable) -> int:
        """Return a thread's virtual time."""
        return self._standings[vcpu].virtual

    def wake(self, vcpu: Schedulable, now_ns: int) -> Iterable[int]:
        """Queue a thread; return the processors that should choose again."""
        looking = super().wake(vcpu, now_ns)
        self._weigh()
        return looking

    def leave(self, vcpu: Schedulable) -> None:
        """Note that a thread, current or queued, does not want to run any more."""
        super().leave(vcpu)
        self._weigh()

    def charge(self, vcpu: Schedulable, ran_ns: int) -> None:
        """Advance a thread's virtual time."""
        standing = self._standings[vcpu]
        standing.virtual += virtual(ran_ns, standing)
        self._bandwidth.charge(vcpu, ran_ns)

    def _arrive(self, vcpu: Schedulable, now_ns: int) -> None:
        del now_ns
        self._place(vcpu, self._standings[vcpu])

    def _ready_ns(self, vcpu: Schedulable, now_ns: int) -> int:
        return self._bandwidth.ready_ns(vcpu, now_ns)

    def _runnable(self) -> list[Schedulable]:
        """Return who runs or waits, in no meaningful order."""
        return [*self._waiting, *(each for each in self._current if each is not None)]

    def _weigh(self) -> None:
        """Bring the weights to what can be used; there is nothing to do on one processor."""
        if self._count == 1:
            return
        order = sorted(self._runnable(), key=lambda each: (-each.weight, each.index))
        weights = feasible_weights([SCALE * each.weight for each in order], self._count)
        for vcpu, weight in zip(order, weights, strict=True):
            self._standings[vcpu].weight = weight
