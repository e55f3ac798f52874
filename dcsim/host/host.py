"""A physical machine: processors, memory, disk, power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dcsim.errors import InvariantError, PlacementError
from dcsim.host.conductor import Conductor
from dcsim.host.disk import Disk
from dcsim.host.file_store import BLOCK_BYTES, FileStore
from dcsim.host.flash_disk import FlashDisk
from dcsim.host.free_runs import Run
from dcsim.host.partitions import ALIGNMENT_BYTES, divide
from dcsim.host.power import PowerMeter
from dcsim.host.rotating_disk import RotatingDisk
from dcsim.sim import Level, Scope, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from simpy.events import Event

    from dcsim.hardware import (
        FlashDiskProfile,
        HardwareProfile,
        PowerCurve,
        RotatingDiskProfile,
    )
    from dcsim.host.disk import DiskModel
    from dcsim.host.machine import Machine
    from dcsim.host.partitions import Partition
    from dcsim.host.rotating_disk import ServiceOrder
    from dcsim.sim import Environment

__all__ = ["POWER_WINDOW_NS", "Host", "HostConfig"]

DISK_BYTES = 1 << 40
"""Capacity of a disk of which nothing is said."""

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
    disk_profile: RotatingDiskProfile | FlashDiskProfile | None = None
    """What its disk is; one with the latency and the rate above when None."""
    disk_order: ServiceOrder = "fifo"
    disk_capacity_bytes: int = DISK_BYTES
    disk_stream: Stream | None = None
    """From which the latencies of a disk with a distribution are drawn."""
    partitions: tuple[Partition, ...] = ()
    """Of its disk; all of it holds files when there are none."""
    power_window_ns: int = POWER_WINDOW_NS
    nodes: int = 1
    """Parts of processors and memory that are near each other."""
    memory_policy: Literal["home", "interleave"] = "home"
    """From which of them a VM's memory comes: its home's first, or all in turn."""


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
    disk
        Its disk.
    store
        The files on it; None when no partition holds any.
    partitions
        The blocks of its partitions by name.
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
            environment,
            self.scope,
            machine,
            config.pcpus,
            self.power.add_busy,
            cut,
            config.profile.ipi_ns(),
        )
        self.disk = _disk(environment, config)
        self.partitions = divide(config.disk_capacity_bytes, config.partitions)
        self.store = _store(config, self.partitions)
        self.vms = Level(remember=True)
        self._reserved_bytes: dict[str, int] = {}

    # Memory.

    @property
    def free_bytes(self) -> int:
        """Memory that no VM and no host software has been promised."""
        return self.config.memory_bytes - sum(self._reserved_bytes.values())

    @property
    def holders(self) -> list[str]:
        """Who has been promised memory."""
        return list(self._reserved_bytes)

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

    def check_frames(self) -> None:
        """Hold the machine's frames to their number: each is somebody's, or free.

        Raises
        ------
        InvariantError
            When one is lost, or used twice.
        """
        counts = self.machine.count_frames()
        counted = (sum(counts.values()), counts["free"])
        known = (self.machine.frames, self.machine.free_frames)
        if counted != known:
            raise InvariantError(
                f"`{self.name}` has {known[0]} frames, of which {known[1]} are free; counted by "
                f"their use they are {counted[0]}, of which {counted[1]} are free"
            )

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

    def fail(self) -> None:
        """Lose power at once; memory that was promised is free again."""
        self.power.change("off", self.environment.now)

    def _later(self, delay_ns: int, state: str) -> Event:
        def change() -> None:
            self.power.change("on" if state == "on" else "off", self.environment.now)

        return self.environment.after(delay_ns, change)


def _disk(environment: Environment, config: HostConfig) -> DiskModel:
    """Return the disk that a host is described with."""
    profile = config.disk_profile
    if profile is None:
        return Disk(
            environment,
            latency_ns=config.disk_latency_ns,
            bits_per_second=config.disk_bits_per_second,
        )
    if profile.kind == "rotating":
        return RotatingDisk(environment, profile, config.disk_order)
    return FlashDisk(environment, profile, config.disk_stream or Stream(0, config.name))


def _store(config: HostConfig, partitions: dict[str, Run]) -> FileStore | None:
    """Return the files of a host: in the partition that holds them, or all over the disk."""
    if not config.partitions:
        blocks = (config.disk_capacity_bytes - ALIGNMENT_BYTES) // BLOCK_BYTES
        return FileStore(Run(ALIGNMENT_BYTES // BLOCK_BYTES, blocks))
    holder = next((each.name for each in config.partitions if each.use == "files"), None)
    return None if holder is None else FileStore(partitions[holder])
