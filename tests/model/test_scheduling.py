"""Who runs when: shares by weight, caps, boost, steal time, for both schedulers.

The VMs compute without end; a share is the time on a processor over the time of the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dcsim.hypervisor import Hypervisor, Type1, Type2, VirtualMachine

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND_NS = 10**9
COMPUTE: list[tuple[Any, ...]] = [("run", 10**12)]
TYPES = [Type1, Type2]


@pytest.fixture
def run(make_rig: Callable[..., Any], make_vm: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs VMs with given settings and returns them."""

    def run_all(
        kind: type[Hypervisor],
        settings: list[dict[str, Any]],
        *,
        scripts: list[list[tuple[Any, ...]]] | None = None,
        pcpus: int = 1,
        duration_ns: int = 3 * SECOND_NS,
        cut: Callable[[int, int], int] | None = None,
    ) -> list[VirtualMachine]:
        scripts = scripts or [COMPUTE for _ in settings]
        rig = make_rig([list(script) for script in scripts], pcpus=pcpus, cut=cut)
        hypervisor = kind(rig.host)
        vms = [make_vm(rig, index, **each) for index, each in enumerate(settings)]
        for vm in vms:
            hypervisor.expect(vm)
            hypervisor.create(vm)
        rig.environment.run(until=duration_ns)
        return vms

    return run_all


def shares(vms: list[VirtualMachine], duration_ns: int = 3 * SECOND_NS) -> list[float]:
    return [vm.vcpus[0].time_ns("running", duration_ns) / duration_ns for vm in vms]


@pytest.mark.parametrize("kind", TYPES)
def test_one_vm_has_a_processor_for_itself(run: Callable[..., Any], kind: type) -> None:
    (vm,) = run(kind, [{}])
    assert shares([vm])[0] > 0.999
    assert vm.vcpus[0].time_ns("runnable", 3 * SECOND_NS) == 0


@pytest.mark.parametrize("kind", TYPES)
def test_equal_weights_give_equal_shares(run: Callable[..., Any], kind: type) -> None:
    vms = run(kind, [{}, {}, {}])
    assert shares(vms) == pytest.approx([1 / 3] * 3, abs=0.02)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("weights", [(256, 512), (256, 768), (128, 256, 640)])
def test_shares_follow_the_weights(
    run: Callable[..., Any], kind: type, weights: tuple[int, ...]
) -> None:
    vms = run(kind, [{"weight": weight} for weight in weights])
    expected = [weight / sum(weights) for weight in weights]
    assert shares(vms) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("kind", TYPES)
def test_time_is_run_or_stolen_and_nothing_else(run: Callable[..., Any], kind: type) -> None:
    vms = run(kind, [{}, {"weight": 512}])
    for vm in vms:
        ran, stolen = (
            vm.vcpus[0].time_ns(state, 3 * SECOND_NS) for state in ("running", "runnable")
        )
        assert ran + stolen == pytest.approx(3 * SECOND_NS, abs=1000)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("cap", [10, 25, 50])
def test_a_cap_limits_a_vm_on_an_idle_host(run: Callable[..., Any], kind: type, cap: int) -> None:
    vms = run(kind, [{"cap_percent": cap}])
    assert shares(vms) == pytest.approx([cap / 100], abs=0.03)


@pytest.mark.parametrize("kind", TYPES)
def test_what_a_capped_vm_leaves_others_get(run: Callable[..., Any], kind: type) -> None:
    vms = run(kind, [{"cap_percent": 20}, {}])
    assert shares(vms) == pytest.approx([0.2, 0.8], abs=0.03)


@pytest.mark.parametrize("kind", TYPES)
def test_two_processors_serve_three_vms_fairly(run: Callable[..., Any], kind: type) -> None:
    vms = run(kind, [{}, {}, {}], pcpus=2)
    assert sum(shares(vms)) == pytest.approx(2.0, abs=0.01)
    assert min(shares(vms)) > 0.5


@pytest.mark.parametrize("kind", TYPES)
def test_no_processor_idles_while_a_vm_waits(run: Callable[..., Any], kind: type) -> None:
    vms = run(kind, [{"weight": 64}, {"weight": 1024}, {}, {}], pcpus=4)
    assert shares(vms) == pytest.approx([1.0] * 4, abs=0.01)


@pytest.mark.parametrize("kind", TYPES)
def test_vms_that_start_at_once_all_find_a_processor(run: Callable[..., Any], kind: type) -> None:
    vms = run(kind, [{}] * 4, pcpus=4, duration_ns=1_000_000)
    assert [vm.vcpus[0].time_ns("runnable", 1_000_000) for vm in vms] == [0] * 4


def wake_delays(vm: VirtualMachine, count: int) -> float:
    """Return the mean time that a sleeper waited for a processor after each of its sleeps."""
    return vm.vcpus[0].time_ns("runnable", SECOND_NS) / count


def test_credit_boosts_a_sleeper_past_computing_vms(run: Callable[..., Any]) -> None:
    """A VM that runs 0.1 ms in 5 ms waits at most the rate limit, never the others' slices."""
    sleeper: list[tuple[Any, ...]] = [("sleep", 5_000_000), ("run", 100_000)] * 1000
    vms = run(Type1, [{}, {}, {}], scripts=[sleeper, COMPUTE, COMPUTE], duration_ns=SECOND_NS)
    assert wake_delays(vms[0], 190) < 1_000_000


def test_credit_serves_an_over_vm_only_after_the_others(run: Callable[..., Any]) -> None:
    """A computing VM that is over its credit waits out the slices of the one that is not."""
    vms = run(Type1, [{"weight": 1}, {"weight": 65_535}])
    assert shares(vms)[0] < 0.02


def test_the_fair_scheduler_serves_a_sleeper_soon(run: Callable[..., Any]) -> None:
    sleeper: list[tuple[Any, ...]] = [("sleep", 5_000_000), ("run", 100_000)] * 1000
    vms = run(Type2, [{}, {}, {}], scripts=[sleeper, COMPUTE, COMPUTE], duration_ns=SECOND_NS)
    assert wake_delays(vms[0], 190) < 1_000_000


def observed(vms: list[VirtualMachine]) -> list[Any]:
    found = []
    for vm in vms:
        assert vm.hypervisor is not None
        found.append((vm.vcpus[0].spent_ns, vm.hypervisor.counters(vm)))
    return found


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("pcpus", [1, 2])
def test_where_runs_are_cut_changes_nothing(
    run: Callable[..., Any], kind: type, pcpus: int
) -> None:
    """A run that is cut at every odd point gives the same times and counters as one that is not."""
    scripts: list[list[tuple[Any, ...]]] = [
        [("run", 700_001), ("read", 4096), ("wait",), ("sleep", 333_333)] * 500,
        COMPUTE,
        [("run", 50_003), ("write", 8192), ("flush",), ("wait",), ("wait",)] * 500,
    ]
    settings: list[dict[str, Any]] = [{"weight": 300}, {}, {"cap_percent": 40}]

    def cut(now_ns: int, limit_ns: int) -> int:
        return min(limit_ns, now_ns + 1 + now_ns * 7919 % 1_000_003)

    arguments = {"scripts": scripts, "pcpus": pcpus, "duration_ns": SECOND_NS // 4}
    assert observed(run(kind, settings, **arguments)) == observed(
        run(kind, settings, **arguments, cut=cut)
    )
