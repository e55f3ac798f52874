"""Scenario files about processors: what fits is read, what does not is told with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.run.ledger import ledger
from dcsim.scenario import Scenario, read_scenario
from tests.unit.scenario_text import problems_of

HOST = "hardware: sifive-u54, hypervisor: type1, memory: 64 MiB, power: dell-r740"
PROCESSORS = f"""\
dcsim: 1
name: processors
duration: 1 s
hosts:
  - {{name: plain, pcpus: 2, {HOST}}}
  - {{name: slow, pcpus: 1, clock: 10 MHz, data_cache: {{size: 4 KiB, ways: 4, miss_cycles: 90}}, {HOST}, scheduler: {{policy: round-robin, slice: 5 ms, wakes_to: front}}}}
  - {{name: nodes, pcpus: 4, data_cache: {{size: 32 KiB, miss_cycles: 80}}, numa: {{nodes: 2, remote_cycles: 60}}, {HOST}, scheduler: {{policy: fair, latency: 12 ms}}}}
  - {{name: timely, pcpus: 1, {HOST}, scheduler: {{policy: real-time}}}}
  - {{name: newer, pcpus: 1, {HOST}, scheduler: {{policy: eevdf, base_slice: 3 ms}}}}
  - {{name: unboosted, pcpus: 1, {HOST}, scheduler: {{policy: credit, slice: 6 ms, boost: false, rate_limit: 0 ms}}}}
vms:
  - {{name: pinned, pin: [1, 3], host: nodes, program: idle, memory: 16 MiB}}
  - {{name: reserved, reservation: {{period: 10 ms, budget: 4 ms}}, host: timely, program: idle, memory: 16 MiB}}
  - {{name: other, weight: 512, cap: 20, host: newer, program: idle, memory: 16 MiB}}
"""


def processors() -> Scenario:
    return read_scenario(PROCESSORS.encode(), "f.yaml", Path()).scenario


def test_everything_can_be_asked_for() -> None:
    scenario = processors()
    plain, slow, nodes, timely, newer, unboosted = scenario.hosts

    assert (plain.scheduler, plain.scheduler_name) == (None, "credit")
    assert slow.clock_hz == 10_000_000
    assert slow.scheduler is not None
    assert slow.scheduler.given == {"slice": 5_000_000, "wakes_to": "front"}
    assert (timely.scheduler_name, newer.scheduler_name) == ("real-time", "eevdf")
    assert unboosted.scheduler is not None
    assert unboosted.scheduler.given == {"slice": 6_000_000, "boost": False, "rate_limit": 0}
    assert nodes.numa is not None
    assert (nodes.numa.nodes, nodes.numa.memory) == (2, "home")
    assert scenario.vms[0].pin == (1, 3)


def test_the_ledger_tells_which_parameters_are_in_force_and_why() -> None:
    entries = {entry.name: entry for entry in ledger(processors())}

    # What the one host with a scheduler of its own does not give is the published default.
    assert "round-robin.slice" not in entries
    slow = entries["scenario.host.slow.scheduler.slice"]
    assert (slow.value, slow.unit, slow.kind) == (5_000_000, "ns", "scenario")
    assert entries["scenario.host.unboosted.scheduler.boost"].value == "false"
    assert entries["fair.minimum_granularity"].kind == "published"
    assert "fair.latency" not in entries
    assert entries["credit.slice"].value == 30_000_000, "of the host that gives none"
    assert entries["scenario.host.slow.clock"].value == 10_000_000
    assert entries["scenario.host.nodes.numa.remote_cycles"].value == 60


@pytest.mark.parametrize(
    ("wrong", "message", "remedy"),
    [
        ("scheduler: {policy: fare}", "there is no scheduler `fare`", "did you mean `fair`"),
        (
            "scheduler: {policy: round-robin, tick: 10 ms}",
            "the scheduler `round-robin` has no `tick`",
            "it has `slice`, `wakes_to`, `skew_limit`",
        ),
        (
            "scheduler: {policy: gang, skew_limit: 3 ms}",
            "the scheduler `gang` has no `skew_limit`",
            "it has `slice`",
        ),
        (
            "scheduler: {policy: fair, slice: 10 ms}",
            "the scheduler `fair` has no `slice`",
            "it has `latency`, `minimum_granularity`, `wakeup_granularity`",
        ),
        ("scheduler: {policy: credit, slice: 0 ms}", "must be at least 10 us", "nothing would run"),
        ("data_cache: {size: 3 KiB, miss_cycles: 9}", "power of two of sets", "such as `32 KiB`"),
        ("data_cache: {size: 4 KiB, line: 48 B, miss_cycles: 9}", "power of two", "write `64 B`"),
        ("numa: {nodes: 2, remote_cycles: 9}", "nodes without a data cache", "data_cache: {size"),
        (
            "data_cache: {size: 4 KiB, miss_cycles: 9}, numa: {nodes: 3, remote_cycles: 9}",
            "3 nodes share 2 pCPUs",
            "a pCPU at least",
        ),
        ("clock: 1 kHz", "a clock is from 1 MHz to 100 GHz", "such as `10 MHz`"),
    ],
)
def test_a_wrong_host_is_told(wrong: str, message: str, remedy: str) -> None:
    text = PROCESSORS.replace("{name: plain, pcpus: 2", f"{{name: plain, {wrong}, pcpus: 2")

    (problem,) = problems_of(text)
    assert message in problem
    assert remedy in problem
    assert ":5:" in problem


@pytest.mark.parametrize(
    ("right", "wrong", "message", "remedy"),
    [
        ("pin: [1, 3]", "pin: [1, 4]", "host `nodes` has no pCPU 4", "0 to 3"),
        ("budget: 4 ms", "budget: 11 ms", "more time in a period", "at most the `period`"),
        ("budget: 4 ms", "budget: 1 us", "at least 10 us", "nothing would run"),
        ("host: timely", "host: newer", "knows no reservations", "choose `real-time`"),
        (
            "cap: 20, host: newer",
            "host: slow",
            "the scheduler `round-robin` of host `slow` knows no weights",
            "choose `credit` or `fair` or `eevdf`",
        ),
        ("weight: 512, cap: 20, host: newer", "cap: 20, host: timely", "knows no caps", "`eevdf`"),
        (
            "{name: reserved,",
            "{name: reserved, count: 3,",
            "the reservations on host `timely` take 1.20 pCPUs, and it has 1",
            "budgets smaller",
        ),
    ],
)
def test_a_vm_that_asks_for_what_a_host_has_not_is_told(
    right: str, wrong: str, message: str, remedy: str
) -> None:
    (problem,) = problems_of(PROCESSORS.replace(right, wrong))

    assert message in problem
    assert remedy in problem
