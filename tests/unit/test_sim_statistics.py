"""Exact statistics."""

from fractions import Fraction

import pytest

from dcsim.sim import Counter, Level, Tally


def test_a_counter_reports_in_the_order_of_names() -> None:
    counter = Counter()
    counter.add("write")
    counter.add("read", 2)
    counter.add("write")
    assert list(counter.as_dict().items()) == [("read", 2), ("write", 2)]
    assert counter["nothing"] == 0
    assert counter.total == 4


def test_a_level_is_weighted_by_time() -> None:
    level = Level()
    level.set(2, 10)
    level.add(3, 30)
    assert level.time_at_ns(40) == {0: 10, 2: 20, 5: 10}
    assert level.integral(40) == 2 * 20 + 5 * 10
    assert level.mean(40) == Fraction(90, 40)
    assert (level.minimum, level.maximum) == (0, 5)


def test_a_level_remembers_its_values_when_it_is_to() -> None:
    with pytest.raises(ValueError, match="does not remember"):
        Level().at(0)
    level = Level(remember=True)
    level.set(2, 10)
    level.set(3, 10)
    level.set(5, 30)
    assert [level.at(time) for time in (0, 9, 10, 29, 30, 99)] == [0, 0, 3, 3, 5, 5]


def test_a_level_of_no_time_has_its_value_as_mean() -> None:
    assert Level(3).mean(0) == 3


def test_a_level_cannot_go_back() -> None:
    level = Level(0, at_ns=10)
    with pytest.raises(ValueError, match="before"):
        level.set(1, 9)


def test_a_tally_knows_mean_and_variance_exactly() -> None:
    tally = Tally()
    for value in (1, 2, 4):
        tally.add(value)
    assert tally.mean() == Fraction(7, 3)
    assert tally.variance() == Fraction(7, 3)


def test_quantiles_are_observations_by_nearest_rank() -> None:
    tally = Tally()
    for value in range(100, 0, -1):
        tally.add(value)
    assert tally.quantile(1, 2) == 50
    assert tally.quantile(99, 100) == 99
    assert tally.quantile(1, 1) == 100
    tally.add(0)
    assert tally.quantile(1, 1000) == 0


def test_an_empty_tally_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="1 observations are needed"):
        Tally().quantile(1, 2)
