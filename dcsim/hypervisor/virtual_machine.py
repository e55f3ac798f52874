"""A virtual machine as the model sees it: what it is, where it is, what became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from dcsim.errors import InvariantError
from dcsim.hypervisor.balloon import Balloon
from dcsim.hypervisor.console import ConsoleLog
from dcsim.hypervisor.disk_io import DiskGate
from dcsim.hypervisor.memory.settings import MemoryClaim
from dcsim.hypervisor.technique import default_paging
from dcsim.hypervisor.totals import Totals
from dcsim.hypervisor.vcpu import VcpuState, VirtualCpu
from dcsim.hypervisor.virtual_disk import PlainDisk
from dcsim.hypervisor.virtual_nic import VirtualNic
from dcsim.sim import Counter, Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from simpy.events import Event

    from dcsim.host import DiskContent, Run
    from dcsim.hypervisor.hypervisor import Hypervisor
    from dcsim.hypervisor.memory.record import VmSample
    from dcsim.hypervisor.process import LinuxProgram
    from dcsim.hypervisor.scheduler import Reservation
    from dcsim.hypervisor.technique import PagingName, TechniqueName
    from dcsim.hypervisor.virtual_disk import CacheMode, DiskFormat, VirtualDisk
    from dcsim.sim import Environment

__all__ = ["MOST_VCPUS", "Storage", "VirtualMachine", "VmConfig", "VmState"]

VmState = Literal["waiting", "running", "moving", "off", "failed"]
"""``waiting``: not started yet; ``moving``: stopped, on its way; the last two are final."""


MOST_VCPUS = 8
"""The most vCPUs that a VM can have."""


class Storage(Protocol):
    """Where the bytes of a virtual disk are."""

    def submit(
        self,
        size_bytes: int,
        *,
        write: bool,
        done: Callable[[], object],
        reach: Scope | None,
        offset_bytes: int = 0,
        waited: Callable[[int], object] | None = None,
    ) -> None:
        """Queue a request; see :meth:`dcsim.host.DiskModel.submit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmConfig:
    """What a VM is made of."""

    name: str
    program: str
    """The guest's first program and its arguments."""
    kernel: bytes
    """The image that it boots."""
    boot_arguments: str = ""
    """What the guest finds in its device tree; that names the program when empty."""
    memory_bytes: int
    vcpus: int = 1
    technique: TechniqueName | Literal["process"] = "trap-and-emulate"
    process: LinuxProgram | None = None
    """What a process-level VM executes: its technique is ``process``, and it has no kernel."""
    paging: PagingName | None = None
    """How guest addresses are translated; None for the technique's own."""
    large_pages: bool = False
    """Whether its memory lies in runs of 2 MiB of its host's."""
    translate_user: bool = False
    """Whether user code is translated as the kernel's is."""
    weight: int = 256
    cap_percent: int = 0
    pin: tuple[int, ...] = ()
    """The only processors of its host on which it may run; empty for any."""
    reservation: Reservation | None = None
    """Processor time that a real-time scheduler guarantees it."""
    memory_claim: MemoryClaim = field(default_factory=MemoryClaim)
    """What it may ask of a host that overcommits."""
    disk_bytes: int = 0
    """Capacity of its disk; 0 for none."""
    disk_format: DiskFormat = "raw"
    """Of a disk that is a file on its host's."""
    disk_base: str = ""
    """The VM on whose disk an overlay stands."""
    disk_partition: str = ""
    """The partition of its host that is its disk; its disk is a file when empty."""
    disk_cache: CacheMode | None = None
    """How it uses the host's page cache; as its hypervisor does when None."""
    watchdog_ns: int = 0
    """After how long its watchdog bites; 0 for none."""
    disk_moves: bool = False
    """Whether a disk on the host's own disk crosses the network when the VM moves."""
    has_network: bool = False
    has_own_link: bool = False
    """Whether it is on the network by a link of its own, which ends at its host."""
    has_virtio_console: bool = False
    """Whether it has a virtio console beside its serial port."""
    has_balloon: bool = False
    """Whether its host can ask it for memory."""
    balloon_target_bytes: int = 0
    """Memory that its balloon shall hold from the start."""
    free_page_reporting: bool = False
    """Whether its host hears of pages that the guest does not use."""
    entropy_seed: int = 0

    @property
    def paging_name(self) -> PagingName:
        """How guest addresses are translated in the end."""
        if self.technique == "process":
            return "none"
        return default_paging(self.technique) if self.paging is None else self.paging

    @property
    def is_reclaimable(self) -> bool:
        """Whether a host can take pages from it: no table but the monitor's leads to them."""
        return self.paging_name not in {"none", "direct"} and not self.large_pages

    @property
    def reserved_bytes(self) -> int:
        """Memory that a host which overcommits never takes from it."""
        return self.memory_claim.reservation_bytes if self.is_reclaimable else self.memory_bytes

    def machine_json(self, memory_node: int | None = None) -> str:
        """Return what the machine world has to know, as it reads it.

        Parameters
        ----------
        memory_node
            The node whose frames it is given first; None for all in turn.
        """
        return json.dumps(
            {
                "memory_node": memory_node,
                "name": self.name,
                "technique": self.technique,
                "paging": self.paging_name,
                "memory_bytes": self.memory_bytes,
                "vcpus": self.vcpus,
                "bootargs": self.boot_arguments or f"init={self.program}",
                "network": self.has_network,
                "console": self.has_virtio_console,
                "large_pages": self.large_pages,
                "translate_user": self.translate_user,
                "balloon": self.has_balloon,
                "free_page_reporting": self.free_page_reporting,
                "entropy_seed": self.entropy_seed,
                "process": None if self.process is None else self.process.text(),
            }
        )


class VirtualMachine:
    """A VM over its whole life, on whichever hosts.

    Parameters
    ----------
    environment
        The simulation.
    config
        What it is made of.
    index
        Its place in the scenario.
    disk
        The machine world's disk image, or None.
    storage
        Where the disk is when it is shared; None when it is on the host's own disk, or there is
        none.

    Attributes
    ----------
    scope
        What reaches it, on whichever host it is.
    hypervisor
        Where it is; None before it starts and after it ends.
    number
        What its machine calls it there.
    vcpus
        Its processors, in the order in which the guest numbers them.
    virtual_disk
        Where the bytes of its disk are, on the host where it is.
    cache_mode
        How it uses that host's page cache.
    carried_blocks
        Blocks of its disk that hold anything, while it moves with its VM.
    gate
        What holds its disk requests back while the disk changes.
    life
        How often it was powered on.
    is_service
        Whether it belongs to its host, as a driver domain does, and not to the load.
    balloon
        What its host wants of its memory, and what it gives; None without a balloon.
    outstanding
        Disk requests that are not done.
    totals
        What was counted on the machines that it was on.
    """

    def __init__(
        self,
        environment: Environment,
        config: VmConfig,
        index: int,
        disk: DiskContent | None = None,
        storage: Storage | None = None,
    ) -> None:
        self.environment = environment
        self.config = config
        self.name = config.name
        self.scope = Scope(config.name)
        self.vcpus = [
            VirtualCpu(
                self,
                number,
                index * MOST_VCPUS + number,
                weight=config.weight,
                cap_percent=config.cap_percent,
            )
            for number in range(config.vcpus)
        ]
        for vcpu in self.vcpus:
            vcpu.affinity = frozenset(config.pin) or None
            vcpu.reservation = config.reservation
        self.disk = disk
        self.storage = storage
        self.virtual_disk: VirtualDisk = PlainDisk(config.name)
        self.cache_mode: CacheMode = "none"
        self.carried_blocks: list[Run] = []
        self.gate = DiskGate()
        self.life = 0
        self.nic = VirtualNic(self)
        self.balloon = Balloon(self) if config.has_balloon else None
        self.state: VmState = "waiting"
        self.is_service = False
        self.hypervisor: Hypervisor | None = None
        self.number = -1
        self.last_host = ""
        self.started_ns: int | None = None
        self.ended_ns: int | None = None
        self.exit_status: int | None = None
        self.message = ""
        self.outstanding = 0
        self.pausing: Event | None = None
        self.lateness_ns = 0
        self.skew_max_ns = 0
        self.dirty_carried = 0
        self.short_of_memory = 0
        self.short_ns = -1
        self.disk_counts = Counter()
        self.disk_wait_ns = 0
        self.link_wait_ns = 0
        self.totals = Totals()
        self.console = ConsoleLog()
        self.memory_samples: list[VmSample] = []
        self.on_packet: Callable[[bytes, int], None] | None = None

    @property
    def is_movable(self) -> bool:
        """Whether it can leave its host: its disk, if any, is elsewhere or crosses with it.

        A link of its own ends where it is. What a host's kernel knows of a process stays with that
        kernel.
        """
        if self.config.process is not None or self.config.has_own_link:
            return False
        return self.config.disk_bytes == 0 or self.storage is not None or self.config.disk_moves

    @property
    def crossing_disk(self) -> DiskContent | None:
        """What has to cross beside memory and devices when it moves: a disk that is its host's."""
        return self.disk if self.storage is None and self.config.disk_moves else None

    def begin_life(self) -> None:
        """Be as new, but for its disk and its accounts: it is powered on, perhaps again."""
        self.life += 1
        self.exit_status = self.ended_ns = None
        self.message = ""
        if self.outstanding:
            self.disk_counts.add("lost", self.outstanding)
        self.outstanding = self.short_of_memory = 0
        self.nic.clear()
        for vcpu in self.vcpus:
            vcpu.waiting = vcpu.number > 0
            vcpu.owed_paths.clear()

    @property
    def port(self) -> str:
        """The node of the network where it is reached; nothing before it starts."""
        return self.name if self.config.has_own_link and self.last_host else self.last_host

    def note_link_wait(self, wait_ns: int) -> None:
        """Note for how long one of its packets waited for others on its way."""
        self.link_wait_ns += wait_ns

    def note_disk_wait(self, wait_ns: int) -> None:
        """Note for how long one of its requests waited for others at the disk."""
        self.disk_wait_ns += wait_ns

    @property
    def is_off(self) -> bool:
        """Whether none of its vCPUs is on a processor, or is to come onto one."""
        return all(vcpu.state == "paused" for vcpu in self.vcpus)

    def time_ns(self, state: VcpuState, at_ns: int) -> int:
        """Return the time that its vCPUs spent in a state up to now, added over them."""
        return sum(vcpu.time_ns(state, at_ns) for vcpu in self.vcpus)

    def guest_ns(self, at_ns: int) -> int:
        """Return its own time: how long a vCPU of it executed or had nothing to do, on average."""
        own_ns = sum(self.time_ns(state, at_ns) for state in ("running", "blocked"))
        return own_ns // len(self.vcpus)

    def check(self) -> None:
        """Hold the VM's devices to their invariant: what goes in comes out, or is under way.

        Raises
        ------
        InvariantError
            When a request or a frame was lost, or counts twice.
        """
        counts = self.disk_counts
        asked = sum(counts[key] for key in ("reads", "writes", "flushes", "discards"))
        handed_over, ended, sent = (
            self.nic.counts["handed_over"],
            counts["ended"],
            self.nic.counts["sent"],
        )
        if asked + handed_over != ended + sent + counts["lost"] + self.outstanding:
            raise InvariantError(
                f"requests of `{self.name}`: {asked} to the disk and {handed_over} frames, of "
                f"which {ended} ended, {sent} were sent, {counts['lost']} were lost with "
                f"their VM, and {self.outstanding} are under way"
            )

    def __repr__(self) -> str:
        """Return name and state."""
        return f"VirtualMachine({self.name!r}, {self.state})"
