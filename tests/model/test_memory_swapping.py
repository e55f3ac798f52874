"""Swapping with guests that execute: nothing is lost, and the estimate is what the MMU saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dcsim.run import run_scenario
from dcsim.scenario import Disk, Scenario

if TYPE_CHECKING:
    from dcsim.results import RunResult, VmMemorySample

MS = 10**6
GUEST_SWAPS = {"kernel": "kernel.swap_pages=800", "disk": {"size": "4 MiB"}}


def scenario(
    memory: str,
    program: str,
    *,
    count: int = 1,
    pcpus: int = 1,
    vm: dict[str, Any] | None = None,
    **overcommit: Any,
) -> Scenario:
    return Scenario.model_validate(
        {
            "dcsim": 1,
            "name": "test",
            "duration": "2 s",
            "hosts": [
                {
                    "name": "host",
                    "hypervisor": "type1",
                    "hardware": "sifive-u54",
                    "pcpus": pcpus,
                    "memory": memory,
                    "power": "hp-ml110-g5",
                    "overcommit": {"interval": "2 ms", "sample_period": "5 ms", **overcommit},
                }
            ],
            "vms": [
                {
                    "name": "vm",
                    "count": count,
                    "program": program,
                    "memory": "8 MiB",
                    **(vm or {}),
                }
            ],
        }
    )


def digests(result: RunResult) -> list[list[bytes]]:
    return [
        [line for line in vm.console.splitlines() if line.startswith(b"digest")]
        for vm in result.vms
    ]


@pytest.mark.parametrize(
    "settings",
    [{"swap": "16 MiB"}, {"swap": "16 MiB", "compressed": "256 KiB"}, {"compressed": "2 MiB"}],
)
def test_a_guest_computes_the_same_whatever_is_swapped(settings: dict[str, Any]) -> None:
    program = "suite run=swapper:size=4194304:passes=2,chase:size=1048576:stride=4096:steps=500"
    roomy = run_scenario(scenario("32 MiB", program, **settings))
    scarce = run_scenario(scenario("4 MiB", program, **settings))
    memory = scarce.hosts[0].memory

    assert roomy.hosts[0].memory.counts["swapped_out"] == 0
    assert memory.counts["swapped_out"] + memory.counts["swap_compressed"] > 100
    assert memory.counts["swapped_in"] > 100
    assert [vm.exit_status for vm in scarce.vms] == [0]
    assert digests(scarce) == digests(roomy)
    # A page that is compressed comes back while the vCPU is on its processor.
    assert (scarce.vms[0].stalled_ns > 0) == ("swap" in settings)


@pytest.mark.parametrize(
    ("memory", "pcpus", "vm"),
    [
        ("8 MiB", 1, {}),
        ("6 MiB", 2, {}),
        ("8 MiB", 3, {"balloon": True}),
        ("6 MiB", 2, {"balloon": True, **GUEST_SWAPS}),
        ("8 MiB", 3, {"vcpus": 2}),
    ],
)
def test_cutting_runs_elsewhere_changes_nothing(
    memory: str, pcpus: int, vm: dict[str, Any]
) -> None:
    """The seam's property, with swapping, sharing and ballooning under way."""
    given = scenario(
        memory,
        "swapper size=3145728 passes=2",
        count=3,
        pcpus=pcpus,
        vm=vm,
        swap="32 MiB",
        sharing={"pages_per_vm": 2000, "pages_per_host": 6000},
    ).model_copy(update={"duration_ns": 60 * MS})
    whole = run_scenario(given)
    cut = run_scenario(given, cut=lambda now_ns, limit_ns: min(limit_ns, now_ns + 777_777))

    assert whole.hosts[0].memory.counts["swapped_out"] > 0
    assert cut == whole


def test_the_estimate_is_what_the_mmu_saw() -> None:
    """Samples of 100 of some 700 pages, in periods in which a part of them is used."""
    program = "suite run=chase:size=2097152:steps=10,chase:size=524288:stride=4096:steps=100000000"
    given = scenario("32 MiB", program)
    given = given.model_copy(update={"duration_ns": 150 * MS})
    (vm,) = run_scenario(given).vms
    pairs = {(each.sampled_share, each.accessed_share) for each in vm.memory[10:]}
    errors = [sampled - seen for sampled, seen in pairs if sampled is not None and seen is not None]

    # 128 pages and a few are used of those that are resident; a sample's standard error is at
    # most the binomial's, the square root of f (1 - f) / 100.
    assert len(errors) >= 10
    active = vm.memory[-1].accessed_share
    assert active is not None
    assert 0.1 < active < 0.5
    deviation = (active * (1 - active) / 100) ** 0.5
    assert abs(sum(errors) / len(errors)) < 3 * deviation / len(errors) ** 0.5
    assert max(abs(error) for error in errors) < 4 * deviation


def test_a_state_begins_with_the_allocation_that_crosses_its_threshold() -> None:
    """4 % of 1024 frames are 41, and 2 % are 21; nobody looks before a second is over."""
    given = scenario("4 MiB", "swapper size=4194304 passes=1", interval="1 s", swap="16 MiB")
    result = run_scenario(given.model_copy(update={"duration_ns": 30 * MS}))
    samples = result.hosts[0].memory.samples
    entered = {}
    for sample in samples:
        entered.setdefault(sample.state, sample.free_bytes // 4096)

    # A step takes a few frames at once: a page and the tables that lead to it.
    assert 41 - 8 <= entered["soft"] < 41
    assert entered["high"] == 1024


def test_memory_is_due_by_the_published_price() -> None:
    """No VM would pay less for one page more than another pays: rho = S / (P (f + k (1 - f)))."""
    given = scenario("6 MiB", "lookups size=4259840 steps=1000000000", pcpus=2, swap="16 MiB")
    host = given.hosts[0].model_copy(update={"disk": Disk(profile="intel-p3700")})
    busy = given.vms[0]
    vms = [
        busy.model_copy(update={"name": "more", "memory_shares": 300}),
        busy.model_copy(update={"name": "less", "memory_shares": 200}),
        busy.model_copy(
            update={"name": "idle", "memory_shares": 100, "program": "idle period=1000"}
        ),
    ]
    given = given.model_copy(update={"hosts": [host], "vms": vms, "duration_ns": 60 * MS})
    result = run_scenario(given)
    looks = [
        [sample for sample in samples if sample.time_ns == at_ns]
        for samples in [[sample for vm in result.vms for sample in vm.memory]]
        for at_ns in range(2 * MS, 60 * MS, 2 * MS)
    ]

    compared = 0
    for look in looks:
        due = list(zip(look, (300, 200, 100), strict=True))
        for rich, rich_shares in due:
            for poor, poor_shares in due:
                if poor.target_bytes < poor.resident_bytes + poor.swapped_bytes:
                    pays = price(rich, rich_shares, 0)
                    would_pay = price(poor, poor_shares, 1)
                    assert pays >= would_pay * (1 - 1e-9)
                    compared += rich is not poor
    assert compared > 20


def price(sample: VmMemorySample, shares: int, more: int) -> float:
    """Return what a VM pays for a page, with as many more than its target as said."""
    pages = sample.target_bytes // 4096 + more
    cost = sample.active_share + 4 * (1 - sample.active_share)
    return shares / (pages * cost)
