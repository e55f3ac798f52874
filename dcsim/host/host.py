"""A physical machine: processors, memory, disk, power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.errors import PlacementError
from dcsim.host.conductor import Conductor
from dcsim.host.disk import Disk
from dcsim.host.power import PowerMeter
from dcsim.sim import Level, Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from simpy.events import Event

    from dcsim.hardware import HardwareProfile, PowerCurve
    from dcsim.host.machine import Machine
    from dcsim.sim import Environment

__all__ = ["POWER_WINDOW_NS", "Host", "HostConfig"]

POWER_WINDOW_NS = 100_000_000
"""Over how long utilisation is averaged before the power curve is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """What a host is made of."""

    name: str
    profile: HardwareProfile
    curve: PowerCurve
    pcpus: int
    memory_bytes: int
    disk_latency_ns: int
    disk_bits_per_second: int
    power_window_ns: int = POWER_WINDOW_NS


class Host:
    """A physical machine.

    Parameters
    ----------
    environment
        The simulation.
    config
        What it is made of.
    machine
        Its machine world.
    cut
        See :class:`~dcsim.host.conductor.Conductor`.

    Attributes
    ----------
    scope
        What reaches it.
    vms
        How many VMs are on it, over time.
    """

    def __init__(
        self,
        environment: Environment,
        config: HostConfig,
        machine: Machine,
        cut: Callable[[int, int], int] | None = None,
    ) -> None:
        self.environment = environment
        self.config = config
        self.name = config.name
        self.machine = machine
        self.scope = Scope(config.name)
        self.power = PowerMeter(config.curve, config.pcpus, config.power_window_ns)
        self.conductor = Conductor(
            environment, self.scope, machine, config.pcpus, self.power.add_busy, cut
        )
        self.disk = Disk(
            environment,
            latency_ns=config.disk_latency_ns,
            bits_per_second=config.disk_bits_per_second,
        )
        self.vms = Level(remember=True)
        self._reserved_bytes: dict[str, int] = {}

    # Memory.

    @property
    def free_bytes(self) -> int:
        """Memory that no VM and no host software has been promised."""
        return self.config.memory_bytes - sum(self._reserved_bytes.values())

    def reserve(self, holder: str, size_bytes: int) -> None:
        """Promise memory to a holder.

        Raises
        ------
        PlacementError
            When there is not as much left.
        """
        if size_bytes > self.free_bytes:
            raise PlacementError(
                f"{self.name} has {self.free_bytes} bytes left; {holder} needs {size_bytes}"
            )
        self._reserved_bytes[holder] = self._reserved_bytes.get(holder, 0) + size_bytes

    def release(self, holder: str) -> None:
        """Take a holder's memory back."""
        self._reserved_bytes.pop(holder, None)

    # Busy time and power.

    def busy_ns(self) -> int:
        """Return the busy time up to now, added over the processors."""
        return self.power.busy_ns() + self.conductor.busy_ns()

    @property
    def is_on(self) -> bool:
        """Whether it can run VMs."""
        return self.power.state == "on"

    def switch_off(self) -> Event:
        """Power off an empty host; return the event of it being off."""
        now_ns = self.environment.now
        self.power.change("stopping", now_ns)
        return self._later(self.config.curve.stop_ns.value, "off")

    def switch_on(self) -> Event:
        """Power on; return the event of it being able to run VMs."""
        now_ns = self.environment.now
        self.power.change("starting", now_ns)
        return self._later(self.config.curve.start_ns.value, "on")

    def _later(self, delay_ns: int, state: str) -> Event:
        def change() -> None:
            self.power.change("on" if state == "on" else "off", self.environment.now)

        return self.environment.after(delay_ns, change)
