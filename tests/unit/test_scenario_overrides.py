"""Values of a scenario that are set from outside its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.scenario import read_scenario
from tests.unit.scenario_text import VALID, problems_of

OVERRIDES = [
    ("seed=7", lambda scenario: scenario.seed, 7),
    ("hosts[0].pcpus=4", lambda scenario: scenario.hosts[0].pcpus, 4),
    ("hosts.rack.memory=1 GiB", lambda scenario: scenario.hosts[0].memory_bytes, 2**30),
    ("vms.web.requests.rate=1 /s", lambda scenario: scenario.vms[0].requests.rate_millihertz, 1000),
    ("placement.policy=first-fit", lambda scenario: scenario.placement.policy, "first-fit"),
    ("consolidation=null", lambda scenario: scenario.consolidation, None),
    ("expect=[]", lambda scenario: scenario.expect, ()),
]


@pytest.mark.parametrize(("override", "read", "value"), OVERRIDES)
def test_an_override_sets_one_value(override: str, read: object, value: object) -> None:
    scenario = read_scenario(VALID.encode(), "f.yaml", Path(), [override]).scenario

    assert callable(read)
    assert read(scenario) == value


def test_later_overrides_win() -> None:
    scenario = read_scenario(VALID.encode(), "f.yaml", Path(), ["seed=2", "seed=3"]).scenario

    assert scenario.seed == 3


WRONG_OVERRIDES = [
    ("seed", "--set seed: this is not an assignment; write `--set path=value`, such as `seed=2`"),
    ("=3", "--set =3: this is not an assignment; write `--set path=value`, such as `seed=2`"),
    (
        "a..b=3",
        "--set a..b=3: this is not an assignment; write `--set path=value`, such as `seed=2`",
    ),
    ("seed=x", "--set seed=x: `seed` must be a whole number, not the text `x`"),
    (
        "hosts.reck.pcpus=1",
        "--set hosts.reck.pcpus=1: no element is called `reck`; did you mean `rack`?",
    ),
    (
        "hosts[3].pcpus=1",
        "--set hosts[3].pcpus=1: the list has 1 elements, so `[3]` does not exist; count from 0",
    ),
    ("seed[0]=1", "--set seed[0]=1: `[0]` needs a list, and there is none"),
    (
        "hosts.rack.memroy=1 GiB",
        "--set hosts.rack.memroy=1 GiB: `hosts[0]` has no key `memroy`; did you mean `memory`?",
    ),
    (
        "vms.job.requests.rate=1 /s",
        "--set vms.job.requests.rate=1 /s: `vms[1].requests` has no `count`; add `count: ...`",
    ),
]


@pytest.mark.parametrize(("override", "problem"), WRONG_OVERRIDES)
def test_a_wrong_override_is_told_as_its_own_place(override: str, problem: str) -> None:
    assert problems_of(VALID, (override,)) == [problem]
