"""What every scheduler holds to: weights, caps, pins, no idling beside work, no starving.

The expected shares are those of water-filling, in closed form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.errors import PlacementError
from dcsim.hypervisor import Reservation
from dcsim.hypervisor.steps import primitives_of
from tests.model.schedulers import ALL, COMPUTE, SECOND_NS, WEIGHTED, SchedulerRun, entitled, shares

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def run(make_rig: Callable[..., Any], make_vm: Callable[..., Any]) -> SchedulerRun:
    """Return what runs VMs under a scheduler."""
    return SchedulerRun(make_rig, make_vm)


LONG_NS = {"credit": 6 * SECOND_NS, "fair": 2 * SECOND_NS, "eevdf": 2 * SECOND_NS}
"""For shares to be seen: hundreds of turns each."""

MIXES: list[tuple[int, list[dict[str, int]]]] = [
    (1, [{"weight": 256}, {"weight": 512}]),
    (1, [{"weight": 100}, {"weight": 200}, {"weight": 300}, {"weight": 400}]),
    (1, [{"weight": 128}, {"weight": 1024}]),
    (2, [{"weight": 256}] * 3),
    (2, [{"weight": 256}, {"weight": 256}, {"weight": 512}, {"weight": 512}]),
    (2, [{"weight": 2048}, {"weight": 256}, {"weight": 256}]),
    (4, [{"weight": 256}] * 7),
    (4, [{"weight": 200}, {"weight": 400}, {"weight": 600}] * 3),
]


@pytest.mark.parametrize("policy", WEIGHTED)
@pytest.mark.parametrize(("pcpus", "mix"), MIXES, ids=[str(place) for place in range(len(MIXES))])
def test_shares_are_those_of_the_weights_within_4_percent(
    run: SchedulerRun, policy: str, pcpus: int, mix: list[dict[str, int]]
) -> None:
    duration_ns = LONG_NS[policy]
    vms = run(policy, mix, pcpus=pcpus, duration_ns=duration_ns)

    assert shares(vms, duration_ns) == pytest.approx(entitled(mix, pcpus), rel=0.04)


@pytest.mark.parametrize("policy", WEIGHTED)
@pytest.mark.parametrize("sleep_ns", [7_000_000, 11_000_000, 40_000_000])
def test_weights_hold_for_what_a_sleeper_leaves(
    run: SchedulerRun, policy: str, sleep_ns: int
) -> None:
    """It has as much weight as the lighter one and uses a tenth of its share or less."""
    sleeper: list[tuple[Any, ...]] = [("sleep", sleep_ns), ("run", sleep_ns // 30)] * 2000
    mix = [{"weight": 512}, {"weight": 256}, {"weight": 256}]
    duration_ns = LONG_NS[policy]
    vms = run(policy, mix, scripts=[COMPUTE, COMPUTE, sleeper], duration_ns=duration_ns)

    heavy, light, slept = shares(vms, duration_ns)
    assert slept < 0.04
    assert heavy / light == pytest.approx(2, rel=0.04)


CAPPED: list[tuple[int, list[dict[str, int]]]] = [
    (1, [{"cap_percent": 10}]),
    (1, [{"cap_percent": 25}]),
    (1, [{"cap_percent": 50}, {"cap_percent": 30}]),
    (1, [{"cap_percent": 20}, {}]),
    (1, [{"cap_percent": 40, "weight": 1024}, {"weight": 256}, {"weight": 256}]),
    (2, [{"cap_percent": 60}, {"cap_percent": 30}, {"cap_percent": 10}]),
    (2, [{"cap_percent": 35}, {}, {}]),
]


@pytest.mark.parametrize("policy", WEIGHTED)
@pytest.mark.parametrize(("pcpus", "mix"), CAPPED, ids=[str(place) for place in range(len(CAPPED))])
def test_caps_are_held_within_1_percent(
    run: SchedulerRun, policy: str, pcpus: int, mix: list[dict[str, int]]
) -> None:
    # A capped VM runs in bursts: one more or less must be little.
    duration_ns = 6 * LONG_NS[policy] if policy == "credit" else 2 * LONG_NS[policy]
    vms = run(policy, mix, pcpus=pcpus, duration_ns=duration_ns)

    expected = entitled(mix, pcpus)
    for vm, share, wanted in zip(vms, shares(vms, duration_ns), expected, strict=True):
        allowed = 0.01 if vm.config.cap_percent else 0.04
        assert share == pytest.approx(wanted, rel=allowed)


@pytest.mark.parametrize("policy", ALL)
def test_a_pinned_vm_runs_nowhere_else(run: SchedulerRun, policy: str) -> None:
    """Two are pinned to one processor of two and share it; the third has the other."""
    vms = run(policy, [{"pin": (1,)}, {"pin": (1,)}, {}], pcpus=2)

    assert [vm.vcpus[0].processor for vm in vms] == [1, 1, 0]
    assert shares(vms) == pytest.approx([0.5, 0.5, 1.0], rel=0.04)


@pytest.mark.parametrize("policy", ALL)
def test_whoever_is_displaced_goes_to_an_idle_processor(run: SchedulerRun, policy: str) -> None:
    """A sleeper pinned to processor 0 takes it from a free VM, for which processor 1 is there."""
    sleeper: list[tuple[Any, ...]] = [("sleep", 7_000_000), ("run", 3_000_000)] * 500
    vms = run(policy, [{}, {"pin": (0,)}], scripts=[COMPUTE, sleeper], pcpus=2)

    assert shares(vms)[0] > 0.99


@pytest.mark.parametrize("policy", ALL)
def test_a_turn_can_be_handed_over(run: SchedulerRun, policy: str) -> None:
    """Whom the one that leaves waits for is next, once, unless it does not want to run."""
    vms = run(policy, [{}, {}, {}], duration_ns=1_000_000)
    scheduler = run.scheduler
    (running,) = [vm.vcpus[0] for vm in vms if vm.vcpus[0].state == "running"]
    first, second = (vm.vcpus[0] for vm in vms if vm.vcpus[0] is not running)

    scheduler.leave(running)
    scheduler.hand_over(0, [running, second])
    assert scheduler.choose(0, None, 1_000_001).vcpu is second
    scheduler.leave(second)
    assert scheduler.choose(0, None, 1_000_002).vcpu is first


@st.composite
def hosts(draw: st.DrawFn) -> tuple[int, list[dict[str, Any]], list[list[tuple[Any, ...]]]]:
    """Draw a host with VMs that compute, sleep and wait for a disk at random."""
    pcpus = draw(st.integers(1, 3))
    step = st.one_of(
        st.tuples(st.just("run"), st.integers(1, 20_000_000)),
        st.tuples(st.just("sleep"), st.integers(1, 30_000_000)),
        st.just(("read", 4096)),
        st.just(("wait",)),
    )
    settings_, scripts = [], []
    for _ in range(draw(st.integers(1, 5))):
        pin = draw(st.lists(st.integers(0, pcpus - 1), max_size=2, unique=True))
        settings_.append({"pin": tuple(pin), "weight": draw(st.integers(1, 2000))})
        scripts.append(draw(st.lists(step, min_size=1, max_size=6)) * 8)
    settings_.append({})
    scripts.append(COMPUTE)
    return pcpus, settings_, scripts


@pytest.mark.parametrize("policy", ALL)
@given(host=hosts())
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_time_is_accounted_for_and_no_processor_idles_beside_work(
    run: SchedulerRun, policy: str, host: tuple[int, list[dict[str, Any]], list[Any]]
) -> None:
    """Whatever VMs do: ``Watched`` finds idling; states add up; nobody is told that it starves."""
    pcpus, mix, scripts = host
    duration_ns = SECOND_NS // 4
    vms = run(policy, mix, scripts=scripts, pcpus=pcpus, duration_ns=duration_ns)

    for vm in vms:
        spent = [
            vm.vcpus[0].time_ns(state, duration_ns)
            for state in ("running", "runnable", "blocked", "paused")
        ]
        # A processor may stand a little beyond the end, in a host path.
        assert duration_ns <= sum(spent) <= duration_ns + 10_000
    ran_ns = sum(vm.vcpus[0].time_ns("running", duration_ns) for vm in vms)
    assert ran_ns <= pcpus * (duration_ns + 10_000)


@pytest.mark.parametrize("policy", ALL)
@pytest.mark.parametrize("pcpus", [1, 2])
def test_nobody_starves(run: SchedulerRun, policy: str, pcpus: int) -> None:
    """Even the lightest gets its part, beside sleepers that come back all the time."""
    sleeper: list[tuple[Any, ...]] = [("sleep", 1_000_000), ("run", 2_000_000)] * 3000
    mix: list[dict[str, Any]] = [{"weight": 64}, {"weight": 640}, {"weight": 640}, {"weight": 640}]
    scripts = [COMPUTE, COMPUTE, sleeper, sleeper]
    vms = run(policy, mix, scripts=scripts, pcpus=pcpus, duration_ns=SECOND_NS)

    assert shares(vms, SECOND_NS)[0] > 0.02


def test_a_turn_of_round_robin_is_one_slice(run: SchedulerRun) -> None:
    vms = run("round-robin", [{}, {}, {}], slice=5_000_000, duration_ns=SECOND_NS)

    assert shares(vms, SECOND_NS) == pytest.approx([1 / 3] * 3, rel=0.02)
    switches = sum(vm.hypervisor.counters(vm)["cycles_by_cause"]["host:vcpu_load"] for vm in vms)
    each = primitives_of(vms[0].hypervisor._paths.load)
    assert switches / sum(count for _, count in each) == pytest.approx(200, abs=1)


@pytest.mark.parametrize(("wakes_to", "slices"), [("back", 3), ("front", 0.5)])
def test_one_that_wakes_waits_for_all_or_for_the_end_of_a_slice(
    run: SchedulerRun, wakes_to: str, slices: float
) -> None:
    """With turns of 10 ms and three that compute: up to three turns, or half of one on average."""
    sleeps = [("sleep", 1_000_000 * (53 + number * 7 % 10)) for number in range(100)]
    sleeper: list[tuple[Any, ...]] = [
        step for sleep in sleeps for step in (sleep, ("run", 1_000_000))
    ]
    vms = run(
        "round-robin",
        [{}, {}, {}, {}],
        scripts=[sleeper, COMPUTE, COMPUTE, COMPUTE],
        slice=10_000_000,
        wakes_to=wakes_to,
    )
    sleeper_vcpu = vms[0].vcpus[0]
    mean_ns = sleeper_vcpu.wake_wait_ns / sleeper_vcpu.wakeups
    least, most = (2, 3) if slices == 3 else (0.2, 0.8)
    assert least * 10_000_000 <= mean_ns <= most * 10_000_000


def test_a_reservation_holds_beside_vms_that_compute(run: SchedulerRun) -> None:
    reserved = {"reservation": Reservation(budget_ns=3_000_000, period_ns=10_000_000)}
    vms = run("real-time", [reserved, {}, {}])

    assert shares(vms) == pytest.approx([0.3, 0.35, 0.35], rel=0.02)
    assert run.scheduler.late_ns(vms[0].vcpus[0]) == 0


def test_a_full_set_of_reservations_misses_nothing_on_one_processor(run: SchedulerRun) -> None:
    """The least upper bound of EDF on one processor is 1."""
    mix = [
        {"reservation": Reservation(budget_ns=budget, period_ns=period)}
        for budget, period in (
            (2_000_000, 8_000_000),
            (3_000_000, 12_000_000),
            (5_000_000, 10_000_000),
        )
    ]
    vms = run("real-time", mix)

    assert shares(vms) == pytest.approx([0.25, 0.25, 0.5], rel=0.01)
    # A turn ends with a host path, by which the next one is late.
    assert max(run.scheduler.late_ns(vm.vcpus[0]) for vm in vms) < 10_000


def test_a_host_refuses_a_reservation_that_it_cannot_keep(run: SchedulerRun) -> None:
    half = {"reservation": Reservation(budget_ns=5_000_000, period_ns=10_000_000)}
    little = {"reservation": Reservation(budget_ns=1_000_000, period_ns=100_000_000)}

    assert len(run("real-time", [half, half], duration_ns=1)) == 2
    with pytest.raises(PlacementError, match="processor time that vm-2 reserves"):
        run("real-time", [half, half, little], duration_ns=1)


def test_a_reservation_is_a_limit_too(run: SchedulerRun) -> None:
    reserved = {"reservation": Reservation(budget_ns=2_000_000, period_ns=10_000_000)}
    vms = run("real-time", [reserved])

    assert shares(vms) == pytest.approx([0.2], rel=0.01)


def test_two_processors_hold_reservations_of_more_than_one(run: SchedulerRun) -> None:
    mix = [
        {"reservation": Reservation(budget_ns=6_000_000, period_ns=10_000_000)} for _ in range(3)
    ]
    vms = run("real-time", [*mix, {}], pcpus=2)

    assert shares(vms) == pytest.approx([0.6, 0.6, 0.6, 0.2], rel=0.02)
    # No more than one of three budgets can be late, and by no more than the others' rest.
    assert max(run.scheduler.late_ns(vm.vcpus[0]) for vm in vms) < 6_000_000
