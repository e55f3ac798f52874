"""Virtual machines: what they run, on what memory and disk, and the requests that reach them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from dcsim.hypervisor import (
    MOST_VCPUS,
    CacheMode,
    DiskFormat,
    PagingName,
    TechniqueName,
    default_paging,
)
from dcsim.scenario.faults import Restart, Watchdog
from dcsim.scenario.model import Items, Model, Name
from dcsim.scenario.processors import VmReservation
from dcsim.units import Bytes, Duration, Rate

__all__ = ["Requests", "VirtualDisk", "Vm"]

BootArguments = Annotated[
    str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[\x20-\x7e]+$")
]
"""Printable ASCII, as the guest finds it in its device tree."""


class VirtualDisk(Model):
    """A VM's disk."""

    size_bytes: Bytes = Field(alias="size")
    """Capacity; a whole number of 512-byte sectors."""
    on: str = "local"
    """`local`: on the host's disk, which ties the VM to its host unless the disk `moves`; or a
    shared storage's name."""
    format: DiskFormat = "raw"
    """Of a local disk, which is a file on its host's: `raw` takes all of its blocks at once,
    `sparse` those that are written, `overlay` those that differ from its `base`."""
    base: Name | None = None
    """Of an overlay: the VM on whose disk it stands, as that VM left it; on the same host, and over
    when this one starts."""
    partition: Name | None = None
    """The raw partition of its host that is its disk, in place of a file."""
    cache: CacheMode | None = None
    """How it uses the page cache of a type 2 hypervisor's host: `writeback`, `writethrough` or
    `none`; `writeback` when left out. A type 1 hypervisor has none."""
    moves: bool = False
    """Whether a local disk crosses the network with the VM when it moves: its blocks that hold
    anything, while the VM stands still. Otherwise a local disk refuses the move."""


class Sink(Model):
    """A machine outside that acknowledges the packets that a VM sends."""

    every: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many packets an acknowledgement is for; at most the program's window."""


class Requests(Model):
    """Requests that arrive for a VM's server program over the network."""

    rate_millihertz: Rate = Field(alias="rate")
    """Mean number of arrivals per second."""
    size_bytes: Bytes = Field(default=256, alias="size")
    """Bytes of one request, 32 to 1500: it is one packet."""
    answer_bytes: Bytes = Field(default=256, alias="answer")
    """Bytes of one answer, 24 to 1500."""
    compute: Annotated[int, Field(ge=0, le=100_000_000)] = 1000
    """Units of computation that each request asks for."""
    pages: Annotated[int, Field(ge=0, le=1_000_000)] = 4
    """Pages of memory that each request touches."""
    sectors: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Disk sectors that each request writes and reads back; needs a disk."""
    arrival: Literal["uniform", "poisson"] = "poisson"
    """`uniform`: evenly spaced; `poisson`: exponential gaps from the VM's own random stream."""
    first_ns: Duration = Field(default=0, alias="first")
    """When the first request may arrive, after the VM's start."""
    count: Annotated[int, Field(ge=1, le=10_000_000)]
    """How many requests arrive at most."""


class Vm(Model):
    """One virtual machine, or several alike."""

    name: Name
    """With `count`, the VMs are called `name-0`, `name-1`, ..."""
    count: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """How many VMs alike; one, called exactly `name`, when left out."""
    kind: Literal["machine", "process"] = "machine"
    """`machine` has a kernel of its own; `process` is one program for Linux whose system calls the
    host answers, on a host with an operating system."""
    program: BootArguments
    """The guest's first program and its arguments: `server`, `integer rounds=100`; of a `process`
    the path of a static RV64 ELF in its folder, and its arguments."""
    folder: str | None = None
    """Of a `process`: the folder, relative to the scenario file, that it finds as its file tree and
    whose files it cannot change; the programs that come with dcsim when left out."""
    kernel: BootArguments | None = None
    """Arguments for the guest kernel itself: `kernel.swap_pages=64 kernel.tick_ms=5`."""
    image: str | None = None
    """A kernel of your own (ELF, raw or Linux `Image`), relative to the scenario file; the
    guest kernel that comes with dcsim when left out."""
    memory_bytes: Bytes = Field(alias="memory")
    """Guest-physical memory; a whole number of 4 KiB pages."""
    vcpus: Annotated[int, Field(ge=1, le=MOST_VCPUS)] = 1
    """Virtual processors: harts, as the guest sees them."""
    technique: TechniqueName = "trap-and-emulate"
    """How the CPU is virtualised; `bare-metal` is the reference without a monitor."""
    paging: PagingName | None = None
    """How guest addresses are translated; when left out, what is the technique's own: `none` on
    bare metal, `direct` under `paravirtual`, `nested` under `hardware-assisted`, otherwise
    `shadow-tlb`."""
    large_pages: bool = False
    """Whether its memory lies in runs of 2 MiB of its host's, taken at once, which one entry each
    maps: of the second stage with `nested` paging, of the guest's own tables with `direct`. Only
    with these."""
    translate_user: bool = False
    """Whether user code is translated as the kernel's is, so that no instruction shows a program
    the monitor's state. Only under `binary-translation`."""
    weight: Annotated[int, Field(ge=1, le=65_535)] = 256
    """Share of the CPU under contention, in proportion to the other weights."""
    cap: Annotated[int, Field(ge=0, le=100)] = 0
    """At most this many percent of one physical CPU; 0 for no cap."""
    pin: Annotated[Items[Annotated[int, Field(ge=0, le=63)]], Field(min_length=1)] | None = None
    """The only processors of its host on which it may run, such as `[0, 1]`; any when left out."""
    reservation: VmReservation | None = None
    """Processor time that it is guaranteed; only on hosts with the scheduler `real-time`."""
    memory_shares: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """On a host that overcommits: its share of memory that is scarce, in proportion to the others';
    10 for each MiB of its memory when left out."""
    memory_reservation_bytes: Bytes = Field(default=0, alias="memory_reservation")
    """On a host that overcommits: what is never taken from it."""
    memory_limit_bytes: Bytes | None = Field(default=None, alias="memory_limit")
    """On a host that overcommits: what it never has more of; its memory when left out."""
    host: Name | None = None
    """The host on which it starts; the placement policy decides when left out."""
    start_ns: Duration = Field(default=0, alias="start")
    """When it is powered on."""
    disk: VirtualDisk | None = None
    """Its disk; none when left out."""
    console: Literal["uart", "virtio"] = "uart"
    """`virtio`: a virtio console beside the serial port; the guest kernel that comes with dcsim is
    told to use it, another kernel by its own arguments."""
    watchdog: Watchdog | None = None
    """What gives it up when it hangs; nothing when left out."""
    restart: Restart | None = None
    """Whether it is powered on again when it is over; never when left out."""
    balloon: bool = False
    """Whether it has a balloon (a virtio device), by which its host asks it for memory. The guest
    kernel that comes with dcsim has a driver: `kernel: kernel.balloon=refuse` has it give nothing,
    `kernel.balloon=off` leaves it out."""
    balloon_target_bytes: Bytes | None = Field(default=None, alias="balloon_target")
    """How much of its memory its host wants from the start."""
    free_page_reporting: bool = False
    """Whether the balloon hears of pages that the guest does not use; their frames are freed."""
    requests: Requests | None = None
    """The requests that reach it; without them, or a sink, it has no network device."""
    sink: Sink | None = None
    """Where the packets of its `transmit` program go."""
    link: Literal["shared", "own"] = "shared"
    """`shared`: it is on the network by its host's link, with the other VMs; `own`: by one of its
    own to the outside, as fast as its host's and as long as the way over the switch, or with
    `links` by those that its name is an end of. It stays on its host then."""

    @property
    def boot_arguments(self) -> str:
        """The boot arguments as the guest finds them in its device tree."""
        parts = [] if self.kernel is None else [self.kernel]
        if self.console == "virtio" and self.image is None:
            parts.insert(0, "kernel.console=virtio")
        return " ".join([*parts, f"init={self.program}"])

    @property
    def paging_used(self) -> PagingName:
        """How guest addresses are translated, chosen or the technique's own."""
        return default_paging(self.technique) if self.paging is None else self.paging

    @property
    def program_name(self) -> str:
        """The program without its arguments."""
        return self.program.split()[0] if self.program.split() else ""
