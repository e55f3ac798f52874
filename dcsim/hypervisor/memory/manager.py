"""The memory of a host that promises its VMs more than it has.

At regular times the host looks at how much is free, and keeps a record. In between its scanner
looks for pages that have the same content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor.memory.places import Places
from dcsim.hypervisor.memory.record import PAGE_BYTES, HostSample
from dcsim.hypervisor.memory.scanner import Scanner
from dcsim.hypervisor.memory.settings import MARGIN
from dcsim.hypervisor.memory.states import free_memory_states

if TYPE_CHECKING:
    from dcsim.hypervisor.hypervisor import Hypervisor
    from dcsim.hypervisor.memory.settings import MemorySettings
    from dcsim.sim import Streams

__all__ = ["MemoryManager"]


class MemoryManager:
    """Decides about the memory of one host.

    Parameters
    ----------
    hypervisor
        Whose VMs.
    settings
        How it overcommits.
    streams
        Which pages are scanned.

    Attributes
    ----------
    samples
        The host's memory over time.
    scanner
        What shares; None when nothing does.
    """

    def __init__(self, hypervisor: Hypervisor, settings: MemorySettings, streams: Streams) -> None:
        host = hypervisor.host
        self._host = host
        self._machine = host.machine
        self._settings = settings
        self._states = free_memory_states(settings.states, host.machine.frames, PAGE_BYTES, MARGIN)
        self._vms = hypervisor.vms
        self.samples: list[HostSample] = []
        self.scanner: Scanner | None = None
        if settings.sharing is not None:
            places = Places(host.conductor)
            self.scanner = Scanner(host, places, settings.sharing, self._vms, streams)
        self._look()

    def counted(self) -> dict[str, int]:
        """Return what was counted, by name."""
        if self.scanner is None:
            return {}
        counts = self.scanner.counts
        return {
            "pages_scanned": counts["scanned"],
            "pages_merged": counts["shared"],
            "scanner_ns": counts["ns"],
        }

    def _look(self) -> None:
        self._states.observe(self._machine.free_frames)
        self.note()
        self._host.environment.after(self._settings.interval_ns, self._look, reach=self._host.scope)

    def note(self) -> None:
        """Keep a record of the host's memory as it is now."""
        now_ns = self._host.environment.now
        if self.samples and self.samples[-1].time_ns == now_ns:
            self.samples.pop()
        sharing = self._machine.sharing()
        counters = [self._machine.counters(number) for number in self._vms]
        self.samples.append(
            HostSample(
                time_ns=now_ns,
                state=self._states.state.name,
                free=self._machine.free_frames,
                resident=sum(each["pages_touched"] + each["pages_shared"] for each in counters),
                shared=sharing["pages"],
                reclaimed=sharing["reclaimed"],
                zero=sharing["zero_pages"],
            )
        )
