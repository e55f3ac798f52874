"""Arrivals and the frames of requests."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import pytest

from dcsim.sim import Streams
from dcsim.workload import (
    ANSWER_MAGIC,
    Answer,
    Arrivals,
    Request,
    arrival_times,
    decode_answer,
    encode_request,
)


def arrivals(**fields: Any) -> list[int]:
    settings = {"rate_millihertz": 200_000, "process": "uniform", "first_ns": 0, "count": 5}
    return list(arrival_times(Arrivals(**{**settings, **fields}), Streams(1).stream("x")))


def test_uniform_arrivals_are_evenly_spaced_from_the_first() -> None:
    assert arrivals(first_ns=7) == [7 + n * 5_000_000 for n in range(5)]


def test_uniform_arrivals_keep_their_rate_when_the_gap_is_no_whole_number() -> None:
    times = arrivals(rate_millihertz=3_000, count=3001)
    assert times[1] == 333_333_333
    assert times[3000] == 1000 * 10**9


def test_poisson_arrivals_ascend_with_the_mean_gap() -> None:
    times = arrivals(process="poisson", count=20_000)
    assert all(one <= other for one, other in pairwise(times))
    assert times[-1] / 20_000 == pytest.approx(5_000_000, rel=0.05)


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="more than zero"):
        arrivals(rate_millihertz=0)


def test_a_request_has_the_fields_of_the_guests_protocol() -> None:
    frame = encode_request(
        Request(number=7, size_bytes=40, compute=3, pages=5, sectors=2, answer_bytes=80)
    )
    assert len(frame) == 14 + 40
    assert frame[12:14] == b"\x88\xb5"
    assert frame[14:18] == b"dcrq"
    assert struct.unpack_from("<IQIIII", frame, 18) == (40, 7, 3, 5, 2, 80)
    assert frame[46:] == bytes(range(7, 15))


@pytest.mark.parametrize("size", [31, 1501])
def test_a_request_that_no_frame_holds_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="not between"):
        encode_request(Request(number=0, size_bytes=size))


def answer_frame(magic: int = ANSWER_MAGIC, ether_type: bytes = b"\x88\xb5") -> bytes:
    return bytes(12) + ether_type + struct.pack("<IIQQ", magic, 64, 9, 1234) + bytes(40)


def test_an_answer_is_read() -> None:
    assert decode_answer(answer_frame()) == Answer(9, 1234)


def test_other_frames_are_no_answers() -> None:
    assert decode_answer(answer_frame(magic=1)) is None
    assert decode_answer(answer_frame(ether_type=b"\x08\x00")) is None
    assert decode_answer(answer_frame()[:30]) is None
