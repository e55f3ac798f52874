"""The estimate of active memory: its averages, and an error as the binomial predicts."""

from fractions import Fraction
from itertools import pairwise
from math import comb

import pytest

from dcsim.hypervisor.memory.working_set import (
    FAST_GAIN,
    SAMPLED_PAGES,
    SLOW_GAIN,
    WorkingSet,
    choose_distinct,
)
from dcsim.sim import Streams

CHI_SQUARE_999 = {
    1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52, 6: 22.46, 7: 24.32, 8: 26.12, 9: 27.88,
    10: 29.59, 11: 31.26, 12: 32.91, 13: 34.53, 14: 36.12, 15: 37.70, 16: 39.25, 17: 40.79,
    18: 42.31, 19: 43.82, 20: 45.31,
}  # fmt: skip
"""99.9 % points by degrees of freedom, from tables."""


def chi_square(found: list[int], shares: list[float]) -> tuple[float, int]:
    """Compare counts with expected shares, in classes that expect at least 60; also the freedom."""
    total = sum(found)
    classes: list[list[float]] = [[0, 0.0]]
    for count, share in zip(found, shares, strict=True):
        if classes[-1][1] >= 60:
            classes.append([0, 0.0])
        classes[-1][0] += count
        classes[-1][1] += total * share
    if classes[-1][1] < 60 and len(classes) > 1:
        last = classes.pop()
        classes[-1] = [classes[-1][0] + last[0], classes[-1][1] + last[1]]
    return sum((seen - due) ** 2 / due for seen, due in classes), len(classes) - 1


@pytest.mark.parametrize("percent", [5, 20, 50, 80, 95])
def test_counts_are_binomial(percent: int) -> None:
    """2,000 samples of 100 pages out of 2^16, of which a known part was accessed."""
    population, samples = 1 << 16, 2000
    active = population * percent // 100
    stream = Streams(percent).stream("sample")
    found = [0] * (SAMPLED_PAGES + 1)
    for _ in range(samples):
        chosen = choose_distinct(stream, SAMPLED_PAGES, population)
        found[sum(page < active for page in chosen)] += 1
    part = active / population
    binomial = [
        comb(SAMPLED_PAGES, t) * part**t * (1 - part) ** (SAMPLED_PAGES - t)
        for t in range(SAMPLED_PAGES + 1)
    ]

    statistic, freedom = chi_square(found, binomial)

    assert statistic < CHI_SQUARE_999[freedom]


def test_every_page_is_chosen_equally_often() -> None:
    stream = Streams(3).stream("sample")
    found = [0] * 20
    for _ in range(4000):
        for page in choose_distinct(stream, 5, 20):
            found[page] += 1

    statistic, freedom = chi_square(found, [1 / 20] * 20)

    assert statistic < CHI_SQUARE_999[freedom]


@pytest.mark.parametrize(("count", "population"), [(1, 1), (5, 5), (9, 5), (5, 6), (0, 3)])
def test_choices_are_distinct(count: int, population: int) -> None:
    chosen = choose_distinct(Streams(1).stream("sample"), count, population)

    assert len(chosen) == min(count, population)
    assert all(one < other for one, other in pairwise(chosen))
    assert all(0 <= page < population for page in chosen)


def test_a_vm_counts_as_active_until_its_first_period_is_over() -> None:
    estimate = WorkingSet()
    assert estimate.active == 1
    estimate.note(1, 100)
    assert estimate.active == 1
    estimate.end_period(20, 100)
    assert estimate.active == Fraction(20, 100)


def test_an_active_vm_is_believed_soon_and_an_idle_one_late() -> None:
    """With constant samples an average goes to them geometrically; the estimate is the greatest."""
    estimate = WorkingSet()
    estimate.end_period(100, 100)
    slow = fast = Fraction(1)
    for _ in range(10):
        estimate.end_period(0, 100)
        slow, fast = slow * (1 - SLOW_GAIN), fast * (1 - FAST_GAIN)
        assert float(estimate.active) == pytest.approx(float(slow), abs=1e-8)
        assert slow > fast
    for _ in range(2):
        estimate.end_period(100, 100)
        slow, fast = slow + SLOW_GAIN * (1 - slow), fast + FAST_GAIN * (1 - fast)
        assert float(estimate.active) == pytest.approx(float(max(slow, fast)), abs=1e-8)
    assert fast > slow


def test_the_current_period_counts_before_it_is_over() -> None:
    estimate = WorkingSet()
    estimate.end_period(0, 100)
    found = []
    for touched in (0, 30, 60):
        estimate.note(touched, 100)
        found.append(estimate.active)

    assert found == [0, FAST_GAIN * Fraction(30, 100), FAST_GAIN * Fraction(60, 100)]


def test_a_vm_without_pages_changes_nothing() -> None:
    estimate = WorkingSet()
    estimate.end_period(0, 0)

    assert estimate.active == 1
    assert estimate.periods == 0
