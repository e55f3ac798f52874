"""Hardware profiles and power curves."""

import json
from fractions import Fraction

import pytest
from pydantic import ValidationError

from dcsim.errors import UnknownNameError
from dcsim.hardware import (
    PowerCurve,
    load_power_curve,
    load_profile,
    power_curve_names,
    profile_names,
)
from dcsim.hardware.figure import Figure
from dcsim.hardware.profile import Count, TlbShape

CLASSES = {
    "alu", "multiply", "divide", "load", "store", "branch", "jump", "atomic", "csr", "fence",
    "system", "float_add", "float_multiply", "float_divide", "float_sqrt", "float_fma",
    "float_move", "float_convert",
}  # fmt: skip


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_gives_the_machine_all_it_needs(name: str) -> None:
    machine = json.loads(load_profile(name).machine_json())
    assert set(machine["class_cycles"]) == CLASSES
    assert set(machine) == {
        "hz", "timebase_hz", "class_cycles", "trap_cycles", "return_cycles",
        "world_switch_cycles", "world_return_cycles", "second_stage",
        "walk_reference_cycles", "itlb", "dtlb", "device_access_cycles", "misaligned_cycles",
        "ipi_cycles", "data_cache", "isa",
    }  # fmt: skip
    assert machine["itlb"].keys() == {"entries", "ways"}


@pytest.mark.parametrize("name", profile_names())
def test_every_figure_says_where_it_comes_from(name: str) -> None:
    for entry in load_profile(name).ledger():
        assert entry.kind in {"published", "derived", "assumption"}
        assert entry.source, entry.name


def test_there_is_an_in_order_part_and_a_server() -> None:
    assert {"sifive-u54", "xiangshan-nanhu"} <= set(profile_names())


def test_an_ipi_takes_its_cycles_rounded_up_to_nanoseconds() -> None:
    assert load_profile("sifive-u54").ipi_ns() == 1000
    assert load_profile("xiangshan-nanhu").ipi_ns() == 1000


def test_an_unknown_profile_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="sifive-u54"):
        load_profile("sifive-u45")


def test_a_tlb_has_a_power_of_two_of_sets() -> None:
    def figure(value: int) -> Figure[Count]:
        return Figure[Count](value=value, kind="assumption", note="for the test")

    TlbShape(entries=figure(40), ways=figure(40))
    with pytest.raises(ValidationError, match="power of two"):
        TlbShape(entries=figure(48), ways=figure(16))


@pytest.mark.parametrize("name", power_curve_names())
def test_a_curve_is_exact_at_its_points(name: str) -> None:
    curve = load_power_curve(name)
    for level, milliwatts in enumerate(curve.milliwatts.value):
        assert curve.milliwatts_at(Fraction(level, 10)) == milliwatts


def test_between_two_points_a_curve_is_a_straight_line() -> None:
    curve = load_power_curve("hp-ml110-g4")  # 86 W idle, 89.4 W at 10 %, 117 W full
    assert curve.milliwatts_at(Fraction(1, 20)) == (86_000 + 89_400) / 2
    assert curve.milliwatts_at(Fraction(1, 30)) == 86_000 + Fraction(3_400, 3)


@pytest.mark.parametrize("utilisation", [Fraction(-1, 10), Fraction(11, 10)])
def test_a_utilisation_out_of_range_is_refused(utilisation: Fraction) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        load_power_curve("hp-ml110-g4").milliwatts_at(utilisation)


def test_power_does_not_fall_with_load() -> None:
    curve = load_power_curve("hp-ml110-g4").model_dump()
    curve["milliwatts"]["value"][3] = 1
    with pytest.raises(ValidationError, match="falls"):
        PowerCurve.model_validate(curve)
