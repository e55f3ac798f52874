"""A double of the machine world: VMs that follow scripts instead of executing instructions.

One cycle is one nanosecond. A script is a list of steps; each takes place where the ones before it
end. The double keeps the contract of the real machine world: a step starts before the limit of a
run, exits come in the order of their times, and where a run is cut changes nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from dcsim.hardware import load_power_curve, load_profile
from dcsim.host import Host, HostConfig
from dcsim.hypervisor import VirtualMachine, VmConfig
from dcsim.sim import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FOREVER_NS = 10**15


@dataclass
class DoubleExit:
    """An exit, as the real machine world gives it."""

    kind: str
    time_ns: int
    pcpu: int | None = None
    vm: int | None = None
    vcpu: int | None = None
    tag: int | None = None
    sector: int | None = None
    bytes: int | None = None
    write: bool | None = None
    payload: bytes | None = None
    wake_ns: int | None = None
    code: int | None = None
    message: str | None = None
    operation: str | None = None
    page: int | None = None


@dataclass
class DoubleVm:
    """A VM that follows a script.

    Steps: ``("run", ns)``, ``("read", bytes)``, ``("write", bytes)``, ``("flush",)``,
    ``("send", frame)``, ``("sleep", ns)`` (waits for a timer), ``("wait",)`` (for a device),
    ``("off", code)``, ``("fault", message)``, ``("memory",)``. A script that
    ends waits for ever.
    """

    script: list[tuple[Any, ...]]
    step: int = 0
    left_ns: int | None = None
    timer_ns: int | None = None
    interrupts: int = 0
    in_wait: bool = False
    tags: set[int] = field(default_factory=set)
    ran_ns: int = 0
    came_with_ns: int = 0
    paths: dict[str, int] = field(default_factory=dict)
    exits: dict[str, int] = field(default_factory=dict)
    completed: list[tuple[int, int]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    has_buffers: bool = True
    late_ns: int = 0


@dataclass
class DoubleState:
    """A saved VM."""

    vm: DoubleVm
    pages: int = 100
    zero_pages: int = 28
    device_bytes: int = 512
    transfer_bytes: int = 100 * 4096 + 512

    def __post_init__(self) -> None:
        self.text = f"{self.vm.step}/{self.vm.ran_ns}"

    def digest(self) -> str:
        """Return something that depends on where the script was."""
        return self.text

    def differences(self, other: DoubleState) -> list[str]:
        """Compare."""
        return [] if self.digest() == other.digest() else ["digest"]


@dataclass
class DoubleDisk:
    """What is on a virtual disk: a number of blocks."""

    blocks: int
    content: str = "as it was"

    @property
    def allocated_bytes(self) -> int:
        return 4096 * self.blocks

    def digest(self) -> str:
        return self.content

    def clone(self) -> DoubleDisk:
        return replace(self)


@dataclass
class DoublePcpu:
    """A processor."""

    local_ns: int = 0
    vm: int | None = None


class DoubleMachine:
    """Follows scripts; see the module."""

    def __init__(self, pcpus: int, scripts: Iterable[list[tuple[Any, ...]]] = ()) -> None:
        self.pcpus = [DoublePcpu() for _ in range(pcpus)]
        self.scripts = list(scripts)
        self.named: dict[str, list[tuple[Any, ...]]] = {}
        self.vms: dict[int, DoubleVm] = {}
        self.frames = 1 << 16
        self.free_frames = self.frames
        self._numbers = 0
        self._tags = 0

    def count_frames(self) -> dict[str, int]:
        return {"free": self.free_frames, "guest": self.frames - self.free_frames}

    def create_vm(self, config: str, kernel: bytes, disk: Any = None) -> int:
        del kernel, disk
        name = json.loads(config)["name"]
        script = self.named[name] if name in self.named else self.scripts.pop(0)
        return self._add(DoubleVm(script))

    def restore_vm(self, config: str, state: DoubleState, disk: Any = None) -> int:
        del config, disk
        state.vm.paths, state.vm.exits, state.vm.came_with_ns = {}, {}, state.vm.ran_ns
        return self._add(state.vm)

    def _add(self, vm: DoubleVm) -> int:
        self._numbers += 1
        self.vms[self._numbers] = vm
        return self._numbers

    def destroy_vm(self, vm: int) -> None:
        assert all(pcpu.vm != vm for pcpu in self.pcpus)
        del self.vms[vm]

    def save_vm(self, vm: int) -> DoubleState:
        assert all(pcpu.vm != vm for pcpu in self.pcpus)
        assert not self.vms[vm].tags
        return DoubleState(self.vms[vm])

    def load(self, pcpu: int, vm: int, vcpu: int, at_ns: int) -> None:
        assert vcpu == 0
        assert self.pcpus[pcpu].vm is None
        assert all(each.vm != vm for each in self.pcpus)
        self.pcpus[pcpu].vm = vm
        self.pcpus[pcpu].local_ns = max(self.pcpus[pcpu].local_ns, at_ns)
        self.vms[vm].in_wait = False

    def tell_stolen_time(self, vm: int, vcpu: int, nanoseconds: int) -> None:
        assert any(pcpu.vm == vm for pcpu in self.pcpus)
        assert vcpu == 0
        assert nanoseconds > 0

    def unload(self, pcpu: int) -> None:
        assert self.pcpus[pcpu].vm is not None
        self.pcpus[pcpu].vm = None

    def local_time_ns(self, pcpu: int) -> int:
        return self.pcpus[pcpu].local_ns

    def host_path(self, pcpu: int, name: str, steps: list[tuple[str, int]]) -> int:
        cycles = sum(count for _, count in steps)
        self.pcpus[pcpu].local_ns += cycles
        number = self.pcpus[pcpu].vm
        if number is not None:
            paths = self.vms[number].paths
            paths[name] = paths.get(name, 0) + cycles
        return cycles

    def let_pass(self, pcpu: int, at_ns: int) -> int:
        assert self.pcpus[pcpu].vm is None
        passed_ns = max(0, at_ns - self.pcpus[pcpu].local_ns)
        self.pcpus[pcpu].local_ns += passed_ns
        return passed_ns

    def set_exit_path(self, reason: str, steps: list[tuple[str, int]]) -> None:
        """Forget it: scripts exit without a monitor."""

    def exit_reasons(self) -> list[str]:
        return ["mmio_notify"]

    def primitive_cycles(self) -> dict[str, int]:
        return defaultdict(lambda: 1)

    def run(self, until_ns: int) -> DoubleExit:
        """Advance all to the earliest exit, or to the limit."""
        first, at_ns = None, until_ns
        for index, pcpu in enumerate(self.pcpus):
            exit_ns = self._exit_ns(pcpu)
            if pcpu.vm is not None and pcpu.local_ns < until_ns and exit_ns < at_ns:
                first, at_ns = index, exit_ns
        for pcpu in self.pcpus:
            self._work(pcpu, at_ns)
        if first is None:
            return DoubleExit("until", until_ns)
        return self._exit(first)

    def _exit_ns(self, pcpu: DoublePcpu) -> int:
        if pcpu.vm is None:
            return FOREVER_NS
        vm = self.vms[pcpu.vm]
        at_ns, step = pcpu.local_ns, vm.step
        left_ns = vm.left_ns
        while step < len(vm.script) and vm.script[step][0] == "run":
            at_ns += vm.script[step][1] if left_ns is None else left_ns
            left_ns = None
            step += 1
        return at_ns

    def _work(self, pcpu: DoublePcpu, until_ns: int) -> None:
        while pcpu.vm is not None and pcpu.local_ns < until_ns:
            vm = self.vms[pcpu.vm]
            if vm.step >= len(vm.script) or vm.script[vm.step][0] != "run":
                return
            left_ns = vm.script[vm.step][1] if vm.left_ns is None else vm.left_ns
            ran_ns = min(left_ns, until_ns - pcpu.local_ns)
            pcpu.local_ns += ran_ns
            vm.ran_ns += ran_ns
            vm.left_ns = left_ns - ran_ns
            if not vm.left_ns:
                vm.left_ns = None
                vm.step += 1

    def _exit(self, index: int) -> DoubleExit:
        pcpu = self.pcpus[index]
        assert pcpu.vm is not None
        vm = self.vms[pcpu.vm]
        step = vm.script[vm.step] if vm.step < len(vm.script) else ("wait",)
        where = {"time_ns": pcpu.local_ns, "pcpu": index, "vm": pcpu.vm, "vcpu": 0}
        vm.exits[step[0]] = vm.exits.get(step[0], 0) + 1
        if step[0] in {"sleep", "wait"}:
            return self._wait(vm, step, where)
        vm.step += 1
        if step[0] in {"read", "write", "flush"}:
            self._tags += 1
            vm.tags.add(self._tags)
            size = step[1] if len(step) > 1 else 0
            write = step[0] != "read"
            what = {"sector": 0, "bytes": size, "write": write, "operation": step[0]}
            return DoubleExit("io", tag=self._tags, **what, **where)
        if step[0] == "send":
            return DoubleExit("packet", payload=step[1], **where)
        if step[0] == "off":
            return DoubleExit("shutdown", code=step[1], **where)
        if step[0] == "fault":
            return DoubleExit("fault", message=step[1], **where)
        return DoubleExit("memory", **where)

    def _wait(self, vm: DoubleVm, step: tuple[Any, ...], where: dict[str, Any]) -> DoubleExit:
        now_ns = where["time_ns"]
        if step[0] == "sleep":
            if vm.timer_ns is None:
                vm.timer_ns = now_ns + step[1]
        elif vm.interrupts and vm.step < len(vm.script):
            vm.interrupts -= 1
            vm.step += 1
            return DoubleExit("wait", wake_ns=now_ns, **where)
        vm.in_wait = True
        return DoubleExit("wait", wake_ns=vm.timer_ns, **where)

    def settled(self, vm: int, vcpu: int) -> bool:
        del vm, vcpu
        return True  # a step begins before the end of a run and exits there

    def runnable(self, vm: int, vcpu: int, at_ns: int | None = None) -> bool:
        assert vcpu == 0
        each = self.vms[vm]
        if each.step >= len(each.script):
            return False
        step = each.script[each.step][0]
        if step == "sleep" and each.timer_ns is not None and at_ns is not None:
            if at_ns >= each.timer_ns:
                each.timer_ns = None
                each.step += 1
                return True
            return False
        if step == "wait":
            if each.interrupts:
                each.interrupts -= 1
                each.step += 1
                return True
            return False
        return True

    def next_timer_ns(self, vm: int, vcpu: int) -> int | None:
        assert vcpu == 0
        return self.vms[vm].timer_ns

    def complete_io(self, vm: int, tag: int, at_ns: int, status: int = 0) -> None:
        self.vms[vm].tags.remove(tag)
        self.vms[vm].completed.append((tag, at_ns))
        self.vms[vm].statuses.append(status)
        self.vms[vm].interrupts += 1

    def deliver_packet(self, vm: int, payload: bytes, at_ns: int) -> bool:
        if not self.vms[vm].has_buffers:
            return False
        self.vms[vm].frames.append((at_ns, payload))
        self.vms[vm].interrupts += 1
        return True

    def console_output(self, vm: int) -> bytes:
        del vm
        return b""

    def take_dirty_pages(self, vm: int) -> int:
        return self.vms[vm].step

    def counters(self, vm: int) -> dict[str, Any]:
        each = self.vms[vm]
        cycles = {f"host:{name}": count for name, count in each.paths.items()}
        cycles["guest"] = each.ran_ns - each.came_with_ns
        return {
            "instructions": cycles["guest"],
            "instructions_direct": cycles["guest"],
            "instructions_emulated": 0,
            "cycles_by_cause": cycles,
            "total_cycles": sum(cycles.values()),
            "exits": dict(each.exits),
            "pages_touched": 1,
            "lateness_ns": 0,
        }


@dataclass
class Rig:
    """A host with a double, to be given a hypervisor."""

    environment: Environment
    machine: DoubleMachine
    host: Host


@pytest.fixture
def double_machine() -> type[DoubleMachine]:
    """Return the class of the doubles."""
    return DoubleMachine


@pytest.fixture
def double_disk() -> type[DoubleDisk]:
    """Return the class of the doubles of disks."""
    return DoubleDisk


@pytest.fixture
def make_rig() -> Callable[..., Rig]:
    """Return a function that makes a host whose VMs follow scripts, in the order of creation."""

    def make(
        scripts: list[list[tuple[Any, ...]]],
        *,
        pcpus: int = 1,
        name: str = "host",
        environment: Environment | None = None,
        machine_class: type[DoubleMachine] = DoubleMachine,
        memory_bytes: int = 1 << 30,
        cut: Callable[[int, int], int] | None = None,
        **more: Any,
    ) -> Rig:
        environment = environment or Environment()
        machine = machine_class(pcpus, scripts)
        config = HostConfig(
            name=name,
            profile=load_profile("sifive-u54"),
            curve=load_power_curve("hp-ml110-g4"),
            pcpus=pcpus,
            memory_bytes=memory_bytes,
            disk_latency_ns=80_000,
            disk_bits_per_second=4_000_000_000,
            **more,
        )
        return Rig(environment, machine, Host(environment, config, machine, cut))

    return make


@pytest.fixture
def make_vm() -> Callable[..., VirtualMachine]:
    """Return a function that makes a VM for a rig."""

    def make(rig: Rig, index: int = 0, **config: Any) -> VirtualMachine:
        storage, disk = config.pop("storage", None), config.pop("disk", None)
        settings = {"name": f"vm-{index}", "program": "x", "kernel": b"", "memory_bytes": 1 << 20}
        return VirtualMachine(
            rig.environment, VmConfig(**{**settings, **config}), index, disk, storage
        )

    return make
