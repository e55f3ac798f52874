"""Energy from utilisation and power states, exactly."""

import itertools
from fractions import Fraction

from dcsim.hardware import load_power_curve
from dcsim.host import PowerMeter

CURVE = load_power_curve("hp-ml110-g4")
WINDOW_NS = 100
IDLE, TENTH, HALF, FULL, OFF = 86_000, 89_400, 102_000, 117_000, 5_000


def test_an_idle_host_draws_idle_power() -> None:
    meter = PowerMeter(CURVE, 2, WINDOW_NS)
    assert meter.energy_picojoules(1_000) == 1_000 * IDLE


def test_a_busy_host_draws_full_power() -> None:
    meter = PowerMeter(CURVE, 1, WINDOW_NS)
    meter.add_busy(0, 1_000)
    assert meter.energy_picojoules(1_000) == 1_000 * FULL


def test_energy_is_exact_at_the_knots_window_by_window() -> None:
    meter = PowerMeter(CURVE, 2, WINDOW_NS)
    meter.add_busy(0, 20)  # 20 of 200: a tenth
    meter.add_busy(100, 200)  # 100 of 200: a half
    assert meter.energy_picojoules(300) == 100 * (TENTH + HALF + IDLE)


def test_busy_time_is_split_between_windows() -> None:
    meter = PowerMeter(CURVE, 1, WINDOW_NS)
    meter.add_busy(50, 250)
    shares = [part.utilisation for part in meter.segments(300)]
    assert shares == [Fraction(1, 2), Fraction(1), Fraction(1, 2)]
    assert meter.busy_ns() == 200


def test_between_knots_power_is_interpolated_in_fractions() -> None:
    meter = PowerMeter(CURVE, 3, WINDOW_NS)
    meter.add_busy(0, 10)  # 10 of 300: a third of the way to 10 %
    assert meter.energy_picojoules(100) == 100 * (IDLE + Fraction(TENTH - IDLE, 3))


def test_a_window_ends_where_the_state_changes() -> None:
    meter = PowerMeter(CURVE, 1, WINDOW_NS)
    meter.add_busy(0, 30)
    meter.change("stopping", 60)
    meter.change("off", 130)
    segments = list(meter.segments(250))
    spans = [(part.start_ns, part.end_ns, part.state) for part in segments]
    assert spans == [
        (0, 60, "on"),
        (60, 100, "stopping"),
        (100, 130, "stopping"),
        (130, 200, "off"),
        (200, 250, "off"),
    ]
    assert segments[0].utilisation == Fraction(1, 2)
    assert meter.energy_picojoules(250) == 60 * HALF + 70 * 102_000 + 120 * OFF
    assert meter.powered_ns(250) == 130


def test_the_segments_have_no_gap_wherever_the_run_ends() -> None:
    meter = PowerMeter(CURVE, 1, WINDOW_NS)
    meter.change("stopping", 100)
    for end_ns in (1, 99, 100, 101, 350):
        segments = list(meter.segments(end_ns))
        assert segments[0].start_ns == 0
        assert segments[-1].end_ns == end_ns
        pairs = itertools.pairwise(segments)
        assert all(one.end_ns == other.start_ns for one, other in pairs)
