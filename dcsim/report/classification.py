"""The classification of an instruction set for the terminal."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from dcsim.report.recursion import recursion_table, recursion_verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType

__all__ = ["classification_parts"]

Part = dict[str, Any]

_CLASSES = {
    "privileged": "privileged",
    "traps-in-both": "traps in both modes",
    "sensitive": "sensitive, not privileged",
    "innocuous": "innocuous",
    "unobserved": "not observed",
}
_COUNTS = {
    "instructions": "all",
    "privileged": "privileged",
    "traps_in_both": "trap in both modes",
    "sensitive_unprivileged": "sensitive, not privileged",
    "innocuous": "innocuous",
    "unobserved": "not observed",
    "control_sensitive": "control-sensitive",
    "mode_sensitive": "mode-sensitive",
    "location_sensitive": "location-sensitive",
    "resource_sensitive": "resource-sensitive",
    "user_sensitive": "user-sensitive",
}
_GUEST_COUNTS = {
    "instructions": "all",
    "innocuous": "complete, and act on the guest alone",
    "privileged": "trap in VU; in VS complete, and act on the guest alone",
    "traps_in_both": "trap in both",
    "sensitive_unprivileged": "change or show what is the host's",
}
_GUEST_CLASSES = {
    "privileged": "Complete in VS alone",
    "traps-in-both": "Trap in a guest",
}
_KINDS = ("control", "mode", "location", "resource")
_MODES = {"user": "U", "supervisor": "S"}
_CSR = re.compile(r"(csrr(?:wi|si|ci|w|s|c)) (.+)")
_CSR_INSTRUCTIONS = ("csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci")
_NUMBERED = re.compile(r"(\D+)(\d+)")


def classification_parts(classification: Part) -> Iterator[RenderableType]:
    """Yield the tables and texts of a classification, in the order in which to show them."""
    isa, seed, states = (classification[key] for key in ("isa", "seed", "states"))
    yield Text(f"{isa}: {states} random states for each instruction, seed {seed}")
    yield _counts(classification)
    yield _instructions(classification["instructions"])
    yield from _listed(classification["instructions"])
    yield _exclusions("Left out", classification["exclusions"])
    yield from _offenders(classification["instructions"], seed)
    if classification["guest"] is not None:
        yield from _guest_parts(classification["guest"], seed)
    if "recursion" in classification:
        yield recursion_table(classification["recursion"])
    yield _verdicts(classification)


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _counts(classification: Part) -> Table:
    """Return how many instructions are what; an instruction can be sensitive in several ways."""
    table = _table("How many there are", ("instructions", ""))
    table.columns[1].justify = "right"
    for key, words in _COUNTS.items():
        if classification["counts"][key] or key != "unobserved":
            table.add_row(words, str(classification["counts"][key]))
    return table


def _instructions(instructions: list[Part]) -> Table:
    """Return what matters to a monitor: what is privileged or sensitive, and where."""
    columns = ("instruction", "in U", "in S", *_KINDS, "class")
    table = _table("Privileged and sensitive instructions", columns)
    shown = [each for each in instructions if each["class"] in {"privileged", "sensitive"}]
    rows: dict[tuple[str, ...], list[str]] = {}
    for each in shown:
        rows.setdefault(_properties(each), []).append(each["name"])
    named = [(name, row) for row, names in rows.items() for name in _merged(names)]
    order = [each["name"] for each in shown]
    for name, row in sorted(named, key=lambda pair: _position(pair[0], order)):
        table.add_row(name, *row)
    return table


def _position(name: str, order: list[str]) -> tuple[int, int]:
    """Return where a row stands: registers by the place of their first instruction."""
    match = re.fullmatch(r"csrr\S* (.+)", name)
    if match is None:
        return 1, order.index(name)
    return 0, min(order.index(each) for each in order if each.endswith(f" {match[1]}"))


def _properties(instruction: Part) -> tuple[str, ...]:
    found = instruction["sensitivities"]
    kinds = [
        " ".join(_MODES[each["mode"]] for each in found if each["kind"] == kind) for kind in _KINDS
    ]
    modes = [_did(instruction[mode]) for mode in _MODES]
    return (*modes, *kinds, _CLASSES[instruction["class"]])


def _did(trials: Part) -> str:
    """Return what an instruction did in one mode."""
    if not trials["completed"]:
        return "traps" if trials["trapped"] else "memory traps"
    return "either" if trials["trapped"] else "completes"


def _merged(names: list[str]) -> list[str]:
    """Return names with the CSR instructions of one register as one."""
    matches = [_CSR.fullmatch(name) for name in names]
    others = [name for name, match in zip(names, matches, strict=True) if match is None]
    registers: dict[str, list[str]] = {}
    for match in matches:
        if match is not None:
            registers.setdefault(match[2], []).append(match[1])
    return [*(_csr_name(found, name) for name, found in registers.items()), *others]


def _csr_name(found: list[str], register: str) -> str:
    if len(found) == len(_CSR_INSTRUCTIONS):
        return f"csrr* {register}"
    if len(found) == 1:
        return f"{found[0]} {register}"
    ways = ",".join(each.removeprefix("csrr") for each in found)
    return f"csrr{{{ways}}} {register}"


def _listed(instructions: list[Part]) -> Iterator[Text]:
    """Yield the names of the instructions that have no row."""
    for key in ("traps-in-both", "innocuous", "unobserved"):
        names = [each["name"] for each in instructions if each["class"] == key]
        if names:
            text = ", ".join(_without_runs(_merged(names)))
            yield Text.assemble((f"{_CLASSES[key].capitalize()}: ", "bold"), text)


def _without_runs(names: list[str]) -> list[str]:
    """Return names with consecutive numbers at their ends as one."""
    shown = []
    for stem, group in groupby(enumerate(names), _run):
        members = [name for _, name in group]
        is_run = stem[0] is not None and len(members) > 1
        shown.extend([f"{members[0]}-{members[-1][len(stem[0] or '') :]}"] if is_run else members)
    return shown


def _run(numbered: tuple[int, str]) -> tuple[str | None, int]:
    """Return what the members of a run have in common."""
    position, name = numbered
    match = _NUMBERED.fullmatch(name)
    return (None, 0) if match is None else (match[1], int(match[2]) - position)


def _exclusions(title: str, exclusions: list[Part]) -> Table:
    table = _table(title, ("what", "why, and how"))
    for each in exclusions:
        table.add_row(each["name"], each["reason"])
    return table


def _guest_parts(guest: Part, seed: int) -> Iterator[RenderableType]:
    """Yield what instructions do in a guest: in its user mode and in its supervisor mode."""
    table = _table("In a guest (VU, VS)", ("instructions", ""))
    table.columns[1].justify = "right"
    for key, words in _GUEST_COUNTS.items():
        table.add_row(words, str(guest["counts"][key]))
    yield table
    for key, words in _GUEST_CLASSES.items():
        names = [each["name"] for each in guest["instructions"] if each["class"] == key]
        yield Text.assemble((f"{words}: ", "bold"), ", ".join(_without_runs(_merged(names))))
    yield _exclusions("Left out in a guest", guest["exclusions"])
    yield from _offenders(guest["instructions"], seed, "guest ")


def _offenders(instructions: list[Part], seed: int, whose: str = "") -> Iterator[RenderableType]:
    """Yield each offender with a state that proves it."""
    for each in instructions:
        if each["class"] == "sensitive":
            proofs = each["proofs"]
            in_user_mode = [proof for proof in proofs if proof["sensitivity"]["mode"] == "user"]
            yield _proof(each["name"], (in_user_mode or proofs)[0], seed, whose)


def _proof(name: str, proof: Part, seed: int, whose: str) -> Table:
    sensitivity = proof["sensitivity"]
    kind, mode = sensitivity["kind"], sensitivity["mode"]
    registers = {key: proof["registers"][key] for key in proof["operands"]}
    table = Table(
        title=f"Offender: {name}, {kind}-sensitive in {whose}{mode} mode",
        title_justify="left",
        box=None,
        pad_edge=False,
        show_header=False,
    )
    table.add_row("state", f"{proof['state']} of seed {seed}; in user mode the instruction "
                  f"{proof['in_user_mode']}")  # fmt: skip
    table.add_row("instruction", f"{proof['assembly']}  ({proof['encoding']} at {proof['pc']})")
    table.add_row("registers", _values(registers) or "none")
    table.add_row("CSRs", _values(proof["csrs"]))
    words = _COMPARED[kind]
    for difference in proof["differences"]:
        first, second = difference["first"], difference["second"]
        table.add_row("differs", f"{difference['of']}: {first} {words[0]}, {second} {words[1]}")
    return table


_COMPARED = {
    "control": ("before", "afterwards"),
    "mode": ("in user mode", "in supervisor mode"),
    "location": ("in one place", "in another"),
    "resource": ("with these CSRs", "with others"),
}
"""What the two values of a difference are, by the kind of sensitivity."""


def _values(values: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _verdicts(classification: Part) -> Table:
    table = _table(f"Verdict on {classification['isa']}", ("theorem", "", "condition"))
    for each in classification["verdicts"]:
        verdict = f"{'' if each['holds'] else 'not '}{each['name']}"
        offenders = _merged(each["offenders"])
        broken = "" if each["holds"] else f"; broken by {', '.join(offenders)}"
        table.add_row(str(each["theorem"]), verdict, each["condition"] + broken)
        if each["theorem"] == 1 and "recursion" in classification:
            recursion = classification["recursion"]
            table.add_row("2", *recursion_verdict(virtualisable=each["holds"], recursion=recursion))
    guest = classification["guest"]
    if guest is not None:
        broken = "" if guest["holds"] else f"; broken by {', '.join(_merged(guest['offenders']))}"
        verdict = "guests are contained" if guest["holds"] else "guests are not contained"
        table.add_row("", verdict, guest["condition"] + broken)
    return table
