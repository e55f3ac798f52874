"""The page-sharing scanner: looks for pages with the same content, a few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor.memory.record import PAGE_BYTES
from dcsim.hypervisor.memory.scanning import Pace, RandomOrder
from dcsim.sim import Counter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcsim.host import Host
    from dcsim.hypervisor.memory.places import Places
    from dcsim.hypervisor.memory.settings import SharingSettings
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Streams

__all__ = ["Scanner"]


class Scanner:
    """Scans the VMs of a host.

    Parameters
    ----------
    host
        Whose VMs.
    places
        Where the work runs.
    settings
        How fast and in which way.
    vms
        The VMs by number, as the host knows them.
    streams
        The order of a random scan.

    Attributes
    ----------
    counts
        ``scanned``, ``shared``, ``zero``: pages looked at, and merged; ``ns``: how long it took.
    """

    def __init__(
        self,
        host: Host,
        places: Places,
        settings: SharingSettings,
        vms: Mapping[int, VirtualMachine],
        streams: Streams,
    ) -> None:
        self._host = host
        self._machine = host.machine
        self._places = places
        self._settings = settings
        self._vms = vms
        self._streams = streams
        self._pace = Pace(settings.pages_per_vm, settings.pages_per_host)
        self._orders: dict[int, RandomOrder] = {}
        self._mode = "ksm" if settings.scanner == "ksm" else "esx"
        self._last_ns = host.environment.now
        self._at = (0, 0)
        self.counts = Counter()
        self._wake_later()

    def _wake_later(self) -> None:
        self._host.environment.after(self._settings.interval_ns, self._wake, reach=self._host.scope)

    def _wake(self) -> None:
        if self._vms:
            processor = self._places.choose()
            begin_ns = self._host.conductor.local_ns(processor)
            self._host.conductor.work(processor, self._scan)
            self.counts.add("ns", self._host.conductor.local_ns(processor) - begin_ns)
        self._last_ns = self._host.environment.now
        self._wake_later()

    def _scan(self, pcpu: int) -> None:
        if self._settings.scanner == "ksm":
            self._scan_batch(pcpu)
        else:
            self._scan_due(pcpu)

    @property
    def _scanned(self) -> list[int]:
        """The VMs whose pages can be taken away from them."""
        return [number for number, vm in self._vms.items() if vm.config.is_reclaimable]

    def _look(self, pcpu: int, vm: int, page: int, count: int) -> tuple[int, int]:
        """Scan pages of a VM from one on; return how many were there, and the page to go on at."""
        report = self._machine.scan_pages(pcpu, vm, page, count, mode=self._mode)
        for name in ("scanned", "shared", "zero"):
            self.counts.add(name, getattr(report, name))
        return report.scanned, report.next_page

    # KSM.

    def _scan_batch(self, pcpu: int) -> None:
        """Scan a batch from where the last one ended; at the end of all VMs a pass is over."""
        left = self._settings.pages
        passes = 0
        while left > 0 and passes < 2:
            vm, page = self._at
            number = next((each for each in sorted(self._scanned) if each >= vm), None)
            if number is None:
                self._machine.end_scan_pass()
                self.counts.add("passes")
                self._at = (0, 0)
                passes += 1
                continue
            scanned, following = self._look(pcpu, number, page if number == vm else 0, left)
            left -= scanned
            self._at = (number, following) if following else (number + 1, 0)

    # Random.

    def _scan_due(self, pcpu: int) -> None:
        elapsed_ns = self._host.environment.now - self._last_ns
        for vm, due in self._pace.due(self._scanned, elapsed_ns).items():
            order = self._order(vm)
            found = tries = 0
            while found < due and tries < self._pages(vm):
                found += self._look(pcpu, vm, order.next(), 1)[0]
                tries += 1

    def _pages(self, vm: int) -> int:
        return self._vms[vm].config.memory_bytes // PAGE_BYTES

    def _order(self, vm: int) -> RandomOrder:
        if vm not in self._orders:
            stream = self._streams.stream(f"vm.{self._vms[vm].name}.scan")
            self._orders[vm] = RandomOrder(stream, self._pages(vm))
        return self._orders[vm]
