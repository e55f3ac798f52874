"""What a host runs beside its VMs, and who drives its devices."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from pydantic import Field

from dcsim.hypervisor import DeviceKind, TechniqueName
from dcsim.scenario.model import Model, Name
from dcsim.units import Bytes, Duration

__all__ = ["DriverDomain", "HostDevice", "HostProcess", "NetworkPath", "service_name"]


class HostDevice(Model):
    """A device of a host."""

    name: Name
    kind: DeviceKind
    """`disk` or `nic`."""
    model: str
    """What it is, for which a driver is needed: `nvme`, `e1000`, ..."""


class HostProcess(Model):
    """A process of a host's operating system that computes beside the VMs."""

    name: Name
    nice: Annotated[int, Field(ge=-20, le=19)] = 0
    """Its nice value: each step is a quarter more or less of the processors under contention."""
    cpu: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Which share of its time it computes, on a processor of its own; it sleeps for the rest."""
    period_ns: Duration = Field(default=10_000_000, alias="period")
    """How long computing and sleeping take together."""

    @property
    def burst_ns(self) -> int:
        """For how long it computes at a time."""
        return max(1, int(Fraction(str(self.cpu)) * self.period_ns))


class DriverDomain(Model):
    """The VM that drives a host's devices for the others."""

    memory_bytes: Bytes = Field(default=8 * 2**20, alias="memory")
    """Its memory."""
    technique: TechniqueName = "trap-and-emulate"
    """How its CPU is virtualised."""
    weight: Annotated[int, Field(ge=1, le=65_535)] = 256
    """Share of the CPU under contention, in proportion to the other weights."""
    workers: Annotated[int, Field(ge=1, le=16)] = 4
    """How many requests it serves at once."""


class NetworkPath(Model):
    """How a hosted monitor with a world of its own reaches the network."""

    world_switch_avoidance: bool = False
    """The monitor itself answers accesses to the card's registers that do not transmit."""
    send_combining: bool = False
    """Up to three packets leave in one world switch, or with one that takes place anyway."""
    interrupt_sharing: bool = False
    """Whether packets have come stands in shared memory, instead of being asked for."""


def service_name(host: str) -> str:
    """Return the name of a host's driver domain in the results."""
    return f"{host}-driver"
