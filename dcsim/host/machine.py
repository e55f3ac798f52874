"""What the model world uses of the machine world: the seam, as types.

The machine world is the Rust extension ``dcsim._core``. These protocols name the part of it that a
host and its hypervisor call, so that the scheduling logic can be tested against a double that
executes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import builtins

__all__ = ["DiskContent", "Exit", "Machine", "PathStep", "Program", "SavedVm", "ScanReport"]

PathStep = tuple[str, int]
"""A metered primitive of a host-software path and how often it is done."""


class Exit(Protocol):
    """Why a run came back, and when; what a kind does not have is None."""

    @property
    def kind(self) -> str:
        """What happened: one of the kinds that `dcsim._core.Exit` lists."""

    @property
    def pcpu(self) -> int | None:
        """On which processor."""

    @property
    def vm(self) -> int | None:
        """Whose vCPU."""

    @property
    def vcpu(self) -> int | None:
        """Which of its vCPUs; of a ``wake``, the one that is to be woken."""

    @property
    def time_ns(self) -> int:
        """When; the local time of the processor."""

    @property
    def tag(self) -> int | None:
        """Of an ``io``: what to complete it with."""

    @property
    def operation(self) -> Literal["read", "write", "flush", "discard"] | None:
        """Of an ``io``: what the disk is to do."""

    @property
    def sector(self) -> int | None:
        """Of an ``io``: its first sector."""

    @property
    def bytes(self) -> int | None:
        """Of an ``io``: how much; 0 for a flush."""

    @property
    def write(self) -> bool | None:
        """Of an ``io``: to the disk or from it."""

    @property
    def payload(self) -> builtins.bytes | None:
        """Of a ``packet``: the frame."""

    @property
    def wake_ns(self) -> int | None:
        """Of a ``wait``: when the guest's own timer is due."""

    @property
    def holder(self) -> int | None:
        """Of a ``spin``: the vCPU that holds the lock, if the guest knows."""

    @property
    def page(self) -> int | None:
        """Of a ``swap_in``: the page that has to come back."""

    @property
    def inflated(self) -> int | None:
        """Of a ``balloon``: pages that the guest gave."""

    @property
    def deflated(self) -> int | None:
        """Of a ``balloon``: pages that it took back."""

    @property
    def reported(self) -> int | None:
        """Of a ``balloon``: pages that it said it does not use."""

    @property
    def code(self) -> int | None:
        """Of a ``shutdown``: the exit status."""

    @property
    def message(self) -> str | None:
        """Of a ``fault``: what the guest did."""


class DiskContent(Protocol):
    """What is on a virtual disk, wherever the VM that uses it is."""

    @property
    def size_bytes(self) -> int:
        """Its capacity."""

    @property
    def allocated_bytes(self) -> int:
        """Bytes of the 4 KiB blocks that hold anything."""

    def clone(self) -> DiskContent:
        """Return the same content, which goes its own way from here."""

    def read(self, offset: int, length: int) -> builtins.bytes:
        """Return bytes from an offset upwards."""

    def write(self, offset: int, content: builtins.bytes) -> None:
        """Write bytes from an offset upwards; not while a VM uses the disk."""

    def digest(self) -> str:
        """Return the SHA-256 of the content; it does not tell how the content came about."""


class SavedVm(Protocol):
    """A stopped VM outside any machine: what a migration carries."""

    @property
    def pages(self) -> int:
        """Pages with content."""

    @property
    def zero_pages(self) -> int:
        """Pages that are all zero."""

    @property
    def device_bytes(self) -> int:
        """Registers and device state."""

    @property
    def transfer_bytes(self) -> int:
        """What crosses a link: pages with content and their numbers, registers, devices."""

    def digest(self) -> str:
        """Return the SHA-256 of everything."""

    def differences(self, other: Any, /) -> list[str]:  # noqa: ANN401
        """Compare every byte with another state; name what differs."""


class ScanReport(Protocol):
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


class Program(Protocol):
    """What a process-level VM executes, with its streams."""

    def output(self) -> list[tuple[bool, bytes]]:
        """Return what it wrote since the last call, and whether to the stream of errors."""

    def give_input(self, data: bytes, ends: bool) -> None:  # noqa: FBT001 - the machine world's own
        """Give it something to read; nothing will follow if it ends."""

    @property
    def wants_input(self) -> bool:
        """It found its input empty, and more may come."""

    @property
    def start_error(self) -> int | None:
        """Linux's number of the error why it could not be loaded."""

    @property
    def calls(self) -> dict[str, int]:
        """How often each system call was made."""

    @property
    def unknown_calls(self) -> dict[int, int]:
        """How often each system call was made that there is not, by number."""


class Machine(Protocol):
    """One host's machine: frames, processors and VMs."""

    @property
    def frames(self) -> int:
        """Frames of 4 KiB."""

    @property
    def free_frames(self) -> int:
        """Of these, those that nobody holds."""

    def count_frames(self) -> dict[str, int]:
        """Count the frames by their use, asking everybody but who gives them out.

        Raises
        ------
        InvariantError
            When one is lost, or used twice.
        """

    def create_vm(self, config: str, kernel: bytes, disk: Any = None) -> int:  # noqa: ANN401
        """Make a VM that is about to execute its first instruction; return its number."""

    def destroy_vm(self, vm: int) -> None:
        """Give back all that a VM holds."""

    def load(self, pcpu: int, vm: int, vcpu: int, at_ns: int) -> None:
        """Put a vCPU on an idle processor, not before a time."""

    def unload(self, pcpu: int) -> None:
        """Take the vCPU off a processor."""

    def tell_stolen_time(self, vm: int, vcpu: int, nanoseconds: int) -> None:
        """Tell the guest of a vCPU for how long it could have run and had no processor."""

    def run(self, until_ns: int) -> Exit:
        """Advance every loaded processor to a time, or to the first exit."""

    def host_path(self, pcpu: int, name: str, steps: list[PathStep]) -> int:
        """Execute host software on a processor, on account of its vCPU; return the cycles."""

    def let_pass(self, pcpu: int, at_ns: int) -> int:
        """Let time pass on a processor that holds no vCPU; return the cycles."""

    def set_exit_path(self, reason: str, steps: list[PathStep]) -> None:
        """Have host software follow the handler of each exit for a reason, from now on."""

    def exit_reasons(self) -> list[str]:
        """Return the names of all reasons to exit."""

    def primitive_cycles(self) -> dict[str, int]:
        """Return what each primitive costs on this hardware."""

    def local_time_ns(self, pcpu: int) -> int:
        """Return how far a processor has come."""

    def complete_io(self, vm: int, tag: int, at_ns: int, status: int = 0) -> None:
        """Finish a disk request: move its data and raise the interrupt."""

    def deliver_packet(self, vm: int, payload: bytes, at_ns: int) -> bool:
        """Hand a frame to the network device; False when it has no buffer for it."""

    def console_output(self, vm: int) -> bytes:
        """Return what the guest wrote to its console since the last call."""

    def console_input(self, vm: int, data: bytes) -> None:
        """Type on the guest's console."""

    def program(self, vm: int) -> Program:
        """Return the program of a process-level VM."""

    def next_timer_ns(self, vm: int, vcpu: int) -> int | None:
        """Return when the guest's own timer on a vCPU is due."""

    def settled(self, vm: int, vcpu: int) -> bool:
        """Tell whether every exit of a vCPU has been returned."""

    def runnable(self, vm: int, vcpu: int, at_ns: int | None = None) -> bool:
        """Tell whether a waiting vCPU has an interrupt to take at a time."""

    def counters(self, vm: int) -> dict[str, Any]:
        """Return what was counted for a VM since it came here, all its vCPUs together."""

    def vcpu_counters(self, vm: int, vcpu: int) -> dict[str, Any]:
        """Return what was counted for one of its vCPUs."""

    def set_balloon_target(self, vm: int, pages: int) -> None:
        """Set how many pages a VM's balloon shall hold."""

    def ask_balloon_statistics(self, vm: int) -> bool:
        """Ask a VM for fresh statistics; False if it cannot be asked now."""

    def balloon(self, vm: int) -> dict[str, Any] | None:
        """Return what is known of a VM's balloon; None without one."""

    def resume_devices(self) -> None:
        """Let devices go on that lacked frames, or a page that was swapped out."""

    def devices_wait(self, vm: int) -> bool:
        """Tell whether devices of a VM wait for frames, or for pages that are swapped out."""

    def take_dirty_pages(self, vm: int) -> int:
        """Return how many guest pages were written since the last call."""

    def scan_pages(
        self,
        pcpu: int,
        vm: int,
        first_page: int,
        count: int,
        mode: str = "esx",
        max_page_sharing: int = ...,
    ) -> ScanReport:
        """Look at pages of a VM, on a processor; put those of the same content into one frame."""

    def page_state(self, vm: int, page: int) -> str:
        """Tell where a page is: absent, resident, shared, swapped or compressed."""

    def resident_pages(self, vm: int) -> int:
        """Return how many pages of a VM have a frame."""

    def resident_page(self, vm: int, n: int) -> int:
        """Return the number of the n-th of these, counted from 0."""

    def swap_out(
        self,
        pcpu: int,
        vm: int,
        page: int,
        share_first: bool = True,  # noqa: FBT001, FBT002
        tier: str = "disk",
        mode: str = "esx",
    ) -> str:
        """Take a page out of its frame; return ``shared``, ``swapped`` or ``refused``."""

    def swap_in(self, vm: int, page: int, pcpu: int | None = None) -> bool:
        """Bring a page back; False if there is no frame for it."""

    def swapped_pages(self, vm: int) -> int:
        """Return how many pages of a VM are swapped out."""

    def compression(self) -> dict[str, int]:
        """Return the compressed pages, and the frames and bytes that they take."""

    def give_back(self, vm: int, page: int) -> bool:
        """Let a page hold nothing; return whether it held anything."""

    def set_frame_reserve(self, frames: int) -> None:
        """Keep free frames for pages that come back and VMs that arrive."""

    def set_frame_watermark(self, frames: int) -> None:
        """Have the next vCPU that leaves fewer free frames exit once with ``scarce``; 0: none."""

    def sample_pages(self, vm: int, pages: list[int], pcpu: int | None = None) -> None:
        """Notice the next access to each of these pages, and no longer to others."""

    def touched_samples(self, vm: int) -> int:
        """Return how many of them the guest has accessed since."""

    def clear_accessed(self, vm: int) -> None:
        """Clear the accessed bits of all translations of a VM's pages."""

    def accessed_pages(self, vm: int) -> int:
        """Return how many resident pages of a VM were accessed since."""

    def end_scan_pass(self) -> None:
        """Forget what is remembered of pages that are not shared, but for their checksums."""

    def sharing(self) -> dict[str, int]:
        """Return frames that are shared, the pages in them, and the frames reclaimed by that."""

    def count_identical_frames(self) -> tuple[int, int]:
        """Count pages whose content another page has, too, and these contents, from the bytes."""

    def save_vm(self, vm: int) -> Any:  # noqa: ANN401
        """Copy a stopped VM out of the machine."""

    def restore_vm(self, config: str, state: Any, disk: Any = None) -> int:  # noqa: ANN401
        """Make a VM from a saved one; return its number."""
