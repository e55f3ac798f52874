"""What a host knows about the memory of one of its VMs."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from dcsim.hypervisor.memory.decision import VmPicture
from dcsim.hypervisor.memory.record import PAGE_BYTES, VmSample
from dcsim.hypervisor.memory.settings import BALLOON_PATIENCE
from dcsim.hypervisor.memory.working_set import WorkingSet, choose_distinct

if TYPE_CHECKING:
    from dcsim.hypervisor.hypervisor import Hypervisor
    from dcsim.hypervisor.memory.places import Places
    from dcsim.hypervisor.memory.settings import MemorySettings
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Stream

__all__ = ["VmMemory"]


class VmMemory:
    """The memory of a VM on its host.

    Parameters
    ----------
    vm
        Whose it is.
    hypervisor
        Where it is.
    settings
        Those of the host.
    stream
        Which pages are sampled.

    Attributes
    ----------
    working_set
        The estimate of what it uses.
    target
        Pages that it would have if all memory were shared out anew.
    to_swap
        Pages that are still to be swapped out.
    sampled_share, accessed_share
        The part of its sampled pages, and of all its pages, that were accessed in the last period.
    held
        Whether it stands still because it has more than it should.
    """

    def __init__(
        self, vm: VirtualMachine, hypervisor: Hypervisor, settings: MemorySettings, stream: Stream
    ) -> None:
        self.vm = vm
        self.working_set = WorkingSet()
        self.target = vm.config.memory_bytes // PAGE_BYTES
        self.to_swap = 0
        self.held = False
        self.sampled_share: Fraction | None = None
        self.accessed_share: Fraction | None = None
        self._hypervisor = hypervisor
        self._machine = hypervisor.host.machine
        self._settings = settings
        self._stream = stream
        self._sampled = 0
        self._sample_ends_ns = 0
        self._inflated = 0
        self._looks_without = 0

    @property
    def size(self) -> int:
        """Guest-physical pages."""
        return self.vm.config.memory_bytes // PAGE_BYTES

    @property
    def resident(self) -> int:
        """Pages that have content in frames."""
        if not self.vm.config.is_reclaimable:
            return self.size
        return self._machine.resident_pages(self.vm.number)

    @property
    def swapped(self) -> int:
        """Pages on the swap disk, or compressed."""
        if not self.vm.config.is_reclaimable:
            return 0
        return self._machine.swapped_pages(self.vm.number)

    @property
    def ballooned(self) -> int:
        """Pages in its balloon, by its guest's word."""
        return self._balloon("actual")

    def picture(self) -> VmPicture:
        """Return what a decision has to know."""
        claim, size = self.vm.config.memory_claim, self.size
        limit = size if claim.limit_bytes is None else claim.limit_bytes // PAGE_BYTES
        return VmPicture(
            shares=claim.shares_of(self.vm.config.memory_bytes),
            size=size,
            reservation=self.vm.config.reserved_bytes // PAGE_BYTES,
            limit=min(size, limit),
            resident=self.resident,
            swapped=self.swapped,
            ballooned=self.ballooned,
            balloon_target=self._balloon("target"),
            balloons=self._balloons,
            active=self.working_set.active,
        )

    def sample(self, now_ns: int) -> VmSample:
        """Return what there is to record."""
        return VmSample(
            time_ns=now_ns,
            resident=self.resident,
            target=self.target,
            active=self.working_set.active,
            sampled=self.sampled_share,
            accessed=self.accessed_share,
            swapped=self.swapped,
            ballooned=self.ballooned,
        )

    def keep(self, sample: VmSample) -> None:
        """Put a sample into the VM's record, in place of one of the same time."""
        samples = self.vm.memory_samples
        if samples and samples[-1].time_ns == sample.time_ns:
            samples.pop()
        samples.append(sample)

    # The balloon.

    def _balloon(self, figure: str) -> int:
        """Return a figure of its balloon as it is now; 0 without one."""
        balloon = self.vm.balloon
        if balloon is None:
            return 0
        balloon.look(self._hypervisor)
        return balloon.known(figure)

    @property
    def _balloons(self) -> bool:
        """Whether it has a balloon that does as it is told."""
        return self.vm.balloon is not None and self._looks_without < BALLOON_PATIENCE

    def look_at_balloon(self) -> None:
        """Note whether a balloon that should grow does."""
        ballooned = self.ballooned
        waits = ballooned < self._balloon("target") and ballooned <= self._inflated
        self._looks_without = self._looks_without + 1 if waits else 0
        self._inflated = ballooned

    def set_balloon(self, pages: int) -> None:
        """Ask the guest for a balloon of a size, if that is another than before."""
        if self.vm.balloon is not None and pages != self._balloon("target"):
            self._hypervisor.set_balloon_target(self.vm, pages)

    # The sample.

    def look_at_sample(self, guest_ns: int, places: Places) -> None:
        """Count the sampled pages that were accessed; begin a new period when one is over."""
        if not self.vm.config.is_reclaimable:
            return
        touched = self._machine.touched_samples(self.vm.number) if self._sampled else 0
        if guest_ns < self._sample_ends_ns:
            self.working_set.note(touched, self._sampled)
            return
        if self._sampled:
            self._compare(touched)
        self.working_set.end_period(touched, self._sampled)
        self._begin_sample(places)
        self._sample_ends_ns = guest_ns + self._settings.sample_period_ns

    def _compare(self, touched: int) -> None:
        """Keep what a period's sample said beside what the MMU knows of all pages."""
        accessed = self._machine.accessed_pages(self.vm.number)
        self.sampled_share = Fraction(touched, self._sampled)
        self.accessed_share = Fraction(accessed, max(1, self.resident))

    def _begin_sample(self, places: Places) -> None:
        number = self.vm.number
        self._machine.clear_accessed(number)
        chosen = choose_distinct(self._stream, self._settings.sample_pages, self.resident)
        pages = [self._machine.resident_page(number, place) for place in chosen]

        def begin(pcpu: int) -> None:
            self._machine.sample_pages(number, pages, pcpu)

        self._hypervisor.host.conductor.work(places.choose(), begin)
        self._sampled = len(pages)
