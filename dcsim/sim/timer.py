"""A callback at a time, which can be cancelled.

SimPy's timeouts cannot be taken back. A cancelled timer stays in SimPy's queue until its time comes
and then does nothing (*lazy* cancellation: the queue is a heap, from which nothing can be removed
cheaply), but it no longer counts as an event that can reach anyone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simpy.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from simpy.events import EventPriority

    from dcsim.sim.environment import Environment, Scope

__all__ = ["Timer"]


class Timer(Event):
    """A function to be called once, at a time.

    A timer is *pending* until its time comes or it is cancelled; both are final. A process can
    wait for it like for any event; a cancelled one never happens for those who wait.

    Parameters
    ----------
    environment
        Where it lives.
    delay_ns
        How long from now.
    function
        What to call.
    reach
        The part of the model that the call can change; everything when None.
    priority
        Order among the events of the same time.
    rank
        Order among those of the same priority too.
    """

    def __init__(
        self,
        environment: Environment,
        delay_ns: int,
        function: Callable[[], object],
        *,
        reach: Scope | None,
        priority: EventPriority,
        rank: int = 0,
    ) -> None:
        super().__init__(environment)
        self.reach = reach
        self.cancelled = False
        self.at_ns = environment.now + delay_ns
        self._function = function
        self._ok = True
        self._value = None
        self.callbacks.append(self._fire)
        environment.schedule(self, priority, delay_ns, rank)

    @property
    def pending(self) -> bool:
        """Whether the function will still be called."""
        return not self.processed and not self.cancelled

    def cancel(self) -> None:
        """Do not call the function; nothing happens when it was called already."""
        if not self.processed:
            self.cancelled = True
            self.callbacks.clear()

    def _fire(self, _event: Event) -> None:
        self._function()

    def __repr__(self) -> str:
        """Return the time; no address, which would differ between runs."""
        return f"Timer(at_ns={self.at_ns}, pending={self.pending})"
