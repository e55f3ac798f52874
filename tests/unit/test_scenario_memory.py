"""Scenario files that overcommit memory: what is read, what is told, what the ledger says of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from dcsim.hypervisor.memory.settings import MemorySettings
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
      tax: 0.5
      interval: 20 ms
      swap: 32 MiB
      sharing: {scanner: ksm, pages: 200, sleep: 5 ms}
  - {name: plain, hardware: sifive-u54, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: dell-r740}
vms:
  - {name: a, program: idle, memory: 32 MiB, memory_shares: 7, memory_limit: 24 MiB}
  - {name: b, program: idle, memory: 32 MiB, memory_reservation: 8 MiB}
"""


def read(text: str = MEMORY):
    return read_scenario(text.encode(), "f.yaml", Path()).scenario


def test_everything_that_can_be_set() -> None:
    settings = memory_settings(read().hosts[0].overcommit)

    assert (settings.states, settings.tax) == ("sliding", Fraction(1, 2))
    assert (settings.interval_ns, settings.swap_bytes) == (20_000_000, 32 * 2**20)
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
    assert (settings.tax, settings.sample_pages) == (Fraction(3, 4), 100)
    assert (settings.interval_ns, settings.sample_period_ns) == (10**9, 30 * 10**9)


def test_claims_of_vms() -> None:
    first, second = (memory_claim(vm) for vm in read().vms)

    assert (first.shares_of(1), first.limit_bytes) == (7, 24 * 2**20)
    assert second.shares_of(32 * 2**20) == 320
    assert (second.reservation_bytes, second.limit_bytes) == (8 * 2**20, None)


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("tax: 0.5", "tax: 1", "f.yaml:13:12: "),
        ("interval: 20 ms", "interval: 0 s", "f.yaml:14:17: `interval` must be more than 0"),
        ("swap: 32 MiB", "swap: 5000 B", "`swap` must be a multiple of 4,096 bytes, and not 0"),
        ("sleep: 5 ms", "sleep: 0 s", "`sleep` must be more than 0"),
        ("memory_limit: 24 MiB", "memory_limit: 33 MiB", "the VM has 32 MiB and never uses more"),
        ("memory_limit: 24 MiB", "memory_limit: 0 B", "`memory_limit` must be a multiple of"),
        (
            "memory_reservation: 8 MiB",
            "memory_reservation: 33 MiB",
            "the VM may not have more than 32 MiB; reserve less",
        ),
        ("scanner: ksm", "scanner: esx", "f.yaml:16:26: "),
    ],
)  # fmt: skip
def test_mistakes_are_told(right: str, wrong: str, problem: str) -> None:
    problems = problems_of(MEMORY.replace(right, wrong))

    assert len(problems) == 1
    assert problem in problems[0]


def test_claims_mean_nothing_on_hosts_that_do_not_overcommit() -> None:
    begin, end = MEMORY.index("    overcommit"), MEMORY.index("  - {name: plain")
    problems = problems_of(MEMORY[:begin] + MEMORY[end:])

    assert len(problems) == 3
    assert all("no host overcommits its memory" in problem for problem in problems)


def test_the_ledger_tells_what_was_set_and_what_was_not() -> None:
    entries = {entry.name: entry for entry in ledger(read())}
    host = "scenario.host.full.overcommit"

    assert entries[f"{host}.interval"].kind == "scenario"
    assert entries[f"{host}.interval"].value == 20_000_000
    assert entries[f"{host}.sample_pages"].kind == "published"
    assert "Waldspurger" in entries[f"{host}.sample_pages"].source
    assert entries["memory.threshold.sliding.soft"].value == 64
    assert entries["memory.margin"].kind == "assumption"
    assert not any(name.startswith("scenario.host.plain.overcommit") for name in entries)
