"""What schedulers schedule, and a host that does nothing but ask them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.hypervisor import Reservation

MILLISECOND_NS = 1_000_000


class Thread:
    """What a scheduler schedules, and nothing else."""

    def __init__(
        self, index: int, weight: int = 256, affinity: frozenset[int] | None = None, gang: int = -1
    ) -> None:
        self.index = index
        self.gang = index if gang < 0 else gang
        self.weight = weight
        self.cap_percent = 0
        self.processor = 0
        self.affinity = affinity
        self.home: frozenset[int] | None = None
        self.reservation: Reservation | None = None
        self.ran_ns = 0


class AskingHost:
    """Processors that run what a scheduler chooses, asked at every step of a millisecond.

    Attributes
    ----------
    running
        Who is on each processor.
    """

    def __init__(self, scheduler: Any, processors: int) -> None:
        self.scheduler = scheduler
        self.running: list[Thread | None] = [None] * processors
        self.now_ns = 0

    def run(self, steps: int, look: Callable[[], None] = lambda: None) -> None:
        """Go on for some milliseconds; `look` is called in each when all is decided."""
        for _ in range(steps):
            tick_ns = self.scheduler.next_tick_ns(self.now_ns - 1)
            if tick_ns is not None and tick_ns <= self.now_ns:
                self.scheduler.tick(self.now_ns)
            for processor, current in enumerate(self.running):
                chosen = self.scheduler.choose(processor, current, self.now_ns).vcpu
                if chosen is not None:
                    chosen.processor = processor
                self.running[processor] = chosen
            look()
            for thread in self.running:
                if thread is not None:
                    self.scheduler.charge(thread, MILLISECOND_NS)
                    thread.ran_ns += MILLISECOND_NS
            self.now_ns += MILLISECOND_NS

    def wake(self, thread: Thread) -> None:
        """Let a thread want to run."""
        self.scheduler.wake(thread, self.now_ns)

    def block(self, thread: Thread) -> None:
        """Let a thread not want to run any more."""
        self.scheduler.leave(thread)
        self.running = [None if each is thread else each for each in self.running]
