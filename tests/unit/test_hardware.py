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
        "ipi_cycles", "data_cache", "numa", "isa", "lacks",
    }  # fmt: skip
    assert machine["itlb"].keys() == {"entries", "ways"}


@pytest.mark.parametrize("name", profile_names())
def test_every_figure_says_where_it_comes_from(name: str) -> None:
    for entry in load_profile(name).ledger():
        assert entry.kind in {"published", "derived", "assumption"}
        assert entry.source, entry.name


def test_there_is_an_in_order_part_and_a_server() -> None:
    assert {"sifive-u54", "xiangshan-nanhu"} <= set(profile_names())


# Agesen and others, USENIX ATC 2012: an exit and an entry, in cycles. That of Skylake is derived.
ROUND_TRIPS = {
    "vt-2005-prescott": 3963,
    "vt-2006-merom": 1579,
    "vt-2008-penryn": 1266,
    "vt-2008-nehalem": 1009,
    "vt-2010-westmere": 761,
    "vt-2011-sandy-bridge": 784,
    "vt-2017-skylake": 1023,
}


@pytest.mark.parametrize(("name", "cycles"), ROUND_TRIPS.items())
def test_a_world_switch_and_its_return_take_the_published_cycles(name: str, cycles: int) -> None:
    machine = load_profile(name).machine
    assert machine.world_switch_cycles.value + machine.world_return_cycles.value == cycles
    assert machine.isa.value == "rv64gch"


def test_every_part_with_hardware_assistance_has_its_round_trip_checked() -> None:
    assisted = {name for name in profile_names() if name.startswith("vt-")}
    assert assisted == set(ROUND_TRIPS)


def test_nested_paging_arrived_with_nehalem() -> None:
    second_stage = {
        name: load_profile(name).machine.second_stage.value
        for name in profile_names()
        if name.startswith("vt-")
    }
    assert [name for name, there in second_stage.items() if not there] == [
        "vt-2005-prescott",
        "vt-2006-merom",
        "vt-2008-penryn",
    ]


@pytest.mark.parametrize("name", [name for name in profile_names() if name.startswith("vt-")])
def test_a_profile_says_that_there_was_no_such_part(name: str) -> None:
    assert "no such RISC-V part was ever made" in load_profile(name).description


def test_a_processor_may_do_without_what_it_has() -> None:
    u54, nehalem = load_profile("sifive-u54"), load_profile("vt-2008-nehalem")
    assert u54.permitted_isas == ("rv64gc", "rv64gc-legacy-silent", "rv64gc-legacy")
    assert nehalem.permitted_isas == ("rv64gch", *u54.permitted_isas)
    legacy = u54.with_isa("rv64gc-legacy")
    assert json.loads(legacy.machine_json()) == {
        **json.loads(u54.machine_json()),
        "isa": "rv64gc-legacy",
    }
    assert u54.with_isa(None) is u54


def test_a_processor_cannot_do_more_than_it_can() -> None:
    with pytest.raises(UnknownNameError, match="rv64gch"):
        load_profile("sifive-u54").with_isa("rv64gch")


@pytest.mark.parametrize("cycles", [2, 3, 784, 3963, 1_000_000])
def test_another_round_trip_is_split_as_the_profiles(cycles: int) -> None:
    """The halves of Prescott's are 1763 and 2200: within half a cycle of that ratio, none of 0."""
    machine = load_profile("vt-2005-prescott").with_exit_cycles(cycles).machine
    out, back = machine.world_switch_cycles.value, machine.world_return_cycles.value
    assert out + back == cycles
    assert min(out, back) >= 1
    assert abs(out - Fraction(cycles * 1763, 3963)) <= Fraction(1, 2)


def test_without_another_round_trip_the_profile_is_itself() -> None:
    prescott = load_profile("vt-2005-prescott")
    assert prescott.with_exit_cycles(None) is prescott


def test_whether_there_is_a_second_stage_is_no_number_of_the_ledger() -> None:
    names = [entry.name for entry in load_profile("vt-2008-nehalem").ledger()]
    assert "hardware.vt-2008-nehalem.world_switch_cycles" in names
    assert not any(name.endswith("second_stage") for name in names)


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
