"""The rules of single schedulers, against their definitions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.errors import UnknownNameError
from dcsim.hypervisor import make_scheduler, scheduler_kind, scheduler_names
from dcsim.hypervisor.eevdf import EevdfScheduler
from dcsim.hypervisor.scheduler import places
from dcsim.hypervisor.virtual_time import feasible_weights
from tests.unit.threads import MILLISECOND_NS, Thread


def test_every_scheduler_is_made_by_its_name() -> None:
    assert scheduler_names() == (
        "credit",
        "fair",
        "eevdf",
        "round-robin",
        "real-time",
        "gang",
    )
    for name in scheduler_names():
        assert make_scheduler(name, 2, {}).choose(0, None, 0).vcpu is None


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    with pytest.raises(UnknownNameError, match="eevdf"):
        scheduler_kind("eevfd")


def test_a_figure_that_a_scenario_gives_is_not_in_force_from_elsewhere() -> None:
    kind = scheduler_kind("credit")

    assert {entry.name for entry in kind.constants({})} - {
        entry.name for entry in kind.constants({"slice": 1})
    } == {"credit.slice"}


def test_home_goes_before_where_one_ran_last() -> None:
    thread = Thread(0)
    thread.processor = 2
    assert places(thread, 4) == [2, 0, 1, 3]
    thread.home = frozenset({0, 1})
    assert places(thread, 4) == [0, 1, 2, 3]
    thread.affinity = frozenset({1, 3})
    assert places(thread, 4) == [1, 3]


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=12), st.integers(1, 6))
def test_no_weight_stands_for_more_than_one_processor(weights: list[int], processors: int) -> None:
    """And whoever can use all of its weight keeps it: the definition of weight readjustment."""
    weights = sorted((weight << 20 for weight in weights), reverse=True)
    found = feasible_weights(weights, processors)
    share = [Fraction(weight * processors, sum(found)) for weight in found]

    assert max(share) <= 1 or len(weights) < processors
    if len(weights) > processors:
        for before, after, part in zip(weights, found, share, strict=True):
            # Readjusted weights are whole numbers, a little below what they stand for.
            assert before == after or part > Fraction(999, 1000)


def test_eevdf_chooses_the_earliest_deadline_of_those_that_are_eligible() -> None:
    """Worked out by hand: weights 1 and 2 in units of a request; the heavy one's deadline is first.

    Both stand at virtual time 0 and are eligible. After one request of the heavy thread its virtual
    time is 1/2 and the mean 1/3, so it is not eligible, though its next deadline, 1, is not later
    than the light one's. After a request of the light thread the mean is 2/3: the heavy one goes on.
    """
    scheduler = EevdfScheduler(1, base_slice_ns=MILLISECOND_NS)
    light, heavy = Thread(0, 256), Thread(1, 512)
    for thread in (light, heavy):
        scheduler.add(thread)
        scheduler.wake(thread, 0)

    order, current, now_ns = [], None, 0
    for _ in range(6):
        current = scheduler.choose(0, current, now_ns).vcpu
        order.append(current)
        scheduler.charge(current, MILLISECOND_NS)
        now_ns += MILLISECOND_NS

    assert order == [heavy, light, heavy, heavy, light, heavy]


@given(
    st.lists(st.integers(16, 4096), min_size=2, max_size=8),
    st.lists(st.integers(1, 1000), min_size=20, max_size=60),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_the_lag_of_eevdf_keeps_to_its_published_bounds(
    weights: list[int], cuts: list[int], choice: int
) -> None:
    """Theorem 1: between -r and max(r, q), with requests and uninterrupted turns of one length.

    Turns are cut short and threads come and go between them, as the paper lets them: a thread that
    leaves with a lag takes it along.
    """
    request_ns = MILLISECOND_NS
    scheduler = EevdfScheduler(1, base_slice_ns=request_ns)
    threads = [Thread(index, weight) for index, weight in enumerate(weights)]
    for thread in threads:
        scheduler.add(thread)
        scheduler.wake(thread, 0)
    away: Thread | None = None
    current, now_ns = None, 0
    for number, cut in enumerate(cuts * 4):
        current = scheduler.choose(0, current, now_ns).vcpu
        again_ns = scheduler.choose(0, current, now_ns).again_ns
        left_ns = request_ns if again_ns is None else again_ns - now_ns
        ran_ns = max(1, min(left_ns, cut * request_ns // 1000))
        scheduler.charge(current, ran_ns)
        now_ns += ran_ns
        for thread in threads:
            if thread is not away:
                lag_ns = scheduler.lag_ns(thread)
                assert -request_ns - 10 <= lag_ns <= request_ns + 10
        if (choice >> number % 32) & 1:
            if away is not None:
                scheduler.wake(away, now_ns)
                away = None
            elif len(threads) > 2:
                away = threads[number % len(threads)]
                scheduler.leave(away)
                current = None if away is current else current
