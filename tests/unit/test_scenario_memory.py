"""Scenario files that overcommit memory: what is read, what is told, what the ledger says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.hypervisor.memory.settings import MemorySettings, SharingSettings
from dcsim.run.ledger import ledger
from dcsim.run.memory import memory_claim, memory_settings
from dcsim.scenario import read_scenario
from tests.unit.scenario_text import problems_of

MEMORY = """\
dcsim: 1
name: memory
duration: 1 s
hosts:
  - name: full
    hardware: sifive-u54
    hypervisor: type1
    pcpus: 1
    memory: 64 MiB
    power: dell-r740
    overcommit:
      states: sliding
      interval: 20 ms
      sharing: {scanner: ksm, pages: 200, sleep: 5 ms}
  - {name: plain, hardware: sifive-u54, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: dell-r740}
vms:
  - {name: a, program: idle, memory: 32 MiB}
  - {name: b, program: idle, memory: 32 MiB, memory_reservation: 8 MiB}
"""


def read(text: str = MEMORY):
    return read_scenario(text.encode(), "f.yaml", Path()).scenario


def test_everything_that_can_be_set() -> None:
    settings = memory_settings(read().hosts[0].overcommit)

    assert (settings.states, settings.interval_ns) == ("sliding", 20_000_000)
    assert settings.sharing is not None
    assert settings.sharing.scanner == "ksm"
    assert (settings.sharing.pages, settings.sharing.interval_ns) == (200, 5_000_000)
    assert read().hosts[1].overcommit is None


def test_left_out_it_is_as_published() -> None:
    text = MEMORY[: MEMORY.index("      states")].replace("overcommit:", "overcommit: {}")
    settings = memory_settings(
        read(text + MEMORY[MEMORY.index("  - {name: plain") :]).hosts[0].overcommit
    )

    assert settings == MemorySettings()
    assert settings.interval_ns == 10**9
    assert (SharingSettings().pages_per_vm, SharingSettings().pages_per_host) == (50, 200)
    assert (SharingSettings().pages, SharingSettings().sleep_ns) == (100, 20_000_000)


def test_claims_of_vms() -> None:
    first, second = (memory_claim(vm) for vm in read().vms)

    assert (first.reservation_bytes, second.reservation_bytes) == (0, 8 * 2**20)


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("interval: 20 ms", "interval: 0 s", "f.yaml:13:17: `interval` must be more than 0"),
        ("sleep: 5 ms", "sleep: 0 s", "`sleep` must be more than 0"),
        ("pages: 200", "pages: 0", "f.yaml:14:38: "),
        ("reservation: 8 MiB", "reservation: 33 MiB", "the VM has 32 MiB and never uses more"),
        ("reservation: 8 MiB", "reservation: 5 B", "must be a multiple of 4,096 bytes, and not 0"),
        ("scanner: ksm", "scanner: esx", "f.yaml:14:26: "),
    ],
)
def test_mistakes_are_told(right: str, wrong: str, problem: str) -> None:
    problems = problems_of(MEMORY.replace(right, wrong))

    assert len(problems) == 1
    assert problem in problems[0]


def test_claims_mean_nothing_on_hosts_that_do_not_overcommit() -> None:
    begin, end = MEMORY.index("    overcommit"), MEMORY.index("  - {name: plain")
    problems = problems_of(MEMORY[:begin] + MEMORY[end:])

    assert len(problems) == 1
    assert "no host overcommits its memory" in problems[0]


def test_the_ledger_tells_what_was_set_and_what_was_not() -> None:
    entries = {entry.name: entry for entry in ledger(read())}
    host = "scenario.host.full.overcommit"

    assert entries[f"{host}.interval"].kind == "scenario"
    assert entries[f"{host}.interval"].value == 20_000_000
    assert entries[f"{host}.sharing.pages"].value == 200
    assert entries["memory.threshold.sliding.soft"].value == 64
    assert entries["memory.margin"].kind == "assumption"
    assert not any(name.startswith("scenario.host.plain.overcommit") for name in entries)
