"""Random streams: named, independent, exact."""

import math
import subprocess
import sys

import pytest

from dcsim.sim import Streams


def draws(seed, name, count=5):
    stream = Streams(seed).stream(name)
    return [stream.bits() for _ in range(count)]


def test_a_stream_is_a_function_of_seed_and_name() -> None:
    assert draws(1, "arrivals") == draws(1, "arrivals")
    assert draws(1, "arrivals") != draws(2, "arrivals")
    assert draws(1, "arrivals") != draws(1, "sizes")


def test_other_streams_change_nothing() -> None:
    streams = Streams(1)
    streams.stream("other").bits()
    assert [streams.stream("arrivals").bits() for _ in range(5)] == draws(1, "arrivals")


def test_streams_do_not_depend_on_the_hash_seed() -> None:
    code = "from dcsim.sim import Streams; print([Streams(7).stream('x').bits() for _ in range(4)])"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(outputs) == 1


def test_a_limit_is_respected_and_every_number_appears() -> None:
    stream = Streams(3).stream("dice")
    assert {stream.below(6) for _ in range(500)} == set(range(6))


@pytest.mark.parametrize("limit", [0, -1, 2**64 + 1])
def test_a_limit_out_of_range_is_refused(limit) -> None:
    with pytest.raises(ValueError, match="limit"):
        Streams(3).stream("dice").below(limit)


def test_exponential_has_the_mean_and_the_tail_of_the_exponential() -> None:
    stream = Streams(5).stream("arrivals")
    mean, count = 1_000_000, 40_000
    sample = [stream.exponential(mean) for _ in range(count)]
    assert all(type(value) is int for value in sample)
    # Five standard errors; the standard deviation of an exponential is its mean.
    assert abs(sum(sample) / count - mean) < 5 * mean / math.sqrt(count)
    for multiple in (0.5, 1, 2, 3):
        tail = math.exp(-multiple)
        share = sum(value > multiple * mean for value in sample) / count
        assert abs(share - tail) < 5 * math.sqrt(tail * (1 - tail) / count)
