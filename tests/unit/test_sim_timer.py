"""Timers that can be taken back."""

from dcsim.sim import Environment, Scope


def test_a_timer_calls_its_function_once_at_its_time() -> None:
    environment = Environment()
    seen = []
    timer = environment.after(5, lambda: seen.append(environment.now))
    assert timer.pending
    environment.run()
    assert seen == [5]
    assert not timer.pending


def test_a_cancelled_timer_does_nothing() -> None:
    environment = Environment()
    seen = []
    timer = environment.after(5, lambda: seen.append(1))
    timer.cancel()
    assert not timer.pending
    environment.run()
    assert seen == []


def test_cancelling_after_the_time_changes_nothing() -> None:
    environment = Environment()
    timer = environment.after(5, lambda: None)
    environment.run()
    timer.cancel()
    assert not timer.cancelled


def test_cancelling_is_lazy_and_cheap() -> None:
    """Twenty thousand cancels in the worst order for a list leave the queue as it is."""
    environment = Environment()
    timers = [environment.after(1000 + n, lambda: None) for n in range(20_000)]
    for timer in reversed(timers):
        timer.cancel()
    assert environment.scheduled == 20_000
    assert environment.next_reach_ns(Scope("host")) is None
    environment.run()
    assert environment.now == 20_999


def test_a_process_can_wait_for_a_time() -> None:
    environment = Environment()
    seen = []

    def process():
        yield environment.sleep_until(42)
        seen.append(environment.now)

    environment.process(process())
    environment.run()
    assert seen == [42]


def test_text_of_a_timer_is_the_same_in_every_run() -> None:
    assert repr(Environment().after(5, lambda: None)) == "Timer(at_ns=5, pending=True)"
