"""Quantities: what is read, what is refused and how it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dcsim.errors import UnitError
from dcsim.units import (
    BANDWIDTH,
    BYTES,
    DIMENSIONS,
    DURATION,
    FREQUENCY,
    POWER,
    RATE,
    Dimension,
    Duration,
)

EXACT = [
    (DURATION, "1 ns", 1),
    (DURATION, "5 us", 5_000),
    (DURATION, "5 µs", 5_000),
    (DURATION, "0.1 s", 100_000_000),
    (DURATION, "1.5 min", 90_000_000_000),
    (DURATION, "2 h", 7_200_000_000_000),
    (DURATION, "1 day", 86_400_000_000_000),
    (DURATION, "1e3 ns", 1_000),
    (DURATION, " 2s ", 2_000_000_000),
    (DURATION, "9007199254740993 ns", 9_007_199_254_740_993),
    (BYTES, "256 MiB", 256 * 2**20),
    (BYTES, "1.5 KiB", 1_536),
    (BYTES, "4 kB", 4_000),
    (FREQUENCY, "2.4 GHz", 2_400_000_000),
    (BANDWIDTH, "10 Gbit/s", 10_000_000_000),
    (BANDWIDTH, "2 GB/s", 16_000_000_000),
    (POWER, "180 W", 180_000),
    (POWER, "58.4 W", 58_400),
    (RATE, "200 /s", 200_000),
    (RATE, "2.5 /s", 2_500),
]


@pytest.mark.parametrize(("dimension", "text", "expected"), EXACT)
def test_reads_exactly(dimension: Dimension, text: str, expected: int) -> None:
    assert dimension.parse(text) == expected


WRONG = [
    (DURATION, "10 MB", "`10 MB` is a size, not a duration"),
    (DURATION, "2 GHz", "`2 GHz` is a frequency, not a duration"),
    (BYTES, "5 s", "`5 s` is a duration, not a size"),
    (BANDWIDTH, "10 GB", "`10 GB` is a size, not a bandwidth"),
    (POWER, "3 /s", "`3 /s` is a rate, not a power"),
    (RATE, "3 W", "`3 W` is a power, not a rate"),
    (DURATION, "3", "`3` has no unit"),
    (DURATION, 3, "`3` has no unit"),
    (DURATION, 2.5, "`2.5` has no unit"),
    (DURATION, None, "this is no text"),
    (DURATION, "soon", "`soon` is not a duration"),
    (DURATION, "1 fortnight", "`1 fortnight` has the unknown unit `fortnight`"),
    (DURATION, "1 m", "`1 m` has the unknown unit `m`"),
    (DURATION, "0.5 ns", "`0.5 ns` is not a whole number of nanoseconds"),
    (BYTES, "1.5 B", "`1.5 B` is not a whole number of bytes"),
    (DURATION, "-1 s", "`-1 s` is negative"),
    (DURATION, "1e30 s", "`1e30 s` is more than 2^63 nanoseconds"),
    (DURATION, "1" * 100, "`" + "1" * 64 + "...` is not a duration"),
]


@pytest.mark.parametrize(("dimension", "value", "message"), WRONG)
def test_refuses_with_what_is_wrong(dimension: Dimension, value: object, message: str) -> None:
    with pytest.raises(UnitError) as caught:
        dimension.parse(value)

    assert caught.value.message == message
    assert f"such as `{dimension.example}`" in caught.value.remedy


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda each: each.noun)
def test_its_own_example_is_right(dimension: Dimension) -> None:
    assert dimension.parse(dimension.example) > 0


@given(dimension=st.sampled_from(DIMENSIONS), value=st.integers(0, 2**63 - 1))
def test_reads_back_what_it_writes(dimension: Dimension, value: int) -> None:
    assert dimension.parse(dimension.format(value)) == value


@given(dimension=st.sampled_from(DIMENSIONS), text=st.text(max_size=80))
def test_any_text_is_read_or_refused(dimension: Dimension, text: str) -> None:
    try:
        value = dimension.parse(text)
    except UnitError:
        return
    assert 0 <= value < 2**63


class _Model(BaseModel):
    model_config = ConfigDict(strict=True)

    latency_ns: Duration = Field(alias="latency")


def test_a_field_reads_text_holds_a_number_and_writes_text() -> None:
    model = _Model.model_validate({"latency": "5 us"})

    assert model.latency_ns == 5_000
    assert model.model_dump(by_alias=True) == {"latency": "5 us"}


def test_a_field_refuses_a_bare_number() -> None:
    with pytest.raises(ValidationError, match="`5` has no unit"):
        _Model.model_validate({"latency": 5})
