"""The seam: lets a host's machine run ahead of the clock exactly as far as nothing can reach it.

The model world advances from event to event; the machine world executes instructions. One process
for each host holds them together. When all events of a time are done it asks: *until when can
nothing reach this host?* That is the earlier of

- the next scheduled event whose reach includes this host (or one of its VMs), and
- now plus the smallest latency of a channel that is open from another host; a channel is open
  while something that no event announces yet may come through it (a migration under way). When it
  is known that nothing comes before some time, the channel says so and limits nothing until then.

Slices of other hosts are not among them: they reach this host only through a channel. The machine
runs to that time. What exits on the way becomes an event at its own time, and from then on it is
itself a limit for the host's other processors.

Invariants: nothing is delivered to a vCPU that has already executed an instruction that starts
later (:meth:`Conductor.lateness_ns` is 0); a processor with an unhandled exit executes nothing.

A processor can stand *beyond* the clock by the length of one instruction with its handler, or of a
host path: those are not interrupted, and no guest instruction has started after the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from dcsim.errors import SeamError
from dcsim.sim import LAST, NOWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from simpy.events import Event

    from dcsim.host.machine import Exit, Machine, PathStep
    from dcsim.sim import Environment, Scope

__all__ = ["Channel", "Conductor", "Processor", "Supervisor"]

_Result = TypeVar("_Result")

_FAR_NS = 10**9
"""How far to run when no event at all is scheduled."""


class Supervisor(Protocol):
    """What decides which vCPU runs where: the hypervisor."""

    def dispatch(self) -> None:
        """Load and unload vCPUs; called when all events of a time are done."""

    def on_exit(self, processor: Processor | None, exit_: Exit) -> None:
        """Handle an exit at its own time; that of a device may have no processor."""


@dataclass(eq=False, slots=True)
class Channel:
    """A way on which something can come from another host without an event that says so."""

    latency_ns: int
    """Nothing comes sooner than this from now."""
    quiet_until_ns: int = 0
    """Nothing comes before this time."""


class Processor:
    """A physical processor, as the model sees it.

    Attributes
    ----------
    vm
        The number of the VM whose vCPU is loaded; None when there is none.
    occupied
        Whether host software has it instead.
    exiting
        Whether an exit of it is not handled yet: it executes nothing until it is.
    reached_ns
        No guest instruction has started on it at or after this time: the limit of the last run, or
        the exit with which it ended.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.vm: int | None = None
        self.occupied = False
        self.loaded_ns = 0
        self.exiting = False
        self.reached_ns = 0


class Conductor:
    """Runs one host's machine in step with the model.

    Parameters
    ----------
    environment
        The simulation.
    scope
        What reaches this host.
    machine
        Its machine world.
    pcpus
        How many processors it has.
    on_busy
        Told each stretch of time for which a processor was loaded.
    cut
        Given now and a limit, returns an earlier limit; for tests, which show that it changes
        nothing.
    ahead_ns
        By how much a processor may be ahead of another one that exits.
    """

    def __init__(
        self,
        environment: Environment,
        scope: Scope,
        machine: Machine,
        pcpus: int,
        on_busy: Callable[[int, int], None],
        cut: Callable[[int, int], int] | None = None,
        ahead_ns: int = 0,
    ) -> None:
        self._environment = environment
        self._scope = scope
        self._machine = machine
        self._on_busy = on_busy
        self._cut = cut
        self._ahead_ns = ahead_ns
        self.processors = [Processor(index) for index in range(pcpus)]
        self.runs = 0
        self._rank = environment.new_rank()
        self._supervisor: Supervisor | None = None
        self._channels: list[Channel] = []
        self._idle: Event | None = None
        self._next_ns = 0

    def attach(self, supervisor: Supervisor) -> None:
        """Start, under a supervisor."""
        self._supervisor = supervisor
        self._environment.process(self._conduct(supervisor))

    # What may reach this host without an event that says so.

    def open_channel(self, latency_ns: int) -> Channel:
        """From now on something may come from another host, with at least this latency."""
        channel = Channel(latency_ns)
        self._channels.append(channel)
        return channel

    def close_channel(self, channel: Channel) -> None:
        """Undo :meth:`open_channel`."""
        self._channels.remove(channel)

    def kick(self) -> None:
        """Have :meth:`Supervisor.dispatch` called when the events of this time are done.

        Raises
        ------
        SeamError
            When the machine already ran beyond now: the event that kicks did not say whom it
            reaches.
        """
        if self._idle is not None:
            idle, self._idle = self._idle, None
            idle._ok, idle._value = True, None  # noqa: SLF001 - an event of SimPy, triggered late
            self._environment.schedule(idle, LAST, rank=self._rank)
        elif self._environment.now < self._next_ns:
            raise SeamError(
                f"{self._scope.name}: an event at {self._environment.now} ns was not announced; "
                f"the machine ran to {self._next_ns} ns"
            )

    # The processors.

    def load(self, processor: Processor, vm: int, vcpu: int, at_ns: int) -> None:
        """Put a vCPU on an idle processor, at a time that is not before now."""
        at_ns = max(at_ns, self.local_ns(processor))
        self._machine.load(processor.index, vm, vcpu, at_ns)
        processor.vm = vm
        processor.loaded_ns = at_ns

    def unload(self, processor: Processor) -> int:
        """Take the vCPU off a processor; return when."""
        at_ns = self.local_ns(processor)
        self._machine.unload(processor.index)
        processor.vm = None
        self._on_busy(processor.loaded_ns, at_ns)
        return at_ns

    def occupy(self, processor: Processor, at_ns: int) -> None:
        """Let host software have an idle processor, from a time on that is not before now."""
        at_ns = max(at_ns, self.local_ns(processor))
        self._machine.let_pass(processor.index, at_ns)
        processor.occupied = True
        processor.loaded_ns = at_ns

    def vacate(self, processor: Processor) -> int:
        """Take a processor back from host software; return when."""
        at_ns = self.local_ns(processor)
        self._machine.let_pass(processor.index, at_ns)
        processor.occupied = False
        self._on_busy(processor.loaded_ns, at_ns)
        return at_ns

    def execute(self, processor: Processor, path: str, steps: Sequence[PathStep]) -> int:
        """Execute host software on a processor; return the cycles."""
        return self._machine.host_path(processor.index, path, list(steps))

    def work(self, processor: Processor, work: Callable[[int], _Result]) -> _Result:
        """Have a processor do the host's own work; it is on account of the vCPU that is there.

        Parameters
        ----------
        processor
            Which one; an idle one is busy for as long as it takes.
        work
            Does it, given the processor's number.
        """
        if processor.vm is not None or processor.occupied:
            return work(processor.index)
        begin_ns = self.local_ns(processor)
        self._machine.let_pass(processor.index, begin_ns)
        result = work(processor.index)
        self._on_busy(begin_ns, self.local_ns(processor))
        return result

    def local_ns(self, processor: Processor) -> int:
        """Return the time at which a processor can start something: not before now."""
        return max(self._environment.now, self._machine.local_time_ns(processor.index))

    def busy_ns(self) -> int:
        """Return how long what is on the processors now has been there, added over them."""
        now_ns = self._environment.now
        loaded = (each for each in self.processors if each.vm is not None or each.occupied)
        return sum(max(0, now_ns - each.loaded_ns) for each in loaded)

    def finish(self) -> None:
        """Record the busy time of what is still loaded, at the end of the run."""
        for processor in self.processors:
            if processor.vm is not None or processor.occupied:
                self._on_busy(processor.loaded_ns, self.local_ns(processor))
                processor.loaded_ns = self.local_ns(processor)

    def lateness_ns(self, processor: Processor) -> int:
        """Return by how much something that arrives now is late for a processor's vCPU.

        Guest instructions start before the limit of a run only; a processor that stands beyond it
        is ending one, or is in host software, as it is behind an exit.
        """
        executed_ns = min(self._machine.local_time_ns(processor.index), processor.reached_ns)
        return max(0, executed_ns - self._environment.now)

    # The process.

    def _conduct(self, supervisor: Supervisor) -> Generator[Event, object, None]:
        while True:
            supervisor.dispatch()
            if all(processor.vm is None for processor in self.processors):
                if not self._look_at_devices(supervisor):
                    self._idle = self._environment.event()
                    yield self._idle
            else:
                self._next_ns = self._advance()
                yield self._environment.sleep_until(
                    self._next_ns, reach=NOWHERE, priority=LAST, rank=self._rank
                )

    def _limit_ns(self) -> int:
        """Return until when nothing can reach this host."""
        now_ns = self._environment.now
        limit_ns = self._environment.next_reach_ns(self._scope)
        if limit_ns is None:
            limit_ns = now_ns + _FAR_NS
        for channel in self._channels:
            limit_ns = min(limit_ns, max(now_ns + channel.latency_ns, channel.quiet_until_ns))
        return limit_ns if self._cut is None else self._cut(now_ns, limit_ns)

    def _advance(self) -> int:
        """Run the machine as far as nothing can reach it; return how far that is."""
        limit_ns = self._limit_ns()
        for each in self.processors:
            each.reached_ns = limit_ns
        while True:
            self.runs += 1
            exit_ = self._machine.run(limit_ns)
            if exit_.vm is None:  # the time was reached
                return limit_ns
            limit_ns = min(limit_ns, self._announce(exit_))
            # A device on its own says the same again until it is helped.
            alone = exit_.pcpu is None
            if alone or all(each.vm is None or each.exiting for each in self.processors):
                return limit_ns

    def _announce(self, exit_: Exit) -> int:
        """Have an exit handled at its own time; return that."""
        at_ns = self._environment.now
        processor = None
        if exit_.pcpu is not None:  # otherwise a device of a VM that is on none has something, now
            at_ns = max(exit_.time_ns, at_ns)
            processor = self.processors[exit_.pcpu]
            processor.exiting = True
            processor.reached_ns = min(processor.reached_ns, at_ns)
        for each in self.processors:
            each.reached_ns = min(each.reached_ns, at_ns + self._ahead_ns)
        handle = partial(self._handle, processor, exit_)
        self._environment.at(at_ns, handle, reach=self._scope, rank=self._rank)
        return at_ns

    def _look_at_devices(self, supervisor: Supervisor) -> bool:
        """Handle what a device lacks while all VMs are off the processors; False if none does."""
        exit_ = self._machine.run(self._environment.now)
        if exit_.vm is not None:
            supervisor.on_exit(None, exit_)
        return exit_.vm is not None

    def _handle(self, processor: Processor | None, exit_: Exit) -> None:
        if processor is not None:
            processor.exiting = False
        if self._supervisor is not None:
            self._supervisor.on_exit(processor, exit_)
