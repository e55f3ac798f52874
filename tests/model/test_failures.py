"""VMs and hosts that fail, and what is done about it, on machines that follow scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dcsim.datacentre import (
    Cluster,
    Fabric,
    FaultSpec,
    RestartRule,
    SharedStorage,
    Topology,
    schedule_fault,
    star,
)
from dcsim.hypervisor import Hypervisor, Type1, Type2
from dcsim.hypervisor.durable import DurableContent
from dcsim.policy import placement_policy
from dcsim.sim import Environment

PAGE = 4096
MS = 10**6
TYPES = [Type1, Type2]
Script = list[tuple[Any, ...]]
FOREVER: Script = [("run", 10**12)]


@pytest.fixture
def start(make_rig: Callable[..., Any], make_vm: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that starts VMs with scripts on one host."""

    def start_all(kind: type[Hypervisor], *scripts: Script, **config: Any) -> tuple[Any, Any, Any]:
        rig = make_rig(list(scripts), pcpus=config.pop("pcpus", 2))
        hypervisor = kind(rig.host)
        vms = [make_vm(rig, index, **config) for index in range(len(scripts))]
        for vm in vms:
            hypervisor.expect(vm)
            hypervisor.create(vm)
        return vms, rig, hypervisor

    return start_all


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    "script",
    [
        FOREVER,
        [("sleep", 10**12)],
        [("wait",)],
        [("read", PAGE), ("wait",), ("wait",)],
        [("write", 64 * PAGE), ("flush",), *FOREVER],
    ],
)
def test_a_vm_that_is_killed_leaves_nothing(
    start: Callable[..., Any], kind: type[Hypervisor], script: Script
) -> None:
    (vm, other), rig, hypervisor = start(kind, script, [("run", 40 * MS), ("off", 0)])
    free = rig.host.free_bytes + hypervisor.footprint_bytes(vm)
    rig.environment.at(MS, lambda: hypervisor.kill(vm, "why not"))
    rig.environment.run(until=2 * MS)
    assert (vm.state, vm.message, vm.ended_ns) == ("failed", "why not", MS)
    assert list(rig.machine.vms) == [other.number]
    assert rig.host.free_bytes == free
    rig.environment.run(until=10**9)
    assert other.state == "off"
    rig.host.disk.check("host")
    assert rig.host.disk.queue.value == 0


@pytest.mark.parametrize("kind", TYPES)
def test_a_vm_that_waits_for_a_processor_can_be_killed(
    start: Callable[..., Any], kind: type[Hypervisor]
) -> None:
    vms, rig, hypervisor = start(kind, FOREVER, FOREVER, FOREVER, pcpus=1)
    rig.environment.at(MS, lambda: [hypervisor.kill(vm, "all") for vm in vms])
    rig.environment.run(until=2 * MS)
    assert [vm.state for vm in vms] == ["failed"] * 3
    assert rig.machine.vms == {}


@pytest.mark.parametrize("kind", TYPES)
def test_a_request_of_an_earlier_life_tells_nobody(
    start: Callable[..., Any], kind: type[Hypervisor]
) -> None:
    (vm,), rig, hypervisor = start(kind, [("read", 1024 * PAGE), *FOREVER])
    rig.machine.scripts.append([("read", PAGE), ("wait",), ("off", 0)])
    rig.environment.at(10**5, lambda: hypervisor.kill(vm, "gone"))

    def again() -> None:
        hypervisor.expect(vm)
        hypervisor.create(vm)

    rig.environment.at(2 * 10**5, again)
    rig.environment.run(until=10**9)
    assert (vm.state, vm.life, vm.gate.under_way) == ("off", 2, 0)


@pytest.mark.parametrize("kind", TYPES)
def test_a_host_that_crashes_is_off_and_empty(
    start: Callable[..., Any], kind: type[Hypervisor]
) -> None:
    vms, rig, hypervisor = start(kind, FOREVER, [("sleep", 10**12)], [("write", PAGE), ("wait",)])
    crashed: list[int] = []

    def crash() -> None:
        hypervisor.crash("dark", lambda: crashed.append(rig.environment.now))

    rig.environment.at(MS, crash)
    rig.environment.run(until=10 * MS)
    assert crashed == [MS]
    assert {(vm.state, vm.message) for vm in vms} == {("failed", "dark")}
    assert (rig.host.power.state, rig.machine.vms) == ("off", {})


# Watchdogs.


def test_a_watchdog_bites_who_runs_without_a_timer(start: Callable[..., Any]) -> None:
    (vm,), rig, _ = start(Type1, [("run", 10 * MS), *FOREVER], watchdog_ns=4 * MS)
    rig.environment.run(until=10**9)
    assert vm.message == "its watchdog bit: it ran for 4000000 ns without a timer ahead"
    # It looks every millisecond: first at 1 ms, and then has 4 ms of patience.
    assert vm.ended_ns == 5 * MS


@pytest.mark.parametrize("script", [[("sleep", 10**9), ("off", 0)], [("wait",)]])
def test_a_watchdog_lets_sleepers_lie(start: Callable[..., Any], script: Script) -> None:
    (vm,), rig, _ = start(Type1, script, watchdog_ns=4 * MS)
    rig.environment.run(until=5 * 10**8)
    assert vm.state == "running"


def test_a_watchdog_lets_those_be_whose_timer_is_ahead(start: Callable[..., Any]) -> None:
    (vm,), rig, _ = start(Type1, FOREVER, watchdog_ns=4 * MS)
    rig.machine.vms[vm.number].timer_ns = 10 * MS
    rig.environment.run(until=13 * MS)
    assert vm.state == "running"
    rig.environment.run(until=15 * MS)
    assert vm.ended_ns == 14 * MS


def test_time_that_others_had_does_not_count(start: Callable[..., Any]) -> None:
    vms, rig, _ = start(Type2, FOREVER, FOREVER, pcpus=1, watchdog_ns=40 * MS)
    rig.environment.run(until=60 * MS)
    assert [vm.state for vm in vms] == ["running"] * 2
    rig.environment.run(until=150 * MS)
    assert [vm.state for vm in vms] == ["failed"] * 2


# Restarts.


@pytest.fixture
def make_cluster(make_rig: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that makes a cluster of hosts `a` and `b`."""

    def make(kind: type[Hypervisor] = Type1) -> tuple[Cluster, dict[str, Any], Environment]:
        environment = Environment()
        rigs = {name: make_rig([], name=name, environment=environment) for name in "ab"}
        fabric = Fabric(environment, Topology(star(["a", "b"], 1000, 10**10), ["a", "b"]))
        hypervisors = {name: kind(rig.host) for name, rig in rigs.items()}
        return (
            Cluster(environment, fabric, hypervisors, placement_policy("first-fit")),
            rigs,
            environment,
        )

    return make


def rule(*, always: bool = False, limit: int = 3) -> RestartRule:
    return RestartRule(always=always, delay_ns=MS, limit=limit)


ENDS = [(("off", 0), False, 1), (("off", 1), False, 4), (("fault", "x"), False, 4), (("off", 0), True, 4)]  # fmt: skip


@pytest.mark.parametrize(("end", "always", "lives"), ENDS)
def test_what_is_powered_on_again(
    make_cluster: Callable[..., Any],
    make_vm: Callable[..., Any],
    end: tuple[Any, ...],
    always: bool,
    lives: int,
) -> None:
    cluster, rigs, environment = make_cluster()
    vm = make_vm(rigs["a"], name="x")
    for rig in rigs.values():
        rig.machine.named["x"] = [("run", 1000), end]
    cluster.add(vm, 0, None, rule(always=always))
    environment.run(until=cluster.all_ended)
    assert vm.life == lives
    assert cluster.restarts.get("x", 0) == lives - 1
    starts = [event.time_ns for event in cluster.events if event.kind == "vm-restarted"]
    ends = [event.time_ns for event in cluster.events if event.kind in {"vm-off", "vm-failed"}]
    assert starts == [time_ns + MS for time_ns in ends[: lives - 1]]


def test_a_vm_goes_on_elsewhere_when_its_host_fails(
    make_cluster: Callable[..., Any], make_vm: Callable[..., Any]
) -> None:
    cluster, rigs, environment = make_cluster()
    array = SharedStorage(environment, "san", latency_ns=1000, bits_per_second=8 * 10**9)
    vm = make_vm(rigs["a"], name="x", storage=array, disk_bytes=1 << 20)
    rigs["a"].machine.named["x"] = FOREVER
    rigs["b"].machine.named["x"] = [("run", MS), ("off", 0)]
    cluster.add(vm, 0, "a", rule())
    schedule_fault(environment, cluster, FaultSpec(10 * MS, "host-crash", "a"))
    environment.run(until=cluster.all_ended)
    assert (vm.last_host, vm.state, vm.life) == ("b", "off", 2)
    assert rigs["a"].host.power.state == "off"


def test_a_vm_whose_disk_is_its_hosts_waits_for_that(
    make_cluster: Callable[..., Any], make_vm: Callable[..., Any]
) -> None:
    cluster, rigs, environment = make_cluster()
    vm = make_vm(rigs["a"], name="x", disk_bytes=1 << 20)
    rigs["a"].machine.named["x"] = [("run", 20 * MS), ("off", 0)]
    cluster.add(vm, 0, "a", rule())
    schedule_fault(environment, cluster, FaultSpec(10 * MS, "host-crash", "a", 50 * MS))
    environment.run(until=cluster.all_ended)
    start_ns = rigs["a"].host.config.curve.start_ns.value
    assert (vm.last_host, vm.state) == ("a", "off")
    assert vm.ended_ns is not None
    assert vm.ended_ns == pytest.approx(10 * MS + 50 * MS + start_ns + 20 * MS, abs=MS)


def test_a_vm_whose_host_does_not_come_back_stays_away(
    make_cluster: Callable[..., Any], make_vm: Callable[..., Any]
) -> None:
    cluster, rigs, environment = make_cluster()
    vm = make_vm(rigs["a"], name="x", disk_bytes=1 << 20)
    rigs["a"].machine.named["x"] = FOREVER
    cluster.add(vm, 0, "a", rule())
    schedule_fault(environment, cluster, FaultSpec(10 * MS, "host-crash", "a"))
    environment.run(until=cluster.all_ended)
    assert [event.kind for event in cluster.events][-1] == "restart-refused"
    assert vm.life == 1


def test_a_fault_of_what_is_over_is_passed_over(
    make_cluster: Callable[..., Any], make_vm: Callable[..., Any]
) -> None:
    cluster, rigs, environment = make_cluster(Type2)
    vm = make_vm(rigs["a"], name="x")
    rigs["a"].machine.named["x"] = [("off", 0)]
    cluster.add(vm, 0, "a")
    for at_ns in (10 * MS, 11 * MS):
        schedule_fault(environment, cluster, FaultSpec(at_ns, "host-crash", "b"))
    schedule_fault(environment, cluster, FaultSpec(10 * MS, "vmm-crash", "x"))
    environment.run(until=20 * MS)
    told = [(event.kind, event.detail) for event in cluster.events][2:]
    assert ("fault-skipped", "vmm-crash: the VM is off") in told
    assert ("fault-skipped", "host-crash: the host is off") in told


def test_a_vm_on_its_way_to_a_host_that_fails_is_lost(
    make_cluster: Callable[..., Any], make_vm: Callable[..., Any]
) -> None:
    cluster, rigs, environment = make_cluster()
    vm = make_vm(rigs["a"], name="x")
    rigs["a"].machine.named["x"] = FOREVER
    cluster.add(vm, 0, "a")
    cluster.move_at("x", "b", 10 * MS)
    # 400 KiB take 330 us on the link.
    schedule_fault(environment, cluster, FaultSpec(10 * MS + 100_000, "host-crash", "b"))
    environment.run(until=cluster.all_ended)
    assert (vm.state, vm.message) == ("failed", "its host `b` crashed")
    assert all(rig.machine.vms == {} for rig in rigs.values())
    assert not cluster.hypervisors["b"].expected


# What a crash leaves.


class Content:
    """A disk's content: a byte for each page."""

    size_bytes = 4 * PAGE

    def __init__(self, pages: list[int]) -> None:
        self.pages = list(pages)

    def clone(self) -> Content:
        return Content(self.pages)

    def read(self, offset: int, length: int) -> bytes:
        assert length == PAGE
        return bytes([self.pages[offset // PAGE]])

    def write(self, offset: int, content: bytes) -> None:
        self.pages[offset // PAGE] = content[0]


def test_what_was_written_back_is_what_is_left() -> None:
    live: Any = Content([0, 0, 0, 0])
    durable = DurableContent(live)
    live.pages = [1, 1, 1, 0]
    first = durable.written_later(live, [0, 1])
    live.pages[0] = 2
    second = durable.written_later(live, [0])
    live.pages[1] = 9
    # The later write of page 0 ends first: the earlier one must not undo it.
    second()
    first()
    left: Any = durable.content()
    assert left.pages == [2, 1, 0, 0]
    durable.written_later(live, [2])()
    assert left.pages == [2, 1, 0, 0]
