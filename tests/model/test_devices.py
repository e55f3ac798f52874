"""Disks and networks of VMs under both types of hypervisor, and what becomes of a VM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dcsim.datacentre import SharedStorage
from dcsim.hardware import load_profile
from dcsim.hypervisor import TYPE1, TYPE2, Hypervisor, Type1, Type2
from dcsim.hypervisor.steps import Path, primitives_of
from dcsim.sim import Environment

TYPES = [Type1, Type2]
PAGE = 4096
IPI_NS = load_profile("sifive-u54").ipi_ns()
Script = list[tuple[Any, ...]]


@pytest.fixture
def start(make_rig: Callable[..., Any], make_vm: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that starts one VM with a script and returns it and its rig."""

    def start_one(
        kind: type[Hypervisor], script: Script, *, pcpus: int = 1, **config: Any
    ) -> tuple[Any, Any]:
        rig = make_rig([script], pcpus=pcpus)
        vm = make_vm(rig, **config)
        hypervisor = kind(rig.host)
        hypervisor.expect(vm)
        hypervisor.create(vm)
        return vm, rig

    return start_one


def steps(path: Path) -> int:
    """Return what a path costs in the double, where each primitive takes a cycle."""
    return sum(count for _, count in primitives_of(path))


def to_thread() -> int:
    """Return what it takes until an I/O thread begins a job on an idle processor."""
    return steps(TYPE2.thread_load)


def test_type_1_reads_take_the_path_and_the_disk(start: Callable[..., Any]) -> None:
    vm, rig = start(Type1, [("run", 1000), ("read", PAGE), ("run", 10**9)])
    rig.environment.run(until=10**6)
    submit = TYPE1.disk_submit(PAGE, 0, cached=False)
    asked_ns = steps(TYPE1.load) + 1000 + steps(submit)
    ((_, done_ns),) = rig.machine.vms[vm.number].completed
    assert done_ns == asked_ns + 80_000 + 8_192
    assert vm.disk_counts.as_dict() == {"bytes": PAGE, "reads": 1, "ended": 1}
    assert rig.machine.vms[vm.number].paths == {
        "vcpu_load": steps(TYPE1.load),
        "disk_submit": steps(submit),
        "disk_interrupt": steps(TYPE1.interrupt),
    }


def test_type_2_reads_a_page_from_the_disk_once(start: Callable[..., Any]) -> None:
    """The I/O thread has a processor of its own, and the vCPU goes on meanwhile."""
    script: Script = [("read", PAGE), ("run", 10**6), ("read", PAGE), ("run", 10**9)]
    vm, rig = start(Type2, script, pcpus=2)
    rig.environment.run(until=10**7)
    (_, first_ns), (_, second_ns) = rig.machine.vms[vm.number].completed
    told_ns = steps(TYPE2.load) + steps(TYPE2.notify)
    asked_ns = told_ns + IPI_NS + to_thread() + steps(TYPE2.disk_submit(PAGE, 1))
    done_ns = asked_ns + 80_000 + 8_192
    assert (
        first_ns == done_ns + steps(TYPE2.interrupt) + to_thread() + steps(TYPE2.complete) + IPI_NS
    )
    # The second is in the page cache: the thread tells the guest without waiting for anything.
    again_ns = told_ns + 10**6 + steps(TYPE2.notify) + steps(TYPE2.entry)
    path_ns = steps(TYPE2.disk_submit(PAGE, 0)) + steps(TYPE2.inject) + 2 * IPI_NS
    assert second_ns == again_ns + to_thread() + path_ns
    assert rig.host.disk.moved["read"] == 1
    assert rig.machine.vms[vm.number].paths == {
        "vcpu_load": steps(TYPE2.load),
        "notify": 2 * steps(TYPE2.notify),
        "interrupt_entry": 2 * steps(TYPE2.entry),
    }
    (thread,) = vm.hypervisor.threads
    assert thread.cycles["disk_submit"] == sum(
        steps(TYPE2.disk_submit(PAGE, missing)) for missing in (0, 1)
    )
    assert thread.cycles["disk_complete"] == steps(TYPE2.complete)
    assert thread.counts.as_dict() == {"given": 4, "done": 4}


def test_an_i_o_thread_has_to_wait_for_a_processor(start: Callable[..., Any]) -> None:
    """On the only processor it runs instead of the vCPU, one after the other."""
    (busy, rig), (idle, other) = (
        start(Type2, [("run", 1000), ("read", PAGE), then]) for then in (("run", 10**10), ("wait",))
    )
    for each in (rig, other):
        each.environment.run(until=10**8)
    ((_, late_ns),) = rig.machine.vms[busy.number].completed
    ((_, soon_ns),) = other.machine.vms[idle.number].completed
    assert soon_ns < 200_000
    assert late_ns > soon_ns
    (thread,) = busy.hypervisor.threads
    assert thread.cycles["disk_submit"] == steps(TYPE2.disk_submit(PAGE, 1))


def test_type_2_writes_are_done_in_the_cache_and_reach_the_disk_later(
    start: Callable[..., Any],
) -> None:
    vm, rig = start(Type2, [("write", PAGE), ("run", 10**10)], pcpus=2)
    rig.environment.run(until=10**6)
    assert len(rig.machine.vms[vm.number].completed) == 1
    assert rig.host.disk.moved["write"] == 0
    rig.environment.run(until=10**9)
    assert rig.host.disk.moved.as_dict() == {"write": 1, "write_bytes": PAGE}


def test_a_flush_waits_for_what_is_dirty(start: Callable[..., Any]) -> None:
    vm, rig = start(Type2, [("write", 4 * PAGE), ("flush",), ("run", 10**10)], pcpus=2)
    rig.environment.run(until=10**6)
    (_, written_ns), (_, flushed_ns) = rig.machine.vms[vm.number].completed
    assert flushed_ns > written_ns + 80_000
    assert rig.host.disk.moved["write_bytes"] == 4 * PAGE
    assert vm.disk_counts["flushes"] == 1


@pytest.mark.parametrize("kind", TYPES)
def test_on_bare_metal_nothing_lies_between_guest_and_disk(
    start: Callable[..., Any], kind: type
) -> None:
    script: Script = [("run", 1000), ("read", PAGE), ("read", PAGE), ("run", 10**9)]
    vm, rig = start(kind, script, technique="bare-metal")
    rig.environment.run(until=10**6)
    double = rig.machine.vms[vm.number]
    assert [at_ns for _, at_ns in double.completed] == [1000 + 88_192, 1000 + 2 * 88_192]
    assert sum(double.paths.values()) == 0


def test_an_exit_to_the_process_is_longer_than_one_to_the_kernel() -> None:
    assert steps(TYPE2.exit("mmio_virtio")) > steps(TYPE2.exit("mmio_interrupt")) > 0
    assert steps(TYPE1.exit("mmio_virtio")) == 0
    assert steps(TYPE2.packet_receive(256)) > steps(TYPE1.packet_receive(256))


@pytest.mark.parametrize("kind", TYPES)
def test_shared_storage_serves_either_type(
    make_rig: Callable[..., Any], make_vm: Callable[..., Any], kind: type
) -> None:
    environment = Environment()
    rig = make_rig([[("read", PAGE), ("wait",), ("off", 0)]], environment=environment)
    array = SharedStorage(environment, "san", latency_ns=10**6, bits_per_second=8 * 10**9)
    hypervisor = kind(rig.host)
    vm = make_vm(rig, storage=array, disk_bytes=1 << 20)
    hypervisor.expect(vm)
    hypervisor.create(vm)
    environment.run(until=10**7)
    assert vm.state == "off"
    assert array.moved["read"] == 1
    assert rig.host.disk.moved.total == 0


@pytest.mark.parametrize("kind", TYPES)
def test_a_vm_that_waits_leaves_the_processor(start: Callable[..., Any], kind: type) -> None:
    vm, rig = start(kind, [("sleep", 10**6), ("run", 1000), ("off", 3)])
    rig.environment.run(until=10**8)
    assert (vm.state, vm.exit_status) == ("off", 3)
    assert vm.vcpus[0].spent_ns["blocked"] == pytest.approx(10**6, abs=5000)
    assert rig.host.power.busy_ns() < 10_000
    assert rig.host.free_bytes >= (1 << 30) * 7 // 8


@pytest.mark.parametrize("kind", TYPES)
def test_packets_reach_the_guest_and_wake_it(start: Callable[..., Any], kind: type) -> None:
    vm, rig = start(kind, [("wait",), ("send", b"answer"), ("wait",)])
    sent: list[tuple[bytes, int]] = []
    vm.on_packet = lambda frame, at_ns: sent.append((frame, at_ns))
    rig.environment.at(10**6, lambda: vm.nic.arrive(b"question"), reach=vm.scope)
    rig.environment.run(until=10**7)
    brought_ns = {
        Type1: 0,
        Type2: steps(TYPE2.interrupt) + to_thread() + steps(TYPE2.packet_receive(8)),
    }
    assert rig.machine.vms[vm.number].frames == [(10**6 + brought_ns[kind], b"question")]
    ((frame, at_ns),) = sent
    assert frame == b"answer"
    assert 10**6 < at_ns < 10**6 + 10_000
    assert vm.nic.counts.as_dict() == {
        "arrived": 1,
        "received": 1,
        "handed_over": 1,
        "sent": 1,
    }
    assert vm.lateness_ns == 0


def test_frames_wait_at_the_port_until_the_guest_has_buffers(start: Callable[..., Any]) -> None:
    vm, rig = start(Type1, [("run", 10**9)])
    double = rig.machine.vms.get(1, None)
    assert double is not None
    double.has_buffers = False
    rig.environment.at(1000, lambda: vm.nic.arrive(b"x"), reach=vm.scope)

    def post() -> None:
        double.has_buffers = True

    rig.environment.at(700_000, post, reach=vm.scope)
    rig.environment.run(until=10**7)
    assert double.frames == [(1_001_000, b"x")]


def test_a_full_port_loses_frames(start: Callable[..., Any]) -> None:
    vm, rig = start(Type1, [("run", 10**9)])
    rig.machine.vms[vm.number].has_buffers = False

    def flood() -> None:
        assert [vm.nic.arrive(b"x") for _ in range(1001)].count(False) == 1

    rig.environment.at(1000, flood, reach=vm.scope)
    rig.environment.run(until=2000)
    assert vm.nic.counts["dropped"] == 1


@pytest.mark.parametrize("kind", TYPES)
def test_a_fault_ends_the_vm_and_not_the_run(start: Callable[..., Any], kind: type) -> None:
    vm, rig = start(kind, [("run", 10), ("fault", "triple trouble")])
    rig.environment.run(until=10**6)
    assert (vm.state, vm.message) == ("failed", "triple trouble")
    assert rig.machine.vms == {}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("end", [("off", 0), ("fault", "trouble")])
def test_a_vm_can_end_with_requests_under_way(
    start: Callable[..., Any], kind: type, end: tuple[Any, ...]
) -> None:
    vm, rig = start(kind, [("write", PAGE), ("read", 8 * PAGE), ("flush",), end])
    rig.environment.run(until=10**9)
    assert vm.state in {"off", "failed"}
    assert rig.host.disk.queue.value == 0


def test_a_shortage_of_frames_is_tried_again(start: Callable[..., Any]) -> None:
    vm, rig = start(Type1, [("run", 10), ("memory",), ("run", 10), ("off", 0)])
    rig.environment.run(until=10**6)
    assert vm.state == "off"


def test_a_shortage_that_does_not_end_is_a_failure(start: Callable[..., Any]) -> None:
    vm, rig = start(Type1, [("memory",)] * 100)
    rig.environment.run(until=10**6)
    assert vm.state == "failed"
    assert "no free frame" in vm.message
