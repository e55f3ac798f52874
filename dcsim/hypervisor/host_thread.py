"""Threads of the host's own software, which compete with vCPUs for the processors.

A *service thread* does metered work for others: it is given jobs and does one after the other. A
job is a path of host software, which is not interrupted; between two jobs the scheduler may choose
somebody else. A *host process* computes for a while and sleeps for a while, and is interrupted like
a guest.

Invariant: jobs given are jobs done, under way, waiting, or dropped with whom they were for.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dcsim.errors import InvariantError
from dcsim.hypervisor.entity import Entity
from dcsim.sim import Counter

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.hypervisor.steps import Path
    from dcsim.sim import Environment, Scope

__all__ = [
    "NICE_WEIGHTS",
    "Begun",
    "HostProcess",
    "HostThread",
    "Job",
    "Processing",
    "ServiceThread",
]

_NICE_0 = 1024
_VM_NICE_0 = 256
# What Linux's scheduler weighs a nice value with, from -20 to 19: each is a quarter more than the
# next. Read in its core.c.
_PRIORITY_WEIGHTS = (
    *(88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916),
    *(9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277),
    *(1024, 820, 655, 526, 423, 335, 272, 215, 172, 137),
    *(110, 87, 70, 56, 45, 36, 29, 23, 18, 15),
)
NICE_WEIGHTS = {
    nice: max(1, round(weight * _VM_NICE_0 / _NICE_0))
    for nice, weight in zip(range(-20, 20), _PRIORITY_WEIGHTS, strict=True)
}
"""The weight of each nice value in the measure in which VMs have 256."""


class Begun(NamedTuple):
    """What a job turns out to be when it is begun."""

    path: Path
    done: Callable[[], None]
    """Called when the path has been gone."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work for a service thread."""

    name: str
    """That of its path in the accounts."""
    begin: Callable[[int], Begun]
    """Called when the thread comes to it, with the time on its processor."""
    dropped: Callable[[], None] | None = None
    """Called instead of what follows on it, when whoever it is for is gone."""


class Processing(NamedTuple):
    """What a thread on a processor works with."""

    at_ns: int
    """The processor's time."""
    execute: Callable[[str, Path], int]
    """Executes a path there and returns the processor's time afterwards."""


class HostThread(Entity):
    """Host software that a scheduler knows.

    Parameters
    ----------
    name
        What it is called in the results.
    index, weight
        See :class:`~dcsim.hypervisor.entity.Entity`.

    Attributes
    ----------
    until_ns
        Until when it must not be taken off its processor.
    cycles
        What it executed, by path.
    """

    def __init__(self, name: str, index: int, *, weight: int) -> None:
        super().__init__(index, weight=weight)
        self.name = name
        self.until_ns = 0
        self.cycles = Counter()
        self.retired = False

    @property
    @abstractmethod
    def wants(self) -> bool:
        """Whether there is something to do."""

    @abstractmethod
    def proceed(self, processing: Processing) -> int:
        """Do the next piece of work; return when it ends."""

    @abstractmethod
    def interrupt(self, at_ns: int) -> None:
        """Note that it is taken off its processor before that."""

    @abstractmethod
    def finish(self) -> None:
        """Note that the piece of work has ended."""

    def __repr__(self) -> str:
        """Return name and state."""
        return f"{type(self).__name__}({self.name!r}, {self.state})"


class ServiceThread(HostThread):
    """Does one job after the other.

    Attributes
    ----------
    counts
        Jobs ``given``, ``done`` and ``dropped``.
    """

    def __init__(self, name: str, index: int, *, weight: int) -> None:
        super().__init__(name, index, weight=weight)
        self.counts = Counter()
        self._jobs: deque[Job] = deque()
        self._done: Callable[[], None] | None = None
        self._under_way: Job | None = None

    @property
    def wants(self) -> bool:
        """Whether jobs wait."""
        return bool(self._jobs)

    def give(self, job: Job) -> None:
        """Add a job."""
        self.counts.add("given")
        self._jobs.append(job)

    def drop(self) -> None:
        """Forget the jobs that wait, and what follows on the one under way."""
        dropped = [*([self._under_way] if self._under_way is not None else []), *self._jobs]
        self._jobs.clear()
        self._done = self._under_way = None
        for job in dropped:
            self.counts.add("dropped")
            if job.dropped is not None:
                job.dropped()

    def proceed(self, processing: Processing) -> int:
        """Begin the next job."""
        job = self._jobs.popleft()
        begun = job.begin(processing.at_ns)
        self._done, self._under_way = begun.done, job
        self.until_ns = processing.execute(job.name, begun.path)
        return self.until_ns

    def interrupt(self, at_ns: int) -> None:
        """Stop between two jobs."""
        del at_ns

    def finish(self) -> None:
        """End a job, and let happen what follows on it."""
        done, self._done, self._under_way = self._done, None, None
        if done is not None:
            self.counts.add("done")
            done()

    def check(self) -> None:
        """Hold the thread to its invariant.

        Raises
        ------
        InvariantError
            When a job was lost, or done twice.
        """
        given, done, dropped = (self.counts[key] for key in ("given", "done", "dropped"))
        left = len(self._jobs) + (self._done is not None)
        if given != done + dropped + left:
            raise InvariantError(
                f"jobs of the thread `{self.name}`: {given} were given, {done} done, {dropped} "
                f"dropped, and {left} are left"
            )


class HostProcess(HostThread):
    """Computes for a part of each period and sleeps for the rest.

    The sleep begins when it has computed enough, however long that took: it is as busy as its share
    says on a processor of its own, and less when it has to wait.

    Parameters
    ----------
    environment
        The simulation.
    reach
        What its waking can change: its host.
    burst_ns
        For how long it computes at a time.
    sleep_ns
        For how long it then sleeps; 0 for a process that never does.
    wake
        Called when it wants to compute again.
    """

    def __init__(
        self,
        environment: Environment,
        reach: Scope,
        name: str,
        index: int,
        *,
        weight: int,
        burst_ns: int,
        sleep_ns: int,
        wake: Callable[[HostThread], None],
    ) -> None:
        super().__init__(name, index, weight=weight)
        self._environment = environment
        self._reach = reach
        self._burst_ns = burst_ns
        self._sleep_ns = sleep_ns
        self._wake = wake
        self._left_ns = burst_ns
        self._began_ns: int | None = None

    @property
    def wants(self) -> bool:
        """Whether it has not computed enough."""
        return self._left_ns > 0

    def proceed(self, processing: Processing) -> int:
        """Compute on."""
        self._began_ns = processing.at_ns
        return processing.at_ns + self._left_ns

    def interrupt(self, at_ns: int) -> None:
        """Stop computing for now."""
        if self._began_ns is None:
            return
        self._left_ns -= min(self._left_ns, at_ns - self._began_ns)
        self._began_ns = None
        if not self._left_ns:
            self._end_burst()

    def finish(self) -> None:
        """Stop computing for this time."""
        self._left_ns = 0
        self._began_ns = None
        self._end_burst()

    def _end_burst(self) -> None:
        if not self._sleep_ns:
            self._left_ns = self._burst_ns
        else:
            self._environment.after(self._sleep_ns, self._rise, reach=self._reach)

    def _rise(self) -> None:
        self._left_ns = self._burst_ns
        self._wake(self)
