"""Disks with a model: what data sheets and queueing theory say of them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isqrt

import pytest
from pydantic import ValidationError

from dcsim.errors import InvariantError, UnknownNameError
from dcsim.hardware import (
    FlashDiskProfile,
    Latency,
    RotatingDiskProfile,
    disk_profile_names,
    load_disk_profile,
)
from dcsim.host import Disk, FlashDisk, RotatingDisk, ServiceOrder, transfer_ns
from dcsim.host.disk import DiskModel
from dcsim.sim import Environment, Streams

PAGE = 4096
KINDS = {"hitachi-7k320": "rotating", "intel-p3700": "flash", "intel-s3700": "flash"}


def rotating() -> RotatingDiskProfile:
    profile = load_disk_profile("hitachi-7k320")
    assert profile.kind == "rotating"
    return profile


def flash(name: str = "intel-s3700") -> FlashDiskProfile:
    profile = load_disk_profile(name)
    assert profile.kind == "flash"
    return profile


def keep_busy(
    disk: DiskModel,
    environment: Environment,
    depth: int,
    requests: int,
    offset: Callable[[], int] = lambda: 0,
    *,
    write: bool = False,
    size_bytes: int = PAGE,
) -> int:
    """Keep so many requests under way until all are done; return how long that took."""
    left = [requests]

    def ask() -> None:
        if left[0]:
            left[0] -= 1
            disk.submit(size_bytes, write=write, done=ask, reach=None, offset_bytes=offset())

    for _ in range(depth):
        ask()
    environment.run()
    assert disk.responses_ns.count == requests
    disk.check("host")
    return environment.now


@pytest.mark.parametrize("name", disk_profile_names())
def test_every_figure_says_where_it_comes_from(name: str) -> None:
    profile = load_disk_profile(name)
    entries = list(profile.ledger())
    assert len(entries) > 10
    for entry in entries:
        assert entry.source, entry.name
        assert entry.kind in {"published", "derived", "assumption"}
    assert profile.kind == KINDS[name]


def test_an_unknown_profile_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean `intel-s3700`"):
        load_disk_profile("intel-s3500")


@pytest.mark.parametrize(
    "points", [[[0, 5]], [[0, 5], [1000, 4]], [[0, 5], [0, 6], [1000, 7]], [[1, 5], [1000, 6]]]
)
def test_quantiles_must_be_a_distribution(points: list[list[int]]) -> None:
    with pytest.raises(ValidationError):
        Latency(points=points)


# Distributions.


def test_a_draw_is_exact_at_the_quantiles_and_straight_between() -> None:
    latency = Latency(points=[[0, 100], [500, 200], [1000, 1000]])
    assert latency.draw_ns(0) == 100
    assert latency.draw_ns(1 << 62) == 150
    assert latency.draw_ns(1 << 63) == 200
    assert latency.draw_ns(3 << 62) == 600
    assert latency.draw_ns((1 << 64) - 1) == 999
    # The mean of a uniform stretch is its middle: (150 + 600) / 2.
    assert latency.mean_ns() == 375


@pytest.mark.parametrize("name", ["intel-s3700", "intel-p3700"])
@pytest.mark.parametrize("direction", ["read_ns", "write_ns"])
def test_draws_have_the_mean_and_the_quantiles_of_the_profile(name: str, direction: str) -> None:
    latency = getattr(flash(name), direction).value
    stream = Streams(3).stream("disk")
    draws = sorted(latency.draw_ns(stream.bits()) for _ in range(40_000))
    mean = Fraction(sum(draws), len(draws))
    assert abs(mean - latency.mean_ns()) < latency.mean_ns() / 100
    for share, time_ns in latency.points[1:-1]:
        # A quantile of n draws lies within four standard errors of its share.
        error = 4 * isqrt(share * (1000 - share) * len(draws)) // 1000 + 1
        place = share * len(draws) // 1000
        assert draws[max(0, place - error)] <= time_ns <= draws[min(len(draws) - 1, place + error)]


# Flash: Little's law.


def test_one_request_at_a_time_takes_its_latency_and_its_bytes() -> None:
    environment = Environment()
    profile = flash()
    disk = FlashDisk(environment, profile, Streams(1).stream("x"))
    took_ns = keep_busy(disk, environment, 1, 4000)
    each = profile.read_ns.value.mean_ns() + transfer_ns(PAGE, profile.read_bits_per_second.value)
    assert abs(Fraction(took_ns, 4000) - each) < each / 50
    assert disk.waits_ns.total == 0
    # Little's law: one request is under way all the time.
    assert disk.queue.mean(environment.now) == 1


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_units_work_side_by_side(depth: int) -> None:
    """At a depth that the units can serve, the rate is the depth over the mean time of a request."""
    environment = Environment()
    profile = flash()
    disk = FlashDisk(environment, profile, Streams(1).stream("x"))
    requests = 8000
    took_ns = keep_busy(disk, environment, depth, requests)
    response = disk.responses_ns.mean()
    # Little's law holds exactly over the whole run: area under the queue is the sum of the times.
    assert disk.queue.integral(environment.now) == disk.responses_ns.total
    rate = Fraction(requests, took_ns)
    assert abs(rate * response - depth) < Fraction(depth, 50)
    assert disk.waits_ns.total == 0


@pytest.mark.parametrize(
    ("name", "write", "published"),
    [
        ("intel-s3700", False, 75_000),
        ("intel-s3700", True, 36_000),
        ("intel-p3700", False, 460_000),
        ("intel-p3700", True, 175_000),
    ],
)
def test_a_deep_queue_reaches_the_published_rate(name: str, write: bool, published: int) -> None:
    environment = Environment()
    disk = FlashDisk(environment, flash(name), Streams(1).stream("x"))
    requests = 20_000
    took_ns = keep_busy(disk, environment, 64, requests, write=write)
    assert requests * 10**9 / took_ns == pytest.approx(published, rel=0.02)


def test_large_requests_are_bound_by_the_interface() -> None:
    environment = Environment()
    disk = FlashDisk(environment, flash(), Streams(1).stream("x"))
    took_ns = keep_busy(disk, environment, 32, 500, size_bytes=1 << 20)
    assert 500 * (1 << 20) * 10**9 / took_ns == pytest.approx(500e6, rel=0.01)


def test_the_device_takes_no_more_than_its_queue_is_deep() -> None:
    environment = Environment()
    profile = flash()
    narrow = profile.model_copy(
        update={"queue_depth": profile.queue_depth.model_copy(update={"value": 2})}
    )
    disk = FlashDisk(environment, narrow, Streams(1).stream("x"))
    took_ns = keep_busy(disk, environment, 64, 4000)
    each = profile.read_ns.value.mean_ns() + transfer_ns(PAGE, profile.read_bits_per_second.value)
    assert abs(Fraction(took_ns, 4000) - each / 2) < each / 50


def test_a_flush_takes_the_least_time_of_a_write() -> None:
    environment = Environment()
    disk = FlashDisk(environment, flash(), Streams(1).stream("x"))
    assert keep_busy(disk, environment, 1, 1, write=True, size_bytes=0) == 65_000


# Rotating.


def test_seeks_take_the_published_times() -> None:
    profile = rotating()
    seek, cylinders = profile.read_seek.value, profile.cylinders
    assert seek.over_ns(0, cylinders) == 0
    assert seek.over_ns(1, cylinders) == 1_000_000
    assert seek.over_ns(cylinders // 3, cylinders) == 12_000_000
    assert seek.over_ns(cylinders - 1, cylinders) == 20_000_000
    # A quarter of a third of the way: half of the difference, by the square root.
    quarter = seek.over_ns(1 + (cylinders // 3 - 1) // 4, cylinders)
    assert quarter == pytest.approx(6_500_000, rel=1e-4)


def test_a_request_waits_for_arm_and_spindle_exactly() -> None:
    environment = Environment()
    profile = rotating()
    disk = RotatingDisk(environment, profile)
    track, turn_ns = profile.track_bytes.value, profile.revolution_ns.value
    cylinder = track * profile.heads.value
    offset = cylinder + track // 4
    took_ns = keep_busy(disk, environment, 1, 1, lambda: offset, size_bytes=track // 2)
    there_ns = profile.command_ns.value + 1_000_000
    sector_ns = offset % track * turn_ns // track
    assert sector_ns == pytest.approx(turn_ns / 4, abs=1)
    assert there_ns < sector_ns
    assert took_ns == sector_ns + -(-turn_ns // 2)


def test_what_lies_behind_the_last_request_comes_a_revolution_later_at_the_latest() -> None:
    environment = Environment()
    profile = rotating()
    disk = RotatingDisk(environment, profile)
    places = iter(range(0, 100 * PAGE, PAGE))
    took_ns = keep_busy(disk, environment, 1, 100, lambda: next(places))
    turn_ns = profile.revolution_ns.value
    # The command's own time has let the sector pass.
    assert took_ns == pytest.approx(99 * (turn_ns + PAGE * turn_ns / 500_000), rel=0.02)


def test_random_reads_take_the_mean_seek_and_half_a_revolution() -> None:
    environment = Environment()
    profile = rotating()
    disk = RotatingDisk(environment, profile)
    stream = Streams(5).stream("places")
    blocks = profile.capacity_bytes.value // PAGE
    requests = 3000
    took_ns = keep_busy(disk, environment, 1, requests, lambda: stream.below(blocks) * PAGE)
    # Two random places are d apart with density 2 (1 - d): the mean over the curve, in steps.
    cylinders, seek, steps = profile.cylinders, profile.read_seek.value, 1000
    weights = [(2 * (steps - step) - 1, seek.over_ns(cylinders * (2 * step + 1) // (2 * steps), cylinders)) for step in range(steps)]  # fmt: skip
    mean_seek_ns = sum(weight * time for weight, time in weights) / steps**2
    half_turn_ns = profile.revolution_ns.value / 2
    each_ns = profile.command_ns.value + mean_seek_ns + half_turn_ns + PAGE * 1e9 / 60e6
    assert took_ns / requests == pytest.approx(each_ns, rel=0.02)


@pytest.mark.parametrize("order", ["fifo", "elevator"])
def test_the_order_of_service(order: ServiceOrder) -> None:
    environment = Environment()
    profile = rotating()
    disk = RotatingDisk(environment, profile, order)
    cylinder = profile.track_bytes.value * profile.heads.value
    served: list[int] = []
    for place in (1000, 80_000, 500, 90_000, 2000, 10):
        disk.submit(
            PAGE,
            write=False,
            done=lambda place=place: served.append(place),
            reach=None,
            offset_bytes=place * cylinder,
        )
    environment.run()
    fifo = [1000, 80_000, 500, 90_000, 2000, 10]
    # The first is served before the others come; then upwards, then downwards.
    elevator = [1000, 2000, 80_000, 90_000, 500, 10]
    assert served == (fifo if order == "fifo" else elevator)
    assert disk.waits_ns.count == disk.responses_ns.count == 6


def test_the_elevator_serves_a_deep_queue_sooner() -> None:
    def took(order: ServiceOrder) -> int:
        environment = Environment()
        disk = RotatingDisk(environment, rotating(), order)
        stream = Streams(5).stream("places")
        blocks = rotating().capacity_bytes.value // PAGE
        return keep_busy(disk, environment, 16, 400, lambda: stream.below(blocks) * PAGE)

    assert took("elevator") < 0.6 * took("fifo")


# Conservation.


def test_a_lost_request_is_found() -> None:
    environment = Environment()
    disk = Disk(environment, latency_ns=100, bits_per_second=8 * 10**9)
    disk.submit(1, write=False, done=lambda: None, reach=None)
    disk.check("host")
    environment.run()
    disk.check("host")
    disk.moved.add("read")
    with pytest.raises(InvariantError, match="2 were made, 1 answered, and 0 are under way"):
        disk.check("host")
