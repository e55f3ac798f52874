"""The memory of a host that promises its VMs more than it has.

At regular times, and whenever its free-memory state gets lower, the host looks at how much is free
and at what its VMs use, decides
(:mod:`dcsim.hypervisor.memory.decision`) and acts: it asks balloons for pages or gives some back,
has the swapper take pages, holds VMs that have too much. In between it serves VMs that need a frame
when there is none, or a page that was swapped out: their vCPUs stall until they have it.

What an exit brings about for others than its own VM comes as much later as an interrupt from one
processor to another takes: by so much the others may have gone on when the exit is handled.

Invariants: nothing is taken from a VM's reservation; a vCPU that stalls goes on, its VM ends, or
the run ends with who waits for what.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dcsim.hypervisor.memory.decision import decide
from dcsim.hypervisor.memory.places import Places
from dcsim.hypervisor.memory.record import PAGE_BYTES, HostSample
from dcsim.hypervisor.memory.scanner import Scanner
from dcsim.hypervisor.memory.settings import MARGIN, RESERVE_SHARE
from dcsim.hypervisor.memory.shortage import Shortage
from dcsim.hypervisor.memory.states import free_memory_states
from dcsim.hypervisor.memory.swap import Swapper
from dcsim.hypervisor.memory.vm_memory import VmMemory
from dcsim.sim import Counter

if TYPE_CHECKING:
    from dcsim.hypervisor.hypervisor import Hypervisor
    from dcsim.hypervisor.memory.settings import MemorySettings
    from dcsim.hypervisor.vcpu import VirtualCpu
    from dcsim.hypervisor.virtual_machine import VirtualMachine
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
        Which pages are sampled, scanned and swapped.

    Attributes
    ----------
    samples
        The host's memory over time.
    swapper, scanner
        What swaps, and what shares; None when nothing does.
    """

    def __init__(self, hypervisor: Hypervisor, settings: MemorySettings, streams: Streams) -> None:
        host = hypervisor.host
        self._hypervisor = hypervisor
        self._host = host
        self._machine = host.machine
        self._settings = settings
        self._streams = streams
        self._states = free_memory_states(settings.states, host.machine.frames, PAGE_BYTES, MARGIN)
        self._vms: dict[int, VmMemory] = {}
        self.samples: list[HostSample] = []
        self.counts = Counter()
        self._places = Places(host.conductor)
        victims = streams.stream(f"host.{host.name}.victims")
        self.swapper = Swapper(
            hypervisor, self._places, settings, victims, self._vms, self._progress
        )
        self.scanner: Scanner | None = None
        if settings.sharing is not None:
            self.scanner = Scanner(host, self._places, settings.sharing, hypervisor.vms, streams)
        reserve = self._states.lowest // RESERVE_SHARE
        host.machine.set_frame_reserve(reserve)
        self._shortage = Shortage(host.name, reserve)
        self._starved: list[VirtualMachine] = []
        self._reacts = self._must_act = False
        host.machine.set_frame_watermark(self._states.next_lower)
        self.note()
        self._later()

    # VMs come and go.

    def take_in(self, vm: VirtualMachine) -> None:
        """Get to know a VM that is on the host now."""
        stream = self._streams.stream(f"vm.{vm.name}.sample")
        self._vms[vm.number] = VmMemory(vm, self._hypervisor, self._settings, stream)

    def leave(self, vm: VirtualMachine) -> None:
        """Forget a VM that is about to go, and see to those that wait for its frames."""
        memory = self._vms.pop(vm.number)
        memory.keep(memory.sample(self._host.environment.now))
        self.swapper.forget(memory)
        self._shortage.forget(vm)
        self._starved = [each for each in self._starved if each is not vm]
        for vcpu in vm.vcpus:
            vcpu.stalls = 0
        self._react_later()

    def make_room(self, size_bytes: int) -> None:
        """Free frames for a VM that arrives, as far as others can do without."""
        frames = -(-size_bytes // PAGE_BYTES)
        self._act(at_least=frames + self._shortage.reserve)
        self.swapper.take_now(frames)

    # Looking and acting.

    def _later(self) -> None:
        self._host.environment.after(
            self._settings.interval_ns, self._look_again, reach=self._host.scope
        )

    def _look_again(self) -> None:
        now_ns = self._host.environment.now
        for memory in self._vms.values():
            memory.look_at_sample(memory.vm.guest_ns(now_ns), self._places)
            memory.look_at_balloon()
        self._act(self._shortage.needed if self._shortage.is_there else 0)
        self.note()
        self._progress()
        self._later()

    def _act(self, at_least: int = 0) -> None:
        """Decide about every VM, and have it done.

        Parameters
        ----------
        at_least
            Frames that somebody needs now: while there are fewer, memory is as scarce as it can be.
        """
        free = self._machine.free_frames
        before = self._states.state
        state = self._states.observe(free)
        if state is not before:
            self.note()
        self._machine.set_frame_watermark(self._states.next_lower)
        if free < at_least:
            state = self._states.states[-1]
        goal = max(self._states.goal, at_least)
        memories = list(self._vms.values())
        pictures = [memory.picture() for memory in memories]
        decisions = decide(state, free, goal, pictures, self._settings.tax)
        for memory, decision in zip(memories, decisions, strict=True):
            memory.target = decision.target
            memory.to_swap = decision.swap
            memory.set_balloon(decision.balloon)
            # One that stands still cannot get pages back by itself: the disk must be able to.
            self._hold(memory, held=decision.held and self.swapper.has_space)
        self.swapper.pump()

    def _hold(self, memory: VmMemory, *, held: bool) -> None:
        if held == memory.held:
            return
        memory.held = held
        if held:
            self.counts.add("held")
        change = self._hypervisor.stall if held else self._hypervisor.go_on
        for vcpu in memory.vm.vcpus:
            change(vcpu)

    # Requests of VMs.

    def on_memory(self, vm: VirtualMachine, vcpu: VirtualCpu | None) -> None:
        """Serve a vCPU, or a device of a VM, that needs a frame when it may take none."""
        self.counts.add("short")
        self._shortage.note(vcpu, self._machine.free_frames)
        if vcpu is None:
            self._starved.append(vm)
        else:
            self._hypervisor.stall(vcpu)
        self._react_later()

    def on_scarce(self) -> None:
        """Note that memory has just become scarcer than the state says."""
        self._must_act = True
        self._react_later()

    def _react_later(self) -> None:
        """Do something about it, as soon as others can be reached."""
        if not self._reacts:
            self._reacts = True
            delay_ns = self._hypervisor.ipi_ns
            self._host.environment.after(delay_ns, self._react, reach=self._host.scope)

    def _react(self) -> None:
        self._reacts = False
        is_short = self._shortage.is_there or bool(self._starved)
        if is_short or self._must_act:
            self._must_act = False
            self._act(self._shortage.needed if is_short else 0)
        self._feed_devices()
        self._progress()

    def _feed_devices(self) -> None:
        """Have frames for devices that wait for them, however busy the disk is."""
        starved, self._starved = self._starved, []
        if not starved:
            return
        if self.swapper.take_now(self._shortage.needed):
            self._hypervisor.resume_devices()
            return
        for vm in starved:
            self._hypervisor.kill(vm, f"{self._host.name} has no free frame left for its devices")

    def on_swap_in(self, vm: VirtualMachine, vcpu: VirtualCpu | None, page: int) -> None:
        """Bring a page back that a vCPU, or a device, needs."""
        memory = self._vms[vm.number]
        if vcpu is None:
            self.counts.add("double_paged")
            self.swapper.bring_back(memory, page, self._hypervisor.resume_devices)
            return
        self._hypervisor.stall(vcpu)
        self.swapper.bring_back(memory, page, partial(self._hypervisor.go_on, vcpu))

    def _progress(self) -> None:
        """Let those go on for which there are frames now."""
        self.swapper.retry()
        for vcpu in self._shortage.relieved(self._machine.free_frames):
            self._hypervisor.go_on(vcpu)
        if self._shortage.is_there and not self._is_under_way:
            vcpus = [vcpu for memory in self._vms.values() for vcpu in memory.vm.vcpus]
            space = "no page can go" if self.swapper.has_space else "the swap space is full"
            self._shortage.check_deadlock(vcpus, self._machine.free_frames, space)

    @property
    def _is_under_way(self) -> bool:
        """Whether frames are to become free."""
        return self.swapper.waits_for_disk or any(each.to_swap for each in self._vms.values())

    # The record.

    def counted(self) -> dict[str, int]:
        """Return what was counted, by name."""
        out = self.swapper.counts
        scanned = Counter() if self.scanner is None else self.scanner.counts
        return {
            "shortages": self.counts["short"],
            "held": self.counts["held"],
            "double_paged": self.counts["double_paged"],
            "swapped_out": out["swapped"],
            "swapped_in": out["in"],
            "swap_shared": out["shared"],
            "swap_compressed": out["compressed"],
            "pages_scanned": scanned["scanned"],
            "pages_merged": scanned["shared"],
            "scanner_ns": scanned["ns"],
        }

    def identical(self) -> tuple[int, int]:
        """Return pages whose content another has, too, and by how many fewer frames would do.

        Counted from the bytes of all frames with guest memory, whatever is shared.
        """
        pages, contents = self._machine.count_identical_frames()
        return pages, pages - contents

    def note(self) -> None:
        """Keep a record of the host's memory and its VMs' as it is now."""
        now_ns, sharing = self._host.environment.now, self._machine.sharing()
        samples = [memory.sample(now_ns) for memory in self._vms.values()]
        for memory, sample in zip(self._vms.values(), samples, strict=True):
            memory.keep(sample)
        if self.samples and self.samples[-1].time_ns == now_ns:
            self.samples.pop()
        self.samples.append(
            HostSample(
                time_ns=now_ns,
                state=self._states.state.name,
                free=self._machine.free_frames,
                resident=sum(sample.resident for sample in samples),
                shared=sharing["pages"],
                reclaimed=sharing["reclaimed"],
                zero=sharing["zero_pages"],
                swapped=sum(sample.swapped for sample in samples),
                ballooned=sum(sample.ballooned for sample in samples),
                compressed=self._machine.compression()["frames"],
            )
        )
