"""The machine world: hosts whose guests execute real RISC-V instructions.

Everything here is deterministic: the same calls give the same results, bit for bit. Times are
integer nanoseconds of simulated time, sizes are bytes. Objects may be shared between threads; long
calls detach from the interpreter and honour Ctrl-C.

Errors are those of `dcsim.errors`: `UsageError` for arguments that make no sense,
`GuestImageError` for an image that cannot be loaded, `MachineError` for a request that the machine
world refused, and `StoreFullError` when the page store reached its limit.
"""

import builtins
from typing import Any, Literal, final

__all__ = [
    "DiskImage",
    "Exit",
    "Machine",
    "PageStore",
    "Program",
    "ScanReport",
    "VmState",
    "assumptions",
    "build_info",
    "classify",
    "isa_names",
]

def assumptions() -> list[tuple[str, int, str, str]]:
    """Return every constant that the machine world assumes: name, value, unit and reason.

    They stand for the instructions of handlers between the accesses that are counted, and for
    what each primitive of a path takes.
    """

def build_info() -> dict[str, str]:
    """Return what this extension was built as: its version and whether it is optimised."""

def classify(isa: str, seed: int, states: int) -> str:
    """Find out by execution which instructions are privileged, sensitive or innocuous.

    Parameters
    ----------
    isa
        One of `isa_names`.
    seed
        The seed of the machine states.
    states
        How many states each instruction is executed in.

    Returns
    -------
    str
        The classification as JSON.

    Raises
    ------
    UsageError
        If there is no such instruction set.
    """

def isa_names() -> list[str]:
    """Return the names of the instruction sets that a hart can have."""

@final
class PageStore:
    """The pages behind the memory of hosts, saved states and clones.

    Hosts between which VMs move have to share one store. Pages are reference-counted and copied
    at the first write.

    Parameters
    ----------
    limit_bytes
        The most that all pages together may take of the simulating machine's memory.
    """

    def __new__(cls, limit_bytes: int) -> PageStore: ...
    @property
    def used_bytes(self) -> int:
        """Bytes in pages that are in use."""
    @property
    def limit_bytes(self) -> int:
        """The limit that the store was made with."""

@final
class DiskImage:
    """The content of a disk: sparse, copied on first write, cheap to clone.

    A VM's disk is the object that it was created with: what the guest writes can be read here, and
    a VM that moves takes it along.

    Parameters
    ----------
    size_bytes
        The size of the disk.
    content
        What it starts with; zeros follow.

    Raises
    ------
    UsageError
        If the content is longer than the disk.
    """

    def __new__(cls, size_bytes: int, content: bytes | None = None) -> DiskImage: ...
    @property
    def size_bytes(self) -> int:
        """The size of the disk."""
    @property
    def allocated_bytes(self) -> int:
        """Bytes in blocks that were written with anything but zeros."""
    def clone(self) -> DiskImage:
        """Return a disk with the same content that goes its own way from here."""
    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` upwards.

        Raises
        ------
        UsageError
            If the range passes the end of the disk.
        """
    def write(self, offset: int, content: bytes) -> None:
        """Write `content` from `offset` upwards.

        Raises
        ------
        UsageError
            If the range passes the end of the disk.
        """
    def digest(self) -> str:
        """Return the SHA-256 of the size and the content, in hexadecimal."""

@final
class Exit:
    """Why `Machine.run` returned. Attributes that a kind does not have are None.

    =============  ===============================================  ==============================
    kind           meaning                                          attributes
    =============  ===============================================  ==============================
    ``until``      the moment was reached that was asked for
    ``io``         the guest's disk has work; it goes on meanwhile  tag, operation, sector, bytes
    ``packet``     the guest sent a packet; it goes on              payload
    ``balloon``    the guest gave pages or took some; it goes on    inflated, deflated, reported
    ``wait``       the guest waits for an interrupt                 wake_ns
    ``shutdown``   the guest powered itself off                     code
    ``fault``      the guest did what no machine survives           message
    ``memory``     too few free frames; the next run tries again;
                   pcpu and vcpu are None if a device needs them
                   and its VM is on no pCPU
    ``swap_in``    a page is needed that is swapped out; vcpu is    page
                   None if a device needs it, and so is pcpu if
                   its VM is on none
    ``scarce``     fewer frames are free than the watermark; the
                   guest goes on
    ``wake``       a vCPU on no pCPU has something to do             vcpu
    ``spin``       the guest spins for a lock until it is kicked     holder
    =============  ===============================================  ==============================
    """

    @property
    def kind(
        self,
    ) -> Literal[
        "until",
        "io",
        "packet",
        "balloon",
        "wait",
        "shutdown",
        "fault",
        "memory",
        "swap_in",
        "scarce",
        "wake",
        "spin",
    ]:
        """What happened."""
    @property
    def pcpu(self) -> int | None:
        """The pCPU that the vCPU was on; None for ``until``, and if no pCPU had to do with it."""
    @property
    def vm(self) -> int | None:
        """The VM that it concerns; None for ``until``."""
    @property
    def vcpu(self) -> int | None:
        """Which of its vCPUs; for ``wake`` the one that is to be woken. None for ``until``."""
    @property
    def time_ns(self) -> int:
        """When it happened. Exits of one host come in the order of their times."""
    @property
    def tag(self) -> int | None:
        """What to give `Machine.complete_io`."""
    @property
    def operation(self) -> Literal["read", "write", "flush", "discard"] | None:
        """What the disk is to do."""
    @property
    def write(self) -> bool | None:
        """Whether data goes to the disk."""
    @property
    def sector(self) -> int | None:
        """The first sector of 512 bytes."""
    @property
    def bytes(self) -> int | None:
        """The number of bytes; 0 for a flush."""
    @property
    def payload(self) -> builtins.bytes | None:
        """The Ethernet frame that the guest sent."""
    @property
    def wake_ns(self) -> int | None:
        """When the guest's timer will wake it; None if only a device can."""
    @property
    def page(self) -> int | None:
        """The guest's page that has to come back."""
    @property
    def holder(self) -> int | None:
        """The vCPU that holds the lock that is waited for; None if the guest does not know."""
    @property
    def inflated(self) -> int | None:
        """Pages that the guest gave to its host."""
    @property
    def deflated(self) -> int | None:
        """Pages that it took back."""
    @property
    def reported(self) -> int | None:
        """Pages that it reported to be free."""
    @property
    def code(self) -> int | None:
        """The guest's exit status."""
    @property
    def message(self) -> str | None:
        """What the guest did."""

@final
class VmState:
    """A VM at rest: registers, devices and memory, whatever technique it ran under."""

    @property
    def memory_bytes(self) -> int:
        """The size of the guest's memory."""
    @property
    def pages(self) -> int:
        """Pages with content other than zeros: those that have to cross a link."""
    @property
    def zero_pages(self) -> int:
        """Pages of zeros, never touched ones included."""
    @property
    def device_bytes(self) -> int:
        """Bytes of registers and device state."""
    @property
    def transfer_bytes(self) -> int:
        """Bytes that a transfer takes: content pages with their numbers, registers, devices."""
    def digest(self) -> str:
        """Return the SHA-256 of everything, in hexadecimal."""
    def differences(self, other: VmState) -> list[str]:
        """Compare every byte with another state and name what differs; empty if nothing does."""
    def to_bytes(self) -> bytes:
        """Return the state as one versioned block of bytes that ends with its digest."""
    @staticmethod
    def from_bytes(store: PageStore, data: bytes) -> VmState:
        """Read a state that `to_bytes` returned.

        Raises
        ------
        MachineError
            If the bytes are not a state, of another version, or damaged.
        """

@final
class Program:
    """What a process-level VM executes, with its streams."""

    def output(self) -> list[tuple[bool, bytes]]:
        """Return what the program wrote since the last call, in order.

        Each piece says first whether it was written to the stream of errors.
        """
    def give_input(self, data: bytes, ends: bool) -> None:
        """Give the program something to read; nothing will follow if it ends."""
    @property
    def wants_input(self) -> bool:
        """The program found its input empty, and more may come."""
    @property
    def start_error(self) -> int | None:
        """Linux's number of the error why the program could not be loaded."""
    @property
    def calls(self) -> dict[str, int]:
        """How often each system call was made."""
    @property
    def unknown_calls(self) -> dict[int, int]:
        """How often each system call was made that there is not, by number."""

@final
class ScanReport:
    """What a scan of pages came to."""

    @property
    def scanned(self) -> int:
        """Pages that were looked at."""
    @property
    def shared(self) -> int:
        """Of these, those that were put into the frame of another; each freed one."""
    @property
    def zero(self) -> int:
        """Of these, pages of zeros."""
    @property
    def hints(self) -> int:
        """Pages that are remembered now until another like them comes."""
    @property
    def broken_hints(self) -> int:
        """Remembered pages that had changed since."""
    @property
    def next_page(self) -> int:
        """Where the next scan goes on; 0 behind the last page."""

@final
class Machine:
    """One host's machine world: pCPUs, frames and the VMs on them.

    Parameters
    ----------
    store
        Where the pages of memory lie.
    hardware
        The machine part of a hardware profile, as JSON.
    pcpus
        The number of pCPUs.
    memory_bytes
        The size of the host's memory.

    Raises
    ------
    UsageError
        If the profile is not valid, or there is no pCPU or no memory.
    """

    def __new__(
        cls, store: PageStore, *, hardware: str, pcpus: int, memory_bytes: int
    ) -> Machine: ...
    @property
    def pcpus(self) -> int:
        """The number of pCPUs."""
    @property
    def frames(self) -> int:
        """The number of frames of 4096 bytes that the host has."""
    @property
    def free_frames(self) -> int:
        """The number of frames that nobody holds."""
    def create_vm(self, config: str, kernel: bytes, disk: DiskImage | None = None) -> int:
        """Create a VM, its vCPU ready at the kernel's entry, and return its number.

        Parameters
        ----------
        config
            JSON with ``name``, ``technique`` (``bare-metal``, ``trap-and-emulate`` or
            ``four-rings``), ``memory_bytes`` and, if not the defaults, ``paging`` (``none`` for
            bare metal; for the others ``shadow-tlb``, the default, or ``shadow-traced``),
            ``vcpus`` (1 to 8; 1 is the default), ``translate_user`` (user code is translated,
            too), ``bootargs``, ``network``, ``console`` (a virtio console beside the serial port;
            typed input goes to it while the guest drives it), ``entropy_seed``.
        kernel
            An ELF file, a Linux ``Image`` or a raw image.
        disk
            The content of the block device; without one there is no block device.

        Raises
        ------
        UsageError
            If the configuration is not valid.
        GuestImageError
            If the kernel cannot be loaded.
        MachineError
            If the host has too little memory, or bare metal is asked for beside other VMs.
        """
    def destroy_vm(self, vm: int) -> None:
        """Remove a VM that is on no pCPU and give all its frames back."""
    def load(self, pcpu: int, vm: int, vcpu: int, at_ns: int) -> None:
        """Put a vCPU on an idle pCPU, whose clock moves to `at_ns` if that is later."""
    def unload(self, pcpu: int) -> None:
        """Take the vCPU off a pCPU; it goes on where it is when it is loaded again."""
    def tell_stolen_time(self, vm: int, vcpu: int, nanoseconds: int) -> None:
        """Tell the guest of a vCPU that this could have run for so long and had no pCPU.

        It finds that in its record of stolen time, if it keeps one, before it next executes.
        """
    def loaded(self, pcpu: int) -> tuple[int, int] | None:
        """Return the vCPU that a pCPU holds: its VM, and which one it is."""
    def run(self, until_ns: int) -> Exit:
        """Advance every pCPU that holds a vCPU, up to `until_ns` or to the first exit.

        Where a run is cut changes no result. An effect on another pCPU than the one of an exit
        must not come earlier than the exit's time and the profile's IPI latency.

        Raises
        ------
        StoreFullError
            If the page store reached its limit.
        MachineError
            If the cycles of a vCPU do not add up: a bug in dcsim.
        """
    def host_path(self, pcpu: int, name: str, steps: list[tuple[str, int]]) -> int:
        """Execute a path of host software on a pCPU and return the cycles that it took.

        The cycles are booked as ``host:<name>`` for the vCPU that the pCPU holds.

        Parameters
        ----------
        pcpu
            Where it executes.
        name
            The name of the path in the ledger.
        steps
            Primitives and how often each: ``trap``, ``return``, ``save_registers``,
            ``restore_registers``, ``save_float``, ``restore_float``, ``csr_read``, ``csr_write``,
            ``load``, ``store``, ``lookup``, ``alu``, ``tlb_flush``.
        """
    def let_pass(self, pcpu: int, at_ns: int) -> int:
        """Let time pass on a pCPU that holds no vCPU; return the cycles.

        Raises
        ------
        ValueError
            If it holds one.
        """
    def set_exit_path(self, reason: str, steps: list[tuple[str, int]]) -> None:
        """Have host software follow the handler of each exit for a reason, from now on.

        The cycles are booked as ``host:exit_<reason>`` for the vCPU that exited. VMs on bare metal
        have no such exits.

        Parameters
        ----------
        reason
            A reason as in ``counters``: ``mmio_virtio``, ``firmware_call``, ...
        steps
            Primitives as for ``host_path``; none: nothing follows any more.

        Raises
        ------
        ValueError
            If there is no such reason or primitive.
        """
    @staticmethod
    def exit_reasons() -> list[str]:
        """Return the names of all reasons to exit, in the order of their numbers."""
    def primitive_cycles(self) -> dict[str, int]:
        """Return what each primitive of a host path costs on this hardware, by name."""
    def local_time_ns(self, pcpu: int) -> int:
        """Return the time of a pCPU's clock."""
    def complete_io(self, vm: int, tag: int, at_ns: int, status: int = 0) -> None:
        """Complete a disk request: data moves and the guest is interrupted.

        Parameters
        ----------
        vm
            The VM.
        tag
            The request's tag.
        at_ns
            When the request is done.
        status
            0 for success; anything else is an I/O error for the guest.
        """
    def deliver_packet(self, vm: int, payload: bytes, at_ns: int) -> bool:
        """Hand an Ethernet frame to a guest; False if it has no buffer, and the frame is lost."""
    def in_flight(self, vm: int) -> int:
        """Return the number of disk requests that are not completed."""
    def settled(self, vm: int, vcpu: int) -> bool:
        """Tell whether every exit of a vCPU has been returned.

        One that comes at or after the end of a run is returned by the next run in which the vCPU
        is on a pCPU, before it executes anything.
        """
    def console_output(self, vm: int) -> bytes:
        """Return what the guest wrote to its console since the last call."""
    def console_input(self, vm: int, data: bytes) -> None:
        """Type on the guest's console."""
    def program(self, vm: int) -> Program:
        """Return the program of a process-level VM.

        Raises
        ------
        MachineError
            If the VM is of another kind.
        """
    def next_timer_ns(self, vm: int, vcpu: int) -> int | None:
        """Return when a vCPU's timer next raises an enabled interrupt; None if it is not set."""
    def runnable(self, vm: int, vcpu: int, at_ns: int | None = None) -> bool:
        """Tell whether a waiting vCPU has something to do.

        Parameters
        ----------
        vm
            The VM.
        vcpu
            Which of its vCPUs.
        at_ns
            The present, for the guest's timer; without it only devices count.
        """
    def counters(self, vm: int) -> dict[str, Any]:
        """Return what was counted for a VM since it was created on this host.

        ``instructions`` (retired by the guest) with the parts ``instructions_direct``,
        ``instructions_translated`` and ``instructions_emulated``; ``instructions_hart``, which
        processors executed for it, those of translated code included; ``cycles_by_cause`` (name
        to cycles) and ``total_cycles``, which is their sum; ``exits`` (reason to count);
        ``pages_touched``, the frames of its own pages, and ``pages_shared``, its pages in frames
        that it shares; ``shadow_frames``, ``monitor_frames``; ``walk_references``,
        ``itlb_misses``, ``dtlb_misses``; ``lateness_ns``, the longest that anything came into the
        vCPU's past.
        """
    def vcpu_counters(self, vm: int, vcpu: int) -> dict[str, Any]:
        """Return what was counted for one vCPU: what `counters` adds up, but for frames."""
    def set_balloon_target(self, vm: int, pages: int) -> None:
        """Set how many pages a VM's balloon shall hold, at most all it has; the guest is told.

        Raises
        ------
        MachineError
            If the VM has no balloon.
        """
    def ask_balloon_statistics(self, vm: int) -> bool:
        """Ask a VM for fresh statistics. False if it cannot be asked now.

        It cannot without a driver, and until it has answered the question before.

        Raises
        ------
        MachineError
            If the VM has no balloon.
        """
    def balloon(self, vm: int) -> dict[str, Any] | None:
        """Return what is known of a VM's balloon; None without one.

        The keys are ``target`` and ``actual``, the pages that it shall hold and those that the
        guest says it holds; ``inflated``, ``deflated``, ``reported`` and ``refused``, pages since
        the VM began; ``freed``, frames that became free by that on this machine;
        ``statistics_updates``; and ``stats``, what the guest last told: of
        ``swap_in_bytes``, ``swap_out_bytes``, ``major_faults``, ``minor_faults``, ``free_bytes``,
        ``total_bytes`` and other names those that it tells.
        """
    def resume_devices(self) -> None:
        """Let devices go on that found too few free frames, or a page that was swapped out.

        A run does so, too; this is for VMs that are on no pCPU.
        """
    def devices_wait(self, vm: int) -> bool:
        """Tell whether devices of a VM wait for frames, or for pages that are swapped out."""
    def take_dirty_pages(self, vm: int) -> int:
        """Return the number of guest pages written since the last call and begin a new log."""
    def scan_pages(
        self,
        pcpu: int,
        vm: int,
        first_page: int,
        count: int,
        mode: str = "esx",
        max_page_sharing: int = ...,
    ) -> ScanReport:
        """Look at pages of a VM and put those of the same content into one frame.

        The work is metered on the processor, on account of the vCPU that it holds, as the path
        ``page_sharing``.

        Parameters
        ----------
        pcpu
            The processor that looks.
        vm
            Whose pages.
        first_page
            The first of them, counted from the start of the guest's memory.
        count
            How many; absent and shared ones count, but are not looked at.
        mode
            ``esx``: every page that was looked at is remembered by its hash, until one like it
            comes. ``ksm``: only pages whose checksum did not change from one pass to the next
            are, up to `end_scan_pass`.
        max_page_sharing
            The most pages that one frame may have.

        Raises
        ------
        MachineError
            If pages of the VM cannot be shared: it is on a bare machine, has tables that hold
            machine addresses (``direct``), or large pages.
        """
    def page_state(self, vm: int, page: int) -> str:
        """Tell where a page is: ``absent``, ``resident``, ``shared``, ``swapped``, ``compressed``.

        An absent page was never touched, or was given back; it reads as zeros.
        """
    def resident_pages(self, vm: int) -> int:
        """Return how many pages of a VM have a frame, shared ones among them."""
    def resident_page(self, vm: int, n: int) -> int:
        """Return the number of the `n`-th of these, counted from 0."""
    def swap_out(
        self,
        pcpu: int,
        vm: int,
        page: int,
        share_first: bool = True,
        tier: str = "disk",
        mode: str = "esx",
    ) -> str:
        """Take a page out of its frame, which is free at once; its content is kept.

        What the way to a disk takes is the caller's to model; everything else is metered on the
        processor as the path ``swap_out``.

        Parameters
        ----------
        pcpu
            The processor that does it.
        vm
            Whose page.
        page
            Its number.
        share_first
            Put it into the frame of another page of the same content, if there is one.
        tier
            ``disk``, outside the host's frames, or ``compressed``, in frames that hold many.
        mode
            How pages of the same content are found, as for `scan_pages`.

        Returns
        -------
        str
            ``shared``: it shares a frame now. ``swapped``: it is out. ``refused``: it has no frame
            of its own, or does not become small enough.
        """
    def swap_in(self, vm: int, page: int, pcpu: int | None = None) -> bool:
        """Bring a page back that is swapped out; False if there is no frame for it.

        It may take frames that are kept in reserve.
        """
    def swapped_pages(self, vm: int) -> int:
        """Return how many pages of a VM are swapped out, compressed ones among them."""
    def compression(self) -> dict[str, int]:
        """Return the compressed ``pages``, the ``frames`` with them, and ``bytes`` in these."""
    def give_back(self, vm: int, page: int) -> bool:
        """Let a page hold nothing: it is absent then. Return whether it was not before."""
    def set_frame_reserve(self, frames: int) -> None:
        """Keep free frames for pages that come back and for VMs that arrive.

        An exit ``memory`` tells when there are no others.
        """
    def set_frame_watermark(self, frames: int) -> None:
        """Have the next vCPU that leaves fewer free frames exit once with ``scarce``; 0: none."""
    def sample_pages(self, vm: int, pages: list[int], pcpu: int | None = None) -> None:
        """Take the translations of pages away, so that the next access to each is noticed.

        Pages that were sampled before no longer are. The work is metered as ``page_sampling``.
        """
    def touched_samples(self, vm: int) -> int:
        """Return how many of the sampled pages the guest has accessed since."""
    def clear_accessed(self, vm: int) -> None:
        """Clear the accessed bits of all translations of a VM's pages: an instrument."""
    def accessed_pages(self, vm: int) -> int:
        """Return how many resident pages of a VM the MMU has marked as accessed since."""
    def end_scan_pass(self) -> None:
        """Forget what is remembered of pages that are not shared, but for their checksums."""
    def sharing(self) -> dict[str, int]:
        """Return what is shared.

        ``frames`` that pages share; the ``pages`` in them, of which ``zero_pages``; ``hints``,
        pages that are remembered; ``reclaimed``, the frames that would be needed otherwise.
        """
    def count_identical_frames(self) -> tuple[int, int]:
        """Count pages whose content another page has, too, and the different contents of these.

        Counted from the bytes of all pages that have a frame, whatever is shared. For tests.
        """
    def save_vm(self, vm: int) -> VmState:
        """Return the state of a VM that is on no pCPU and has no disk request in flight.

        Raises
        ------
        MachineError
            If it is on a pCPU or has requests in flight.
        """
    def restore_vm(self, config: str, state: VmState, disk: DiskImage | None = None) -> int:
        """Create a VM from a saved state and return its number.

        Parameters
        ----------
        config
            As for `create_vm`; the technique may differ from the one that the VM was saved under.
        state
            The state; its pages have to lie in this machine's store.
        disk
            The disk that it goes on with.
        """
    def count_frames(self) -> dict[str, int]:
        """Count the host's frames by their use, asking everybody but who gives them out.

        Returns
        -------
        dict
            ``pages`` (of one guest each), ``shared`` (by pages of the same content), ``tables``
            (and code that the monitor made), ``compressed`` (pages kept so), ``free``.

        Raises
        ------
        InvariantError
            If one is lost, or used twice.
        """
    def lose_frame(self, vm: int) -> None:
        """Take a frame for a VM that nobody knows of then; for tests, which see it missed."""
    def withhold_steal_time(self, vm: int) -> None:
        """Let a VM find no record of stolen time, as on bare metal; for tests of the seam."""
    def fail_frame_allocations(self, every: int) -> None:
        """Make every `every`-th frame reservation fail once; 0 ends that. For tests of the seam."""
