"""Scenario files that say what fails, and what is done about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.scenario import read_scenario
from tests.unit.scenario_text import problems_of

FAULTS = """\
dcsim: 1
name: faults
duration: 1 s
hosts:
  - {name: owner, hardware: sifive-u54, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: dell-r740}
  - {name: served, hardware: sifive-u54, hypervisor: type1, io: driver-domain, pcpus: 1, memory: 64 MiB, power: dell-r740}
  - {name: process, hardware: sifive-u54, hypervisor: type2, pcpus: 1, memory: 64 MiB, power: dell-r740}
vms:
  - {name: one, program: idle, memory: 8 MiB, host: owner, watchdog: {timeout: 50 ms}}
  - {name: two, count: 2, program: idle, memory: 8 MiB, host: process, restart: {policy: always, limit: 3}}
faults:
  - {at: 10 ms, kind: vmm-crash, subject: two-1}
  - {at: 20 ms, kind: host-crash, subject: owner, down: 50 ms}
  - {at: 30 ms, kind: driver-domain-crash, subject: served-driver, down: 5 ms}
"""


def test_what_fails_can_be_said() -> None:
    scenario = read_scenario(FAULTS.encode(), "f.yaml", Path()).scenario
    kinds = [fault.kind for fault in scenario.faults]
    assert kinds == ["vmm-crash", "host-crash", "driver-domain-crash"]
    again = read_scenario(scenario.canonical_json().encode(), "f.json", Path()).scenario
    assert again == scenario


NO_PROCESS = "whose type 1 hypervisor has no process for each VM"
CHOOSE = "write `kind: host-crash`, or choose type 2"
FOR_A_TIME = "only a host or a driver domain is down for a time"
NO_DOMAIN = "there is no driver domain `{}`; did you mean `served-driver`?"
CHANGES = [
    ("subject: two-1", "subject: two-2", "there is no VM `two-2`; did you mean `two-1`?"),
    ("subject: two-1", "subject: one", f"`one` may be on `owner`, {NO_PROCESS}; {CHOOSE}"),
    ("subject: owner", "subject: owners", "there is no host `owners`; did you mean `owner`?"),
    ("subject: two-1", "subject: two-1, down: 1 s", f"{FOR_A_TIME}; leave it out"),
    ("subject: served-driver", "subject: served", NO_DOMAIN.format("served")),
    ("subject: served-driver", "subject: owner-driver", NO_DOMAIN.format("owner-driver")),
    ("at: 20 ms", "at: 2 s", "that is after the run's end; write an earlier time"),
    ("timeout: 50 ms", "timeout: 0 s", "a watchdog without patience; write one such as `50 ms`"),
    ("host: process, restart", "restart", f"`two-1` may be on `owner`, {NO_PROCESS}; {CHOOSE}"),
]


@pytest.mark.parametrize(("right", "wrong", "problem"), CHANGES)
def test_what_does_not_fit_is_told(right: str, wrong: str, problem: str) -> None:
    text = FAULTS.replace(right, wrong, 1)
    assert text != FAULTS
    (told,) = problems_of(text)
    assert told.split(": ", 1)[1] == problem
