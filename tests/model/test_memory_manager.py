"""A host that overcommits: VMs that follow scripts touch pages of a double that has few frames.

A further step of a script, ``("touch", page)``, is an access: it takes a frame for a page that has
none, and exits when there is no frame or the page is swapped out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from dcsim.errors import DeadlockError
from dcsim.hypervisor import Type1, Type2
from dcsim.hypervisor.memory.settings import MemoryClaim, MemorySettings
from dcsim.sim import Streams

if TYPE_CHECKING:
    from collections.abc import Callable

MS = 10**6
PAGE = 4096
FRAMES = 200
END_NS = 60 * MS
COMPUTE = ("run", 10**12)


@dataclass
class Pages:
    """A VM's memory."""

    state: dict[int, str] = field(default_factory=dict)
    sample: set[int] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)
    balloon: int = 0
    target: int = 0
    refuses: bool = False


@pytest.fixture
def memory_machine(double_machine: type) -> type:
    """Return the class of doubles with frames."""

    class MemoryMachine(double_machine):
        def __init__(self, pcpus: int, scripts: Any) -> None:
            super().__init__(pcpus, scripts)
            self.frames = self.free_frames = FRAMES
            self.reserve = 0
            self.pages: dict[int, Pages] = {}
            self.contents: dict[int, str] = {}
            self.resumed = 0

        def _add(self, vm: Any) -> int:
            number = super()._add(vm)
            self.pages[number] = Pages()
            return number

        def destroy_vm(self, vm: int) -> None:
            super().destroy_vm(vm)
            self.free_frames += self._count(vm, "resident")
            del self.pages[vm]

        def run(self, until_ns: int) -> Any:
            while (exit_ := super().run(until_ns)).kind == "touched":
                pass
            return exit_

        def _exit(self, index: int) -> Any:
            vm = self.vms[self.pcpus[index].vm]
            step = vm.script[vm.step] if vm.step < len(vm.script) else ("wait",)
            if step[0] != "touch":
                return super()._exit(index)
            exit_ = super()._exit(index)
            exit_.kind, exit_.page = self._touch(exit_.vm, step[1]), step[1]
            vm.step -= exit_.kind != "touched"
            return exit_

        def _touch(self, vm: int, page: int) -> str:
            pages = self.pages[vm]
            state = pages.state.get(page, "absent")
            if state == "swapped":
                return "swap_in"
            if state == "absent":
                if self.free_frames <= self.reserve:
                    return "memory"
                self.free_frames -= 1
                pages.state[page] = "resident"
            pages.touched.add(page)
            return "touched"

        # What the policy asks for.

        def let_pass(self, pcpu: int, at_ns: int) -> int:
            self.pcpus[pcpu].local_ns = max(self.pcpus[pcpu].local_ns, at_ns)
            return 0

        def host_path(self, pcpu: int, name: str, steps: list[tuple[str, int]]) -> int:
            return super().host_path(pcpu, name, steps) if self.pcpus[pcpu].vm else 0

        def set_frame_reserve(self, count: int) -> None:
            self.reserve = count

        def set_frame_watermark(self, count: int) -> None:
            self.watermark = count

        def _count(self, vm: int, state: str) -> int:
            return sum(each == state for each in self.pages[vm].state.values())

        def resident_pages(self, vm: int) -> int:
            return self._count(vm, "resident")

        def swapped_pages(self, vm: int) -> int:
            return self._count(vm, "swapped")

        def resident_page(self, vm: int, place: int) -> int:
            states = self.pages[vm].state
            return sorted(page for page in states if states[page] == "resident")[place]

        def page_state(self, vm: int, page: int) -> str:
            return self.pages[vm].state.get(page, "absent")

        def swap_out(self, pcpu: int, vm: int, page: int, share_first: bool, tier: str) -> str:
            assert share_first
            assert self.pages[vm].state[page] == "resident"
            self.pages[vm].state[page] = "swapped"
            self.free_frames += 1
            return "swapped"

        def compression(self) -> dict[str, int]:
            return {"pages": 0, "frames": 0, "bytes": 0}

        def swap_in(self, vm: int, page: int, pcpu: int) -> bool:
            assert self.pages[vm].state[page] == "swapped"
            if not self.free_frames:
                return False
            self.free_frames -= 1
            self.pages[vm].state[page] = "resident"
            return True

        def sample_pages(self, vm: int, chosen: list[int], pcpu: int) -> None:
            self.pages[vm].sample = set(chosen)
            self.pages[vm].touched.clear()

        def clear_accessed(self, vm: int) -> None:
            self.pages[vm].touched.clear()

        def accessed_pages(self, vm: int) -> int:
            return len(self.pages[vm].touched)

        def touched_samples(self, vm: int) -> int:
            return len(self.pages[vm].sample & self.pages[vm].touched)

        def set_balloon_target(self, vm: int, target: int) -> None:
            pages = self.pages[vm]
            pages.target = target
            if pages.refuses:
                return
            for page in [page for page in pages.state if pages.state[page] == "resident"]:
                if pages.balloon >= target:
                    break
                del pages.state[page]
                pages.balloon += 1
                self.free_frames += 1
            pages.balloon = min(pages.balloon, target)

        def balloon(self, vm: int) -> dict[str, int]:
            pages = self.pages[vm]
            return {"actual": pages.balloon, "target": pages.target, "freed": 0}

        def ask_balloon_statistics(self, vm: int) -> bool:
            return False

        def devices_wait(self, vm: int) -> bool:
            return False

        def resume_devices(self) -> None:
            self.resumed += 1

        def sharing(self) -> dict[str, int]:
            return dict.fromkeys(("pages", "reclaimed", "zero_pages"), 0)

    return MemoryMachine


@pytest.fixture
def run(
    make_rig: Callable[..., Any], make_vm: Callable[..., Any], memory_machine: type
) -> Callable[..., Any]:
    """Return a function that runs VMs on a host that overcommits."""

    def run_all(
        scripts: list[list[tuple[Any, ...]]],
        settings: MemorySettings,
        *,
        kind: type = Type1,
        pcpus: int = 1,
        duration_ns: int = END_NS,
        vms: list[dict[str, Any]] | None = None,
        prepare: Callable[[Any], None] | None = None,
    ) -> Any:
        rig = make_rig([list(each) for each in scripts], pcpus=pcpus, machine_class=memory_machine)
        hypervisor = kind(rig.host)
        hypervisor.overcommit(settings, Streams(1))
        rig.vms = [
            make_vm(rig, index, **((vms or [{} for _ in scripts])[index]))
            for index in range(len(scripts))
        ]
        for vm in rig.vms:
            hypervisor.expect(vm)
            hypervisor.create(vm)
        if prepare is not None:
            prepare(rig)
        rig.hypervisor = hypervisor
        rig.environment.run(until=duration_ns)
        return rig

    return run_all


SETTINGS = MemorySettings(interval_ns=MS, sample_period_ns=10 * MS, swap_bytes=1 << 20)


def touches(pages: range, gap_ns: int = 10_000) -> list[tuple[Any, ...]]:
    return [step for page in pages for step in (("touch", page), ("run", gap_ns))]


BALLOON = {"has_balloon": True, "memory_bytes": 97 * PAGE}


def held(machine: Any) -> int:
    return sum(machine.resident_pages(vm) for vm in machine.pages)


@pytest.mark.parametrize("kind", [Type1, Type2])
def test_a_vm_with_more_pages_than_frames_ends_by_swapping(run, kind) -> None:
    script = [*touches(range(250)), *touches(range(250)), ("off", 0)]
    rig = run([script], SETTINGS, kind=kind)
    (vm,) = rig.vms
    counts = rig.hypervisor.memory.counted()

    assert vm.state == "off"
    assert rig.machine.free_frames == FRAMES
    assert counts["swapped_out"] - counts["swapped_in"] <= 250
    assert counts["swapped_in"] >= 50
    moved = rig.host.disk.moved
    assert (moved["write"], moved["read"]) == (counts["swapped_out"], counts["swapped_in"])
    assert vm.time_ns("stalled", vm.ended_ns) > 0


def test_a_host_that_reclaims_comes_above_its_highest_threshold(run) -> None:
    rig = run([[*touches(range(197)), COMPUTE]], SETTINGS)
    samples = rig.hypervisor.memory.samples

    assert {sample.state for sample in samples} & {"hard", "low"}
    # 6 % of 200 are 12, and a tenth more to leave it: 14, rounded up.
    assert (samples[-1].free, samples[-1].state) == (14, "high")
    assert rig.machine.free_frames + held(rig.machine) == FRAMES


def test_without_swap_space_the_run_ends_with_who_waits_for_what(run) -> None:
    settings = MemorySettings(interval_ns=MS)
    with pytest.raises(DeadlockError, match="vm-0 waits for a frame of host") as caught:
        run([[*touches(range(250)), ("off", 0)]], settings)
    assert "swap space is full" in str(caught.value)


def test_one_that_waits_goes_on_when_another_ends(run) -> None:
    settings = MemorySettings(interval_ns=MS)
    first = [*touches(range(100)), ("run", 50 * MS), ("off", 0)]
    second = [*touches(range(150)), ("off", 7)]
    rig = run([first, second], settings, pcpus=2)

    assert [vm.exit_status for vm in rig.vms] == [0, 7]
    assert rig.vms[1].ended_ns > rig.vms[0].ended_ns


def test_in_state_low_vms_above_their_target_stand_still(run) -> None:
    """The greedy VM takes all frames at once; the other has its reservation and goes on."""
    greedy = [("run", 5 * MS), *touches(range(151), 1), COMPUTE]
    modest = [*touches(range(48), 1), COMPUTE]
    rig = run(
        [greedy, modest],
        SETTINGS,
        pcpus=2,
        vms=[{}, {"memory_claim": MemoryClaim(reservation_bytes=48 * PAGE)}],
    )

    assert rig.hypervisor.memory.counted()["held"] >= 1
    assert rig.vms[0].time_ns("stalled", END_NS) > 0
    assert rig.vms[1].time_ns("stalled", END_NS) == 0
    assert rig.machine.resident_pages(2) == 48


def test_a_limit_is_kept_though_memory_is_plenty(run) -> None:
    claim = MemoryClaim(limit_bytes=30 * PAGE)
    rig = run([[*touches(range(100)), COMPUTE]], SETTINGS, vms=[{"memory_claim": claim}])

    assert rig.machine.resident_pages(1) == 30
    assert rig.machine.swapped_pages(1) == 70


def test_balloons_before_swapping(run) -> None:
    both = [[*touches(range(97)), COMPUTE], [*touches(range(97)), COMPUTE]]
    rig = run(both, SETTINGS, pcpus=2, vms=[BALLOON, BALLOON])

    assert rig.hypervisor.memory.counted()["swapped_out"] == 0
    # 200 - 14 are left to the two.
    assert [rig.machine.pages[vm].balloon for vm in (1, 2)] == [4, 4]


def test_a_guest_that_refuses_is_swapped(run) -> None:
    def prepare(rig: Any) -> None:
        rig.machine.pages[1].refuses = True

    script = [*touches(range(194)), COMPUTE]
    rig = run([script], SETTINGS, prepare=prepare, vms=[{**BALLOON, "memory_bytes": 194 * PAGE}])

    assert rig.machine.pages[1].target > rig.machine.pages[1].balloon == 0
    assert rig.machine.swapped_pages(1) == 194 + 14 - FRAMES


def test_a_device_that_needs_a_swapped_page_is_double_paging(run) -> None:
    rig = run([[*touches(range(197)), COMPUTE]], SETTINGS)
    memory, (vm,) = rig.hypervisor.memory, rig.vms
    page = next(page for page, state in rig.machine.pages[1].state.items() if state == "swapped")

    memory.on_swap_in(vm, None, page)
    rig.environment.run(until=END_NS + MS)

    assert rig.machine.page_state(1, page) == "resident"
    assert memory.counted()["double_paged"] == 1
    assert rig.machine.resumed == 1


def test_a_vm_that_ends_while_its_page_comes(run) -> None:
    rig = run([[*touches(range(197)), COMPUTE], [COMPUTE]], SETTINGS, pcpus=2)
    memory, vm = rig.hypervisor.memory, rig.vms[0]
    page = next(page for page, state in rig.machine.pages[1].state.items() if state == "swapped")

    memory.on_swap_in(vm, vm.vcpus[0], page)
    rig.environment.run(until=END_NS + 1000)
    rig.hypervisor._end(vm, "failed", "by hand")
    rig.environment.run(until=END_NS + 5 * MS)

    assert rig.machine.free_frames == FRAMES
    assert not memory.swapper.waits_for_disk


def test_active_memory_is_estimated(run) -> None:
    """Of 100 pages 25 are touched again and again."""
    script = [*touches(range(100)), *(touches(range(25)) * 200)]
    settings = MemorySettings(interval_ns=MS, sample_period_ns=5 * MS, sample_pages=1000)
    rig = run([script], settings, duration_ns=40 * MS)

    samples = rig.vms[0].memory_samples
    assert samples[0].active == 1
    assert samples[-1].active == Fraction(1, 4)
    assert samples[-1].sampled == samples[-1].accessed == Fraction(1, 4)
