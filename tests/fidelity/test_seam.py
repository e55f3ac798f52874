"""The seam between the machine world and the model leaves no trace in a result.

Nothing arrives in a vCPU's past, every cycle has one cause, and neither the places where runs are
cut nor frames that are refused at first change a byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.guest import kernel_image
from dcsim.results import RunResult
from dcsim.run import run_scenario
from dcsim.scenario import Scenario
from dcsim.sim import Streams
from tests.fidelity.cases import CASES, Case
from tests.fidelity.direct import Cut, Guest
from tests.fidelity.model import HOST, AttendedWorld, outcome_of, scenario_of

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
both_techniques = pytest.mark.parametrize("technique", ["bare-metal", "trap-and-emulate"])
LONG_TICK = {"tick_ms": 1_000_000}
SHORT = Case("short", "suite run=integer:iterations=1,forkwait:n=1:pages=3,files:files=1:size=600",
             disk_mib=1, memory_mib=8)  # fmt: skip
BY_NAME = {case.name: case for case in [*CASES, SHORT]}


def cuts(lengths_ns: Sequence[int]) -> Cut:
    """Return a cut that gives runs these lengths, over and over."""
    calls = iter(range(10**9))

    def cut(now_ns: int, limit_ns: int) -> int:
        return min(limit_ns, now_ns + lengths_ns[next(calls) % len(lengths_ns)])

    return cut


def random_cuts(name: str, longest_ns: int) -> Cut:
    """Return a cut at random points, from a single nanosecond to the longest."""
    stream = Streams(7).stream(name)
    lengths = [1 + stream.below(1 + stream.below(longest_ns)) for _ in range(97)]
    return cuts(lengths)


@cache
def undisturbed(name: str, technique: str) -> tuple[int, dict[str, Any]]:
    """Return the end and the trace of a guest that nothing was done to."""
    guest = Guest(BY_NAME[name], technique).boot().run()
    assert guest.refusals == 0
    return guest.now_ns, guest.trace()


# ---- one guest, directly ----


@every_case
@both_techniques
def test_cuts_change_nothing(case: Case, technique: str) -> None:
    ended_ns, expected = undisturbed(case.name, technique)
    cut = random_cuts(case.name, max(10, ended_ns // 150))
    assert Guest(case, technique, cut=cut).boot().run().trace() == expected


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=6).filter(lambda x: sum(x) > 1500))
def test_any_cuts_change_nothing(lengths_ns: list[int]) -> None:
    _, expected = undisturbed(SHORT.name, "trap-and-emulate")
    assert Guest(SHORT, "trap-and-emulate", cut=cuts(lengths_ns)).boot().run().trace() == expected


@every_case
@both_techniques
@pytest.mark.parametrize("every", [2, 3, 7])
def test_refused_frames_change_nothing(case: Case, technique: str, every: int) -> None:
    _, expected = undisturbed(case.name, technique)
    scarce = Guest(case, technique, fail_every=every).boot().run()
    assert scarce.refusals > 0 or technique == "bare-metal"
    assert scarce.trace() == expected


@both_techniques
def test_refused_frames_and_cuts_together_change_nothing(technique: str) -> None:
    _, expected = undisturbed(SHORT.name, technique)
    for every in range(2, 12):
        cut = random_cuts(f"every {every}", 9_000)
        assert Guest(SHORT, technique, fail_every=every, cut=cut).boot().run().trace() == expected


@every_case
@both_techniques
@pytest.mark.parametrize("profile", ["sifive-u54", "xiangshan-nanhu"])
def test_every_cycle_has_one_cause(case: Case, technique: str, profile: str) -> None:
    """The causes add up to the total, and that to the clock of the pCPU that held the vCPU."""
    Guest(case, technique, profile=profile).boot().run().check_accounts()


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.tells_time], ids=lambda case: case.name
)
def test_instructions_are_those_of_bare_metal(case: Case) -> None:
    """Without interrupts of the timer, the monitor adds no instruction to the guest's own.

    To print a clock value takes as many instructions as it has digits.
    """
    arguments = Case(case.name, case.command, {**case.settings, **LONG_TICK}).boot_arguments
    counts = []
    for technique in ("bare-metal", "trap-and-emulate"):
        guest = Guest(case, technique, bootargs=arguments).boot()
        # A kernel whose stolen time is recorded executes what keeps account of it.
        guest.machine.withhold_steal_time(guest.vm)
        counts.append(guest.run().counters["instructions"])
    assert counts[0] == counts[1]


def test_two_guests_share_a_clock() -> None:
    """Both VMs of a pCPU get every cycle of it, whichever holds it; the host's own work too."""
    guest = Guest(BY_NAME["forkwait"], "trap-and-emulate").boot()
    machine = guest.machine
    other = machine.create_vm(guest.config, kernel_image())
    machine.unload(0)
    holders = [guest.vm, other]
    for turn in range(40):
        machine.load(0, holders[turn % 2], 0, machine.local_time_ns(0))
        machine.host_path(0, "turn", [("alu", 17), ("save_registers", 1)])
        machine.run(machine.local_time_ns(0) + 11_000)
        machine.unload(0)
    counters = [machine.counters(vm) for vm in holders]
    for each in counters:
        assert each["cycles_by_cause"]["host:turn"] > 20 * 17
        assert sum(each["cycles_by_cause"].values()) == each["total_cycles"] > 20 * 11_000
    assert sum(each["total_cycles"] for each in counters) == machine.local_time_ns(0)


# ---- whole scenarios ----


def data_centre() -> Scenario:
    """Return a scenario in which everything happens that crosses the seam."""
    host = {**HOST, "pcpus": 2, "memory": "64 MiB"}
    requests = {"rate": "900 /s", "count": 25, "compute": 30, "pages": 9, "sectors": 2}
    disk = {"size": "1 MiB", "on": "san"}
    return Scenario.model_validate(
        {
            "dcsim": 1,
            "name": "seam",
            "duration": "60 ms",
            "hosts": [
                {"name": "one", "hypervisor": "type1", **host},
                {"name": "two", "hypervisor": "type2", **host},
                {"name": "three", "hypervisor": "type1", **host},
            ],
            "storage": {"shared": [{"name": "san", "latency": "90 us", "bandwidth": "2 GB/s"}]},
            "vms": [
                {"name": "web", "count": 2, "program": "server disk=128", "memory": "8 MiB",
                 "disk": disk, "requests": requests},
                {"name": "files", "program": "files files=3 size=5000", "memory": "8 MiB",
                 "disk": disk},
                {"name": "job", "count": 3, "program": "integer iterations=300",
                 "memory": "8 MiB"},
                {"name": "forks", "program": "forkwait n=20 pages=9", "memory": "8 MiB"},
                {"name": "nap", "program": "idle period=7", "memory": "4 MiB"},
            ],
            "placement": {"policy": "spread"},
            "migrations": [
                {"vm": "job-1", "to": "three", "at": "3 ms"},
                {"vm": "web-0", "to": "two", "at": "9 ms"},
                {"vm": "nap", "to": "one", "at": "14 ms"},
            ],
            "consolidation": {"policy": "underload", "threshold": 0.4, "interval": "20 ms"},
        }
    )  # fmt: skip


@cache
def whole_run() -> RunResult:
    return run_scenario(data_centre())


def test_nothing_arrives_in_the_past() -> None:
    result = whole_run()
    assert len(result.migrations) >= 3
    assert sum(len(vm.requests) for vm in result.vms) == 50
    assert any(vm.disk_writes for vm in result.vms)
    for vm in result.vms:
        assert vm.lateness_ns == 0
        assert sum(vm.cycles.values()) == vm.total_cycles > 0


@pytest.mark.parametrize("longest_ns", [2_000, 50_000, 1_000_000])
def test_a_scenario_cut_elsewhere_is_the_same(longest_ns: int) -> None:
    stream = Streams(3).stream(f"cut {longest_ns}")
    world = AttendedWorld(cut=lambda _until_ns: 1 + stream.below(longest_ns))
    assert run_scenario(data_centre(), world=world) == whole_run()


@pytest.mark.parametrize("every", [2, 3, 5, 11])
def test_a_scenario_with_refused_frames_is_the_same(every: int) -> None:
    assert run_scenario(data_centre(), world=AttendedWorld(fail_every=every)) == whole_run()


@every_case
def test_a_case_with_refused_frames_is_the_same(case: Case) -> None:
    results = [
        run_scenario(scenario_of(case, ["type1"]), world=AttendedWorld(case.typed, fail_every=each))
        for each in (0, 2)
    ]
    assert outcome_of(case, results[0]).status == case.status
    assert results[0] == results[1]
