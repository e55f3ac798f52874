"""The classification of instruction sets as a user meets it: the function and the command."""

from __future__ import annotations

import json
import re

import pytest

from dcsim.cli.main import run_command
from dcsim.errors import UnknownNameError
from dcsim.host.classification import classify, instruction_sets
from dcsim.report.classification import classification_parts
from dcsim.report.recursion import recursion_verdict

CSR_INSTRUCTIONS = ("csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci")
DOCUMENTED = {
    "rv64gc": (set(), set()),
    "rv64gch": (set(), set()),
    "rv64gc-legacy-silent": ({"sstatus"}, set()),
    "rv64gc-legacy": ({"sstatus", "stvec", "satp"}, {"sstatus", "stvec", "satp"}),
}
"""The registers whose instructions break theorem 1, and theorem 3."""


def _instructions(registers: set[str]) -> set[str]:
    return {f"{name} {register}" for name in CSR_INSTRUCTIONS for register in registers}


@pytest.mark.parametrize("isa", sorted(DOCUMENTED))
def test_verdicts_and_offenders_are_the_documented_ones(isa: str) -> None:
    first, third = map(_instructions, DOCUMENTED[isa])
    fence = {"sfence.vma"} if first else set()

    found = {each["theorem"]: each for each in classify(isa, states=24)["verdicts"]}

    assert set(found[1]["offenders"]) == first | fence
    assert set(found[3]["offenders"]) == third
    assert [found[1]["holds"], found[3]["holds"]] == [not first, not third]


def test_every_instruction_has_one_class_and_counts_add_up() -> None:
    found = classify("rv64gc-legacy", states=8)

    counts = found["counts"]
    classes = ("privileged", "traps_in_both", "sensitive_unprivileged", "innocuous", "unobserved")
    assert sum(counts[each] for each in classes) == counts["instructions"]
    assert counts["instructions"] == len(found["instructions"])
    assert len({each["name"] for each in found["instructions"]}) == counts["instructions"]


def test_each_offender_has_a_state_that_proves_it() -> None:
    found = classify("rv64gc-legacy", seed=3, states=16)

    offenders = [each for each in found["instructions"] if each["class"] == "sensitive"]
    assert len(offenders) == 19
    for each in offenders:
        for proof in each["proofs"]:
            assert proof["differences"]
            assert re.fullmatch(r"0x[0-9a-f]{8}", proof["encoding"])
            assert proof["assembly"].startswith(each["name"].split()[0])
            assert len(proof["registers"]) == 31
            assert "satp" in proof["csrs"]


def test_an_unknown_instruction_set_is_told_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert set(instruction_sets()) == set(DOCUMENTED)
    with pytest.raises(UnknownNameError, match="did you mean `rv64gc-legacy`"):
        classify("rv64gc-legaci")
    assert run_command(["classify", "--isa", "rv64gx"]) == 2
    assert "there is no instruction set `rv64gx`; did you mean" in capsys.readouterr().err


def test_a_verdict_that_fails_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["classify", "--isa", "rv64gc-legacy-silent", "--states", "8", "--seed", "5"]

    assert run_command([*arguments, "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == classify("rv64gc-legacy-silent", seed=5, states=8)

    assert run_command(arguments) == 0
    output = capsys.readouterr().out
    assert "rv64gc-legacy-silent: 8 random states for each instruction, seed 5" in output
    for title in ("How many there are", "Left out", "Offender: sfence.vma", "Verdict on"):
        assert title in output
    assert "broken by csrr* sstatus, sfence.vma" in output


def test_guests_of_the_hypervisor_extension_have_a_table_of_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = classify("rv64gch", states=8)

    guest = found["guest"]
    assert guest["holds"]
    assert guest["offenders"] == []
    names = [each["name"] for each in found["instructions"]]
    assert [each["name"] for each in guest["instructions"]] == names
    assert classify("rv64gc", states=1)["guest"] is None

    assert run_command(["classify", "--isa", "rv64gch", "--states", "8"]) == 0
    output = capsys.readouterr().out
    assert re.search(
        r"^ +guests are contained +in a guest, every instruction traps or", output, re.M
    )
    assert re.search(r"^Trap in a guest: .*csrr\* hgatp", output, re.M | re.S)


def test_tables_hold_every_instruction() -> None:
    """Rows and lists together name each instruction, however names are merged."""
    found = classify("rv64gc", states=8)

    parts = list(classification_parts(found))

    rows = list(parts[2].columns[0].cells)
    names = rows + [name for part in parts[3:5] for name in part.plain.split(": ")[1].split(", ")]
    assert sum(_members(name) for name in names) == found["counts"]["instructions"]


def _members(name: str) -> int:
    """Return how many instructions a merged name stands for."""
    run = re.search(r"(\d+)-(\d+)$", name)
    numbers = int(run[2]) - int(run[1]) + 1 if run else 1
    if name.startswith("csrr*"):
        return len(CSR_INSTRUCTIONS) * numbers
    ways = re.match(r"csrr\{(.+)\}", name)
    return (len(ways[1].split(",")) if ways else 1) * numbers


@pytest.mark.parametrize(
    ("isa", "verdict"),
    [
        ("rv64gc", "2 recursively virtualisable theorem 1, and .*; demonstrated by 20 runs"),
        ("rv64gc-legacy", "2 not demonstrated theorem 1, and .*; .* interrupts are o"),
    ],
)
def test_theorem_2_is_told_by_what_was_run(
    isa: str, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["classify", "--isa", isa, "--states", "4", "--recursive"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert re.search(verdict, shown)


def test_what_was_run_is_in_the_json_form(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["classify", "--isa", "rv64gc", "--states", "4", "--recursive", "--format", "json"]
    assert run_command(command) == 0
    stacks = json.loads(capsys.readouterr().out)["recursion"]["stacks"]
    assert [len(stack["monitors"]) for stack in stacks] == [1, 1, 2, 2, 3]
    assert {run["program"].split()[0] for run in stacks[-1]["runs"]} == {
        "integer", "float", "forkwait", "faults"
    }  # fmt: skip


def test_theorem_2_is_left_open_when_nothing_was_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["classify", "--isa", "rv64gc", "--states", "4"]) == 0
    assert "recursively" not in capsys.readouterr().out


def test_runs_that_go_right_demonstrate_nothing_without_theorem_1() -> None:
    verdict, _ = recursion_verdict(virtualisable=False, recursion={"holds": True, "stacks": []})
    assert verdict == "not recursively virtualisable"
