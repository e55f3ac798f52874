"""The clock, the order of events and who an event can reach."""

import pytest

from dcsim.sim import LAST, NOWHERE, URGENT, Environment, Scope


def test_the_clock_counts_whole_nanoseconds() -> None:
    environment = Environment()
    environment.timeout(3)
    environment.run()
    assert environment.now == 3
    assert type(environment.now) is int


@pytest.mark.parametrize("delay", [0.5, 1.0, True, float("nan")])
def test_a_delay_that_is_no_integer_is_refused(delay) -> None:
    with pytest.raises(TypeError, match="whole number of nanoseconds"):
        Environment().timeout(delay)


def test_a_float_end_is_refused() -> None:
    with pytest.raises(TypeError, match="whole nanoseconds"):
        Environment().run(until=1.0)


def test_a_negative_delay_is_refused() -> None:
    environment = Environment()
    environment.run(until=10)
    with pytest.raises(ValueError, match="back in time"):
        environment.at(9, lambda: None)


def test_events_of_one_time_run_by_priority_then_by_serial_number() -> None:
    environment = Environment()
    order = []
    environment.at(5, lambda: order.append("last"), priority=LAST)
    environment.at(5, lambda: order.append("first normal"))
    environment.at(5, lambda: order.append("second normal"))
    environment.at(5, lambda: order.append("urgent"), priority=URGENT)
    environment.run()
    assert order == ["urgent", "first normal", "second normal", "last"]
    assert environment.scheduled == 4


def test_rank_comes_before_the_serial_number() -> None:
    """Whichever of two machines is run first, their events at one time keep their order."""
    orders = []
    for ranks in ([1, 2, 0], [2, 0, 1]):
        environment = Environment()
        order: list[int] = []
        for rank in ranks:
            environment.at(5, lambda rank=rank, order=order: order.append(rank), rank=rank)
        environment.run()
        orders.append(order)
    assert orders == [[0, 1, 2], [0, 1, 2]]
    assert [environment.new_rank() for _ in range(3)] == [1, 2, 3]


def test_what_a_normal_event_schedules_for_the_same_time_runs_before_the_last() -> None:
    environment = Environment()
    order = []
    environment.at(5, lambda: order.append("last"), priority=LAST)
    environment.at(5, lambda: environment.after(0, lambda: order.append("later")))
    environment.run()
    assert order == ["later", "last"]


def test_a_process_waits_in_nanoseconds() -> None:
    environment = Environment()
    seen = []

    def clock():
        for _ in range(3):
            yield environment.timeout(10)
            seen.append(environment.now)

    environment.process(clock())
    environment.run()
    assert seen == [10, 20, 30]
    # Start of the process, three timeouts, end of the process.
    assert environment.scheduled == 5


def test_an_event_without_a_reach_reaches_everyone() -> None:
    environment = Environment()
    environment.timeout(7)
    assert environment.next_reach_ns(Scope("host")) == 7


def test_an_event_of_one_host_does_not_reach_another() -> None:
    environment = Environment()
    one, other = Scope("one"), Scope("other")
    environment.at(7, lambda: None, reach=one)
    environment.at(9, lambda: None, reach=other)
    assert environment.next_reach_ns(one) == 7
    assert environment.next_reach_ns(other) == 9


def test_an_event_that_reaches_nowhere_delays_nobody() -> None:
    environment = Environment()
    environment.at(7, lambda: None, reach=NOWHERE)
    assert environment.next_reach_ns(Scope("host")) is None


def test_what_reaches_a_part_reaches_the_whole() -> None:
    environment = Environment()
    host, machine = Scope("host"), Scope("vm")
    host.adopt(machine)
    environment.at(7, lambda: None, reach=machine)
    assert environment.next_reach_ns(host) == 7
    host.release(machine)
    assert environment.next_reach_ns(host) is None


def test_past_and_cancelled_events_reach_nobody() -> None:
    environment = Environment()
    host = Scope("host")
    environment.at(3, lambda: None, reach=host)
    timer = environment.at(5, lambda: None, reach=host)
    environment.at(8, lambda: None, reach=host)
    environment.run(until=4)
    timer.cancel()
    assert environment.next_reach_ns(host) == 8


def test_the_end_of_a_run_reaches_everyone() -> None:
    environment = Environment()
    seen = []
    host = Scope("host")
    environment.at(3, lambda: seen.append(environment.next_reach_ns(host)), reach=NOWHERE)
    environment.run(until=100)
    assert seen == [100]
