"""The schedulers by name: what each is made with, and what the figures it goes by rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dcsim.errors import UnknownNameError
from dcsim.hardware import LedgerEntry
from dcsim.hypervisor import (
    bandwidth,
    credit,
    eevdf,
    fair,
    gang,
    real_time,
    round_robin,
    virtual_time,
)
from dcsim.hypervisor.skew import SkewLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dcsim.hypervisor.scheduler import Scheduler

__all__ = [
    "Parameter",
    "SchedulerKind",
    "default_scheduler",
    "make_scheduler",
    "scheduler_kind",
    "scheduler_names",
]


SKEW_LIMIT = "skew_limit"
"""What every scheduler takes that is not strict: how far ahead of its VM's last a vCPU may be."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that a scenario can set."""

    name: str
    """As scenarios write it."""
    keyword: str
    """As the scheduler's class calls it."""
    entry: LedgerEntry | None = None
    """What is in force when the scenario says nothing; None for what is no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerKind:
    """A scheduler that a scenario can name."""

    name: str
    make: Callable[..., Scheduler]
    """Given the number of processors and the parameters by their keywords."""
    parameters: tuple[Parameter, ...]
    fixed: tuple[LedgerEntry, ...] = ()
    """Figures that it goes by and no scenario sets."""
    has_weights: bool = True
    has_caps: bool = True
    has_reservations: bool = False
    is_strict: bool = False
    """Whether the vCPUs of a VM run together or not at all."""

    @property
    def keys(self) -> tuple[str, ...]:
        """What a scenario may set."""
        names = tuple(each.name for each in self.parameters)
        return names if self.is_strict else (*names, SKEW_LIMIT)

    def constants(self, given: Mapping[str, object]) -> Iterator[LedgerEntry]:
        """Yield the figures in force that come with dcsim, where a scenario gives others."""
        yield from (each.entry for each in self.parameters if each.entry and each.name not in given)
        yield from self.fixed


_Known = Literal["published", "assumption"]


def _time(
    name: str, keyword: str, policy: str, value_ns: int, kind: _Known, source: str
) -> Parameter:
    """Return a parameter that is a time."""
    return Parameter(name, keyword, LedgerEntry(f"{policy}.{name}", value_ns, "ns", kind, source))


_XEN = "Xen's credit scheduler, credit.c"
_CFS = "Linux's completely fair scheduler, fair.c"
_EEVDF = "Linux from 6.6 on, fair.c"
_SCALED = "times 1 + log2(processors) for up to 8"
_BANDWIDTH = (
    LedgerEntry("scheduler.bandwidth_period", bandwidth.PERIOD_NS, "ns", "published", _CFS),
    LedgerEntry(
        "scheduler.weight_of_nice_0",
        virtual_time.WEIGHT_OF_DEFAULT,
        "",
        "assumption",
        "the VM weight that stands for nice 0: the default",
    ),
)

_KINDS = (
    SchedulerKind(
        name="credit",
        make=credit.CreditScheduler,
        parameters=(
            _time("slice", "slice_ns", "credit", credit.SLICE_NS, "published", _XEN),
            _time(
                "tick",
                "tick_ns",
                "credit",
                credit.SLICE_NS // credit.TICKS_PER_SLICE,
                "published",
                f"{_XEN}; a third of the slice, whatever that is",
            ),
            _time("rate_limit", "rate_limit_ns", "credit", credit.RATE_LIMIT_NS, "published", _XEN),
            Parameter("boost", "boost"),
        ),
        fixed=(
            LedgerEntry(
                "credit.ticks_per_accounting",
                credit.TICKS_PER_ACCOUNTING,
                "",
                "published",
                _XEN,
            ),
        ),
    ),
    SchedulerKind(
        name="fair",
        make=fair.FairScheduler,
        parameters=(
            _time(
                "latency",
                "latency_ns",
                "fair",
                fair.LATENCY_NS,
                "published",
                f"{_CFS}; {_SCALED}",
            ),
            _time(
                "minimum_granularity",
                "minimum_ns",
                "fair",
                fair.MINIMUM_GRANULARITY_NS,
                "published",
                f"{_CFS}; {_SCALED}",
            ),
            _time(
                "wakeup_granularity",
                "wakeup_ns",
                "fair",
                fair.WAKEUP_GRANULARITY_NS,
                "published",
                f"{_CFS}; {_SCALED}",
            ),
        ),
        fixed=_BANDWIDTH,
    ),
    SchedulerKind(
        name="eevdf",
        make=eevdf.EevdfScheduler,
        parameters=(
            _time(
                "base_slice",
                "base_slice_ns",
                "eevdf",
                eevdf.BASE_SLICE_NS,
                "published",
                f"{_EEVDF}; {_SCALED}",
            ),
        ),
        fixed=_BANDWIDTH,
    ),
    SchedulerKind(
        name="round-robin",
        make=round_robin.RoundRobinScheduler,
        parameters=(
            _time(
                "slice",
                "slice_ns",
                "round-robin",
                round_robin.SLICE_NS,
                "published",
                "the quantum of ESX Server, as Barham and others (SOSP 2003) name it",
            ),
            Parameter("wakes_to", "wakes_to"),
        ),
        has_weights=False,
        has_caps=False,
    ),
    SchedulerKind(
        name="real-time",
        make=real_time.RealTimeScheduler,
        parameters=(
            _time(
                "background_slice",
                "background_slice_ns",
                "real-time",
                real_time.BACKGROUND_SLICE_NS,
                "assumption",
                "a turn of those without a reservation",
            ),
        ),
        has_weights=False,
        has_caps=False,
        has_reservations=True,
    ),
    SchedulerKind(
        name="gang",
        make=gang.GangScheduler,
        parameters=(
            _time(
                "slice",
                "slice_ns",
                "gang",
                gang.SLICE_NS,
                "published",
                "the quantum of ESX Server, as Barham and others (SOSP 2003) name it",
            ),
        ),
        has_weights=False,
        has_caps=False,
        is_strict=True,
    ),
)
_BY_NAME = {kind.name: kind for kind in _KINDS}
_DEFAULTS = {"type1": "credit", "type2": "fair"}


def scheduler_names() -> tuple[str, ...]:
    """Return the names of all schedulers."""
    return tuple(_BY_NAME)


def default_scheduler(hypervisor: str) -> str:
    """Return the name of the scheduler that a type of hypervisor has unless told otherwise."""
    return _DEFAULTS[hypervisor]


def scheduler_kind(name: str) -> SchedulerKind:
    """Return the scheduler of a name.

    Raises
    ------
    UnknownNameError
        When there is none.
    """
    if name not in _BY_NAME:
        raise UnknownNameError("scheduler", name, _BY_NAME)
    return _BY_NAME[name]


def make_scheduler(
    name: str, processors: int, given: Mapping[str, object], *, watch_skew: bool = False
) -> Scheduler:
    """Return a scheduler for a host.

    Parameters
    ----------
    name
        Which.
    processors
        How many the host has.
    given
        Parameters by their names in scenarios; those that are left out have their defaults.
    watch_skew
        Whether to measure how far vCPUs of a VM get ahead of others, also without a limit.

    Raises
    ------
    UnknownNameError
        When there is no such scheduler.
    """
    kind = scheduler_kind(name)
    keywords = {each.keyword: given[each.name] for each in kind.parameters if each.name in given}
    scheduler = kind.make(processors, **keywords)
    limit_ns = given.get(SKEW_LIMIT)
    if isinstance(limit_ns, int):
        return SkewLimit(scheduler, limit_ns)
    return SkewLimit(scheduler, None) if watch_skew else scheduler
