"""The seam: how far a machine may run ahead, and what happens when someone forgets to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dcsim.errors import SeamError
from dcsim.hypervisor import Type1


@pytest.fixture
def busy(make_rig: Callable[..., Any], make_vm: Callable[..., Any]) -> Any:
    """Return a rig whose one VM computes without end."""
    rig = make_rig([[("run", 10**12)]])
    hypervisor = Type1(rig.host)
    vm = make_vm(rig)
    hypervisor.expect(vm)
    hypervisor.create(vm)
    rig.vm = vm
    return rig


def test_a_machine_runs_from_event_to_event(busy: Any) -> None:
    """In 100 ms: nine ticks, with which the ends of slices coincide, and the end of the run."""
    busy.environment.run(until=100_000_000)
    assert busy.host.conductor.runs == 10


def test_events_of_other_hosts_do_not_cut_a_run(busy: Any, make_rig: Callable[..., Any]) -> None:
    other = make_rig([], name="other", environment=busy.environment)
    for time in range(1000, 1_000_000, 1000):
        busy.environment.at(time, lambda: None, reach=other.host.scope)
    busy.environment.run(until=1_000_000)
    assert busy.host.conductor.runs == 1


def test_an_open_channel_keeps_the_machine_within_its_latency(busy: Any) -> None:
    near = busy.host.conductor.open_channel(100_000)
    busy.host.conductor.open_channel(250_000)
    busy.environment.run(until=1_000_000)
    assert busy.host.conductor.runs == 10
    busy.host.conductor.close_channel(near)
    busy.environment.run(until=2_000_000)
    assert busy.host.conductor.runs == 14


def test_a_channel_that_is_known_to_be_quiet_limits_nothing_until_then(busy: Any) -> None:
    channel = busy.host.conductor.open_channel(100_000)
    channel.quiet_until_ns = 700_000
    busy.environment.run(until=1_000_000)
    assert busy.host.conductor.runs == 4


def test_an_event_that_did_not_say_whom_it_reaches_is_found_out(
    busy: Any, make_rig: Callable[..., Any]
) -> None:
    other = make_rig([], name="other", environment=busy.environment)
    busy.environment.at(5_000, busy.host.conductor.kick, reach=other.host.scope)
    with pytest.raises(SeamError, match="was not announced"):
        busy.environment.run(until=1_000_000)


def test_lateness_is_how_far_the_guest_has_executed_beyond_now(
    busy: Any, make_rig: Callable[..., Any]
) -> None:
    other = make_rig([], name="other", environment=busy.environment)
    seen: list[int] = []
    processor = busy.host.conductor.processors[0]

    def look() -> None:
        seen.append(busy.host.conductor.lateness_ns(processor))

    busy.environment.at(5_000, look, reach=other.host.scope)
    busy.environment.at(1_000_000, look, reach=busy.host.scope)
    busy.environment.run(until=2_000_000)
    assert seen == [995_000, 0]


def test_a_host_without_work_costs_no_events(make_rig: Callable[..., Any]) -> None:
    rig = make_rig([])
    Type1(rig.host)
    rig.environment.run(until=10**9)
    assert rig.host.conductor.runs == 0
    # The start of the conductor, and the end of the run.
    assert rig.environment.scheduled <= 3
