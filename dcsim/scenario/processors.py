"""What decides about processors on a host: its scheduler, its data cache, its nodes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.model import Model
from dcsim.units import Bytes, Duration

__all__ = ["DataCache", "HostScheduler", "Numa", "VmReservation"]


class HostScheduler(Model):
    """A host's scheduler and its parameters; each has its own, with its published defaults."""

    policy: str
    """A scheduler's name: `credit`, `fair`, `eevdf`, `round-robin`, `real-time` or `gang`."""
    slice_ns: Duration | None = Field(default=None, alias="slice")
    """Of `credit` and `round-robin`: how long one runs before the next one does. Of `gang`: for how
    long a VM runs with all of its vCPUs."""
    tick_ns: Duration | None = Field(default=None, alias="tick")
    """Of `credit`: how often boosts end; credit is handed out every third time."""
    rate_limit_ns: Duration | None = Field(default=None, alias="rate_limit")
    """Of `credit`: for how long nobody takes the place of one that has just begun."""
    boost: bool | None = None
    """Of `credit`: whether one that wakes with credit left goes first; yes when left out."""
    latency_ns: Duration | None = Field(default=None, alias="latency")
    """Of `fair`: the period in which everybody runs once, while there are few."""
    minimum_granularity_ns: Duration | None = Field(default=None, alias="minimum_granularity")
    """Of `fair`: the shortest turn."""
    wakeup_granularity_ns: Duration | None = Field(default=None, alias="wakeup_granularity")
    """Of `fair`: how far behind one that wakes has to be to run at once."""
    base_slice_ns: Duration | None = Field(default=None, alias="base_slice")
    """Of `eevdf`: the length of a request for service."""
    wakes_to: Literal["back", "front"] | None = None
    """Of `round-robin`: where in the queue one that wakes goes; `back` when left out."""
    background_slice_ns: Duration | None = Field(default=None, alias="background_slice")
    """Of `real-time`: a turn of those without a reservation."""

    skew_limit_ns: Duration | None = Field(default=None, alias="skew_limit")
    """Of all but `gang`: by how much a vCPU may be ahead of the last of its VM before it is stopped
    (relaxed co-scheduling); vCPUs are scheduled each for itself when left out."""

    @property
    def given(self) -> dict[str, object]:
        """The parameters that are written, by the names under which they are."""
        fields = type(self).model_fields
        written = {field.alias or name: getattr(self, name) for name, field in fields.items()}
        return {
            name: value for name, value in written.items() if name != "policy" and value is not None
        }


class VmReservation(Model):
    """Processor time that a VM is guaranteed on a host with the scheduler `real-time`."""

    period_ns: Duration = Field(alias="period")
    """In each period of this length ..."""
    budget_ns: Duration = Field(alias="budget")
    """... it may run for this long, and no longer."""


class DataCache(Model):
    """A model of the processors' data caches: a miss takes time, and a switch costs refills."""

    size_bytes: Bytes = Field(alias="size")
    """Capacity."""
    line_bytes: Bytes = Field(default=64, alias="line")
    """Bytes of a line."""
    ways: Annotated[int, Field(ge=1, le=1024)] = 8
    """Lines of a set."""
    miss_cycles: Annotated[int, Field(ge=1, le=1_000_000)]
    """Cycles that a miss adds to an access."""


class Numa(Model):
    """Nodes of processors and memory: what misses the data cache takes longer from another node."""

    nodes: Annotated[int, Field(ge=2, le=64)]
    """How many; processors and memory are divided among them in order."""
    remote_cycles: Annotated[int, Field(ge=1, le=1_000_000)]
    """Cycles that a data-cache miss adds beside its own when the line is another node's."""
    memory: Literal["home", "interleave"] = "home"
    """`home`: a VM is given memory of one node first, on whose processors it is kept if they have
    time; `interleave`: its pages are dealt to all nodes in turn."""
