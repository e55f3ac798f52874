"""Where runs are cut changes nothing, whatever the VMs do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.hypervisor import Hypervisor, Type1, Type2

DURATION_NS = 60_000_000

times_ns = st.integers(1, 5_000_000)
sizes = st.integers(1, 16).map(lambda pages: pages * 4096)
steps = st.one_of(
    st.tuples(st.just("run"), times_ns),
    st.tuples(st.just("run"), times_ns),
    st.tuples(st.just("sleep"), times_ns),
    st.tuples(st.just("read"), sizes),
    st.tuples(st.just("write"), sizes),
    st.tuples(st.just("flush")),
    st.tuples(st.just("send"), st.just(b"frame")),
    st.tuples(st.just("memory")),
)
guests = st.tuples(
    st.lists(steps, min_size=1, max_size=12),
    st.integers(1, 1024),
    st.sampled_from([0, 0, 30]),
)


@pytest.mark.parametrize("kind", [Type1, Type2])
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(guests, min_size=1, max_size=4),
    st.integers(1, 3),
    st.lists(st.integers(20_000, 3_000_000), min_size=1, max_size=8),
    st.lists(st.integers(1, DURATION_NS), max_size=6),
)
def test_cuts_change_nothing(
    make_rig: Callable[..., Any],
    make_vm: Callable[..., Any],
    kind: type[Hypervisor],
    vms: list[tuple[Any, ...]],
    pcpus: int,
    lengths: list[int],
    frames: list[int],
) -> None:
    def observe(cut: Callable[[int, int], int] | None) -> list[Any]:
        rig = make_rig([list(script) * 20 for script, _, _ in vms], pcpus=pcpus, cut=cut)
        hypervisor = kind(rig.host)
        made = []
        for index, (_, weight, cap) in enumerate(vms):
            vm = make_vm(rig, index, weight=weight, cap_percent=cap)
            hypervisor.expect(vm)
            hypervisor.create(vm)
            made.append(vm)
        for at_ns in frames:
            rig.environment.at(
                at_ns, lambda at_ns=at_ns: made[0].nic.arrive(bytes([at_ns % 256])), reach=None
            )
        rig.environment.run(until=DURATION_NS)
        assert all(vm.lateness_ns == 0 for vm in made)
        return [
            (
                vm.state,
                vm.vcpus[0].spent_ns,
                vm.totals.with_current(_now(vm)),
                vm.nic.counts.as_dict(),
            )
            for vm in made
        ]

    calls = iter(range(10**9))

    def cut(now_ns: int, limit_ns: int) -> int:
        return min(limit_ns, now_ns + lengths[next(calls) % len(lengths)])

    assert observe(None) == observe(cut)


def _now(vm: Any) -> dict[str, Any]:
    return {} if vm.hypervisor is None else vm.hypervisor._machine.counters(vm.number)
