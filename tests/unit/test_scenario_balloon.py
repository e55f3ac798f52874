"""Balloons in scenario files."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.scenario import read_scenario
from tests.unit.scenario_text import problems_of

TEXT = """\
dcsim: 1
name: balloons
duration: 1 s
hosts:
  - {name: a, hardware: sifive-u54, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: hp-ml110-g5}
vms:
  - {name: one, program: idle seconds=1, memory: 16 MiB, VM}
"""


@pytest.mark.parametrize(
    "keys",
    [
        "balloon: false",
        "balloon: true",
        "balloon: true, balloon_target: 16 MiB",
        "balloon: true, free_page_reporting: true",
    ],
)
def test_balloons_that_can_be(keys: str) -> None:
    text = TEXT.replace("VM}", keys + "}")
    [vm] = read_scenario(text.encode(), "f.yaml", Path()).scenario.vms
    assert vm.balloon is (keys != "balloon: false")


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ("balloon: true, balloon_target: 17 MiB", ("17 MiB", "ask for less")),
        ("balloon_target: 1 MiB", ("no balloon", "balloon: true")),
        ("free_page_reporting: true", ("none", "balloon: true")),
        ("balloon: true, technique: bare-metal", ("owns its host", "technique")),
        ("balloon: true, technique: paravirtual", ("machine addresses", "technique")),
    ],
)
def test_balloons_that_cannot_be_are_told_with_a_remedy(keys: str, parts: tuple[str, str]) -> None:
    [problem] = problems_of(TEXT.replace("VM}", keys + "}"))
    assert all(part in problem for part in parts), problem
