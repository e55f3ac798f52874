"""Programs on processors that lack what the programs were compiled for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dcsim.cli.main import run_command
from tests.guest.test_exec import A0, A1, A2, EXIT, call, load, program

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = [
    ("a", "atomics"),
    ("a", "locks"),
    ("a,f", "threads"),
    ("c", "children"),
    ("c", "floats"),
    ("c", "mapping"),
    ("c", "queens 6"),
    ("c,d", "jumps"),
    ("d", "matrix 12"),
    ("d", "planets 100"),
    ("d", "single"),
    ("f", "numbers"),
    ("f", "signals"),
    ("a,b,c,f", "locals"),
    ("a,b,c,f", "strings 2"),
]


def execute(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Run `dcsim exec`; return the status, the output and what was counted."""
    status = run_command(["exec", "--stats", "json", *arguments])
    told = capfd.readouterr()
    return status, told.out, json.loads(told.err.splitlines()[-1])


@pytest.mark.parametrize(("lacks", "words"), PROGRAMS, ids=lambda text: text.replace(" ", "-"))
def test_a_program_does_the_same_without(
    lacks: str, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    sample = ["--sample", *words.split()]
    status, output, _ = execute(capfd, *sample)
    poor_status, poor_output, counted = execute(capfd, "--lacks", lacks, *sample)

    assert (poor_status, poor_output) == (status, output)
    # Each has an exit of its own; one that faults in its turn exits once more.
    assert 0 < counted["instructions_emulated"] <= counted["exits"]["missing_instruction"]
    assert sum(counted["emulated"].values()) == counted["instructions_emulated"]
    assert sum(counted["emulated_cycles"].values()) < counted["total_cycles"]
    assert sum(counted["cycles_by_cause"].values()) == counted["total_cycles"]


def _register(funct7: int, funct3: int) -> int:
    """Return an operation on registers: `a0 = a1 ? a2` (format R)."""
    return funct7 << 25 | A2 << 20 | A1 << 15 | funct3 << 12 | A0 << 7 | 0x33


@pytest.mark.parametrize(
    ("name", "instruction", "result"),
    [
        # The definitions are those of the bit-manipulation specification 1.0.
        ("sh1add", _register(0x10, 2), 2 * 12 + 5),
        ("sh3add", _register(0x10, 6), 8 * 12 + 5),
        ("andn", _register(0x20, 7), 12 & ~5),
        ("min", _register(0x05, 4), 5),
        ("max", _register(0x05, 6), 12),
        ("cpop", 0x602 << 20 | A1 << 15 | 1 << 12 | A0 << 7 | 0x13, 2),
        ("ctz", 0x601 << 20 | A1 << 15 | 1 << 12 | A0 << 7 | 0x13, 2),
        ("bext", _register(0x24, 5), 12 >> 5 & 1),
        ("bset", _register(0x14, 1), 12 | 1 << 5),
    ],
)
def test_bits_are_manipulated_without_the_extension(
    name: str, instruction: int, result: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    end = call(EXIT)
    code = [load(A1, 12), load(A2, 5), *[instruction] * 3, *end]
    root = ["--root", str(tmp_path), program(tmp_path / "bits", code)]

    assert execute(capfd, *root)[0] == result
    status, _, counted = execute(capfd, "--lacks", "b", *root)

    assert status == result
    assert counted["emulated"] == {name: 3}


def test_what_no_processor_has_stays_illegal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = ["--root", str(tmp_path), program(tmp_path / "illegal", [0xFFFFFFFF])]

    assert execute(capfd, "--lacks", "a,b,c,d,f", *root)[0] == 128 + 4


def test_a_machine_is_refused_where_something_is_missing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scenario = tmp_path / "poor.yaml"
    scenario.write_text(
        "dcsim: 1\nname: poor\nduration: 1 s\nhosts:\n"
        "  - {name: old, hardware: sifive-u54, lacks: [d], hypervisor: type2, pcpus: 1,"
        " memory: 64 MiB, power: hp-ml110-g5}\n"
        "vms:\n  - {name: machine, program: idle, memory: 16 MiB}\n"
    )

    assert run_command(["validate", str(scenario)]) == 2
    assert "lacks `d`, which kernels have" in capfd.readouterr().err
