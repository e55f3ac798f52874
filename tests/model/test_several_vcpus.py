"""VMs with several vCPUs under hypervisors: results, migration, and the seam.

The guest kernel runs its processes on all harts that it finds; what they print does not depend on
how many these are.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from dcsim.run import run_scenario
from dcsim.scenario import Scenario

if TYPE_CHECKING:
    from dcsim.results import RunResult, VmRecord

TECHNIQUES = (
    "bare-metal/none",
    "hardware-assisted/nested",
    "hardware-assisted/shadow-traced",
    "trap-and-emulate/shadow-tlb",
    "trap-and-emulate/shadow-traced",
    "four-rings/shadow-tlb",
    "four-rings/shadow-traced",
    "paravirtual/direct",
)
MONITORED = TECHNIQUES[1:]
HOST = {"hardware": "vt-2008-nehalem", "memory": "96 MiB", "power": "hp-ml110-g5"}
PARALLEL = "parallel workers=4 rounds=12"
TELLS = "kernel.locks=paravirtual"
"""For more vCPUs than processors: with ticket locks each of them would have to have its turn before
the lock changes hands, as `scenarios/concepts/lock-holder-preemption.yaml` shows."""


def scenario(vms: list[dict[str, Any]], pcpus: int, **more: Any) -> Scenario:
    hosts = [
        {"name": f"{kind}-host", "hypervisor": kind, "pcpus": pcpus, **HOST}
        for kind in ("type1", "type2")
    ]
    return Scenario.model_validate(
        {"dcsim": 1, "name": "several", "duration": "60 ms", "hosts": hosts, "vms": vms} | more
    )


def ran(
    technique: str,
    vcpus: int,
    pcpus: int,
    host: str = "type1-host",
    program: str = PARALLEL,
    kernel: str = TELLS,
) -> VmRecord:
    # A guest that owns its machine has a processor for each hart.
    pcpus = vcpus if technique == "bare-metal/none" else pcpus
    guest = {"name": "guest", "program": program, "memory": "16 MiB", "host": host}
    if vcpus > pcpus:
        guest["kernel"] = kernel
    name, paging = technique.split("/")
    several = {"technique": name, "paging": paging, "vcpus": vcpus}
    result = run_scenario(scenario([{**guest, **several}], pcpus))
    return result.vms[0]


def printed(vm: VmRecord) -> list[str]:
    """Return the lines that do not depend on the order of processes, or the number of harts."""
    lines = vm.console.decode().replace("\r", "").splitlines()
    return sorted(line for line in lines if line.startswith(("digest ", "result ")))


@cache
def alone(technique: str) -> VmRecord:
    return ran(technique, 1, 1)


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize(("vcpus", "pcpus", "kind"), [(4, 4, "type1"), (8, 3, "type2")])
def test_a_guest_does_the_same_on_several_vcpus(
    technique: str, vcpus: int, pcpus: int, kind: str
) -> None:
    several = ran(technique, vcpus, pcpus, f"{kind}-host")
    assert several.state == "off"
    assert several.exit_status == 0
    assert several.lateness_ns == 0
    assert printed(several) == printed(alone("bare-metal/none"))
    assert f"{vcpus} harts" in several.console.decode()
    assert sum(several.cycles.values()) == several.total_cycles


def test_a_paravirtual_kernel_in_user_mode_has_several_harts() -> None:
    host = {"name": "plain", "hypervisor": "type1", "pcpus": 2, "hardware": "sifive-u54",
            "isa": "rv64gc-legacy-silent", "memory": "96 MiB", "power": "hp-ml110-g5"}  # fmt: skip
    guest = {"name": "guest", "program": PARALLEL, "memory": "16 MiB", "host": "plain",
             "kernel": TELLS, "technique": "paravirtual", "vcpus": 4}  # fmt: skip
    vm = run_scenario(scenario([guest], 2, hosts=[host])).vms[0]
    assert vm.state == "off"
    assert "4 harts" in vm.console.decode()
    assert printed(vm) == printed(alone("bare-metal/none"))
    assert vm.exits["remote_fence"] > 0


@pytest.mark.parametrize("technique", MONITORED)
def test_a_pending_timer_does_not_end_a_wait_for_a_lock(technique: str) -> None:
    """Under credit, which lets who wakes go first, waiters with a timer kept holders off.

    Every vCPU's timer is due again and again while it waits with interrupts off. The guest ends in
    the time that it takes without such timers, but for the processes' turns.
    """
    program = "suite parallel=1 run=integer:iterations=3,float:steps=30,forkwait:n=3,syscalls:n=100"
    often, never = (
        ran(technique, 4, 2, program=program, kernel=f"{TELLS} kernel.tick_ms={tick_ms}")
        for tick_ms in (1, 10_000)
    )
    assert often.state == never.state == "off"
    assert often.exits["spin_wait"] > 0
    assert often.ended_ns is not None
    assert never.ended_ns is not None
    assert often.ended_ns < 2 * never.ended_ns
    assert printed(often) == printed(never)


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_workers_run_at_the_same_time(technique: str) -> None:
    """Four workers that only compute take less than half of the time on four processors."""
    computing = "parallel workers=4 rounds=8 work=20000 pages=1"
    one, four = (ran(technique, each, each, program=computing) for each in (1, 4))
    assert one.ended_ns is not None
    assert four.ended_ns is not None
    assert four.ended_ns < one.ended_ns / 2
    assert printed(one) == printed(four)


def test_the_time_of_all_vcpus_is_accounted() -> None:
    """Each vCPU runs, is robbed, or waits, from the VM's start to its end."""
    vm = ran("trap-and-emulate/shadow-tlb", 4, 2)
    assert vm.ended_ns is not None
    accounted_ns = vm.run_ns + vm.steal_ns + vm.halted_ns
    assert accounted_ns == pytest.approx(4 * vm.ended_ns, rel=0.001)
    assert vm.steal_ns > 0


def busy() -> Scenario:
    """Return a scenario in which VMs with several vCPUs serve, move and share processors."""
    requests = {"rate": "900 /s", "count": 20, "compute": 30, "pages": 9, "sectors": 2}
    disk = {"size": "1 MiB", "on": "san"}
    guest = {"memory": "12 MiB", "host": "type1-host", "kernel": TELLS}
    return scenario(
        [
            {"name": "web", "program": "server disk=128", "vcpus": 3, "disk": disk,
             "requests": requests, "technique": "hardware-assisted", **guest},
            {"name": "job", "program": "parallel workers=6 rounds=60", "vcpus": 4, **guest},
            {"name": "one", "program": "integer iterations=300", **guest},
        ],
        2,
        duration="200 ms",
        storage={"shared": [{"name": "san", "latency": "90 us", "bandwidth": "2 GB/s"}]},
        migrations=[
            {"vm": "job", "to": "type2-host", "at": "2 ms"},
            {"vm": "web", "to": "type2-host", "at": "9 ms"},
        ],
    )  # fmt: skip


@cache
def whole_run() -> RunResult:
    return run_scenario(busy())


def test_vms_with_several_vcpus_serve_and_move() -> None:
    result = whole_run()
    assert [move.vm for move in result.migrations] == ["job", "web"]
    assert all(move.source_digest == move.destination_digest for move in result.migrations)
    web, job, one = result.vms
    assert sum(request.answered_ns is not None for request in web.requests) == 20
    assert job.state == one.state == "off"
    assert job.exit_status == one.exit_status == 0
    assert [vm.lateness_ns for vm in result.vms] == [0, 0, 0]


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_cuts_change_no_byte_under_any_technique(technique: str) -> None:
    name, paging = technique.split("/")
    guest = {"name": "guest", "program": "parallel workers=3 rounds=2", "memory": "16 MiB",
             "host": "type1-host", "kernel": TELLS,
             "technique": name, "paging": paging, "vcpus": 3}  # fmt: skip
    played = scenario([guest], 3 if name == "bare-metal" else 2)

    def cut(now_ns: int, limit_ns: int) -> int:
        return min(limit_ns, now_ns + 1 + now_ns * 7919 % 20_011)

    whole = run_scenario(played)
    assert whole.vms[0].state == "off"
    assert run_scenario(played, cut=cut) == whole


@pytest.mark.parametrize("step_ns", [977, 30_011])
def test_where_runs_are_cut_changes_no_byte(step_ns: int) -> None:
    def cut(now_ns: int, limit_ns: int) -> int:
        return min(limit_ns, now_ns + 1 + now_ns * 7919 % step_ns)

    assert run_scenario(busy(), cut=cut) == whole_run()


@pytest.mark.parametrize("scheduler", [{"policy": "credit", "slice": "6 ms"}, {"policy": "fair"}])
def test_handing_turns_over_gives_nobody_more_than_its_share(scheduler: dict[str, str]) -> None:
    """Four vCPUs that wait for each other all the time, of little weight, beside two heavy VMs."""
    host = {"name": "h", "hypervisor": "type1", "pcpus": 2, "clock": "20 MHz", **HOST}
    guest = {"host": "h", "memory": "8 MiB", "technique": "hardware-assisted"}
    waiting = {"program": "locks workers=4 rounds=1000000 think=5000", "kernel": TELLS, "vcpus": 4}
    vms = [{"name": "waiting", "weight": 64, **waiting, **guest}]
    vms += [
        {"name": name, "weight": 512, "program": "integer iterations=1000000", **guest}
        for name in ("one", "two")
    ]
    scenario = {"dcsim": 1, "name": "shares", "duration": "1500 ms", "vms": vms}
    result = run_scenario(
        Scenario.model_validate({**scenario, "hosts": [{**host, "scheduler": scheduler}]})
    )
    waited, one, two = result.vms
    assert waited.exits["spin_wait"] > 100
    assert one.run_ns == pytest.approx(two.run_ns, rel=0.04)
    share = waited.run_ns / (waited.run_ns + one.run_ns + two.run_ns)
    assert share < 1.04 * (4 * 64) / (4 * 64 + 2 * 512)
