"""Co-scheduling: strict by slots, relaxed by a limit on skew."""

from __future__ import annotations

from dcsim.hypervisor.fair import FairScheduler
from dcsim.hypervisor.gang import GangScheduler
from dcsim.hypervisor.skew import SkewLimit
from tests.unit.threads import MILLISECOND_NS, AskingHost, Thread


def gangs(*sizes: int) -> list[list[Thread]]:
    numbers = iter(range(100))
    return [
        [Thread(next(numbers), gang=gang) for _ in range(size)] for gang, size in enumerate(sizes)
    ]


def awake(host: AskingHost, vms: list[list[Thread]]) -> None:
    for vm in vms:
        for thread in vm:
            host.scheduler.add(thread)
            host.wake(thread)


def test_vcpus_run_together_or_not_at_all() -> None:
    """VMs of 3, 2, 2 and 1 on 4 processors: every VM is on as many as it has, or on none."""
    host = AskingHost(GangScheduler(4, slice_ns=5 * MILLISECOND_NS), 4)
    vms = gangs(3, 2, 2, 1)
    awake(host, vms)

    def look() -> None:
        for vm in vms:
            assert sum(thread in host.running for thread in vm) in {0, len(vm)}

    host.run(200, look)
    # 3 and 1 fit, then 2 and 2: everybody has half of the time, and no processor ever idles.
    assert [thread.ran_ns for vm in vms for thread in vm] == [100 * MILLISECOND_NS] * 8


def test_strict_co_scheduling_fragments_time() -> None:
    """Two VMs of 3 on 4 processors: one processor idles always, though three vCPUs wait."""
    host = AskingHost(GangScheduler(4, slice_ns=5 * MILLISECOND_NS), 4)
    vms = gangs(3, 3)
    awake(host, vms)
    host.run(100)

    assert sum(thread.ran_ns for vm in vms for thread in vm) == 100 * 3 * MILLISECOND_NS
    assert {thread.ran_ns for vm in vms for thread in vm} == {50 * MILLISECOND_NS}


def test_a_blocked_vcpu_keeps_its_place_for_the_slot() -> None:
    host = AskingHost(GangScheduler(2, slice_ns=10 * MILLISECOND_NS), 2)
    (pair, single) = vms = gangs(2, 1)
    awake(host, vms)
    host.run(1)
    assert set(host.running) == set(pair)
    host.block(pair[1])
    host.run(4)
    assert single[0] not in host.running, "the place is kept for whom it belongs to"
    host.wake(pair[1])
    host.run(1)
    assert set(host.running) == set(pair)
    host.block(pair[0])
    host.block(pair[1])
    host.run(1)
    assert single[0] in host.running, "a VM that is all blocked keeps nothing"


def test_a_vcpu_that_changes_places_leaves_the_old_one_first() -> None:
    """At the start of a slot a processor is not given who is still on another one."""
    slot_ns = 10 * MILLISECOND_NS
    scheduler = GangScheduler(2, slice_ns=slot_ns)
    (first, second) = gangs(2)[0]
    for place, thread in enumerate((first, second)):
        thread.processor = place
        scheduler.wake(thread, 0)
    assert scheduler.choose(0, None, 0).vcpu is first
    assert scheduler.choose(1, None, 0).vcpu is second
    # In the next slot each is to be where the other one is.
    first.processor, second.processor = 1, 0
    assert scheduler.choose(0, first, slot_ns).vcpu is None
    assert scheduler.choose(1, second, slot_ns).vcpu is first
    assert scheduler.choose(0, None, slot_ns).vcpu is second


def test_a_pinned_pair_waits_for_its_processors() -> None:
    host = AskingHost(GangScheduler(2, slice_ns=5 * MILLISECOND_NS), 2)
    pinned = [
        Thread(0, affinity=frozenset({0}), gang=0),
        Thread(1, affinity=frozenset({1}), gang=0),
    ]
    free = [Thread(2, gang=1)]
    awake(host, [pinned, free])
    host.run(100)

    assert [thread.ran_ns for thread in (*pinned, *free)] == [50 * MILLISECOND_NS] * 3


def skewed(limit_ns: int | None) -> tuple[SkewLimit, list[Thread], Thread]:
    """Run a VM of two of which one shares its processor with a heavy VM; return what came of it."""
    scheduler = SkewLimit(FairScheduler(2), limit_ns)
    host = AskingHost(scheduler, 2)
    pair = [Thread(0, affinity=frozenset({0}), gang=0), Thread(1, affinity=frozenset({1}), gang=0)]
    rival = Thread(2, weight=768, affinity=frozenset({1}), gang=1)
    awake(host, [pair, [rival]])
    host.run(400)
    return scheduler, pair, rival


def test_without_a_limit_one_runs_away_from_the_other() -> None:
    scheduler, pair, _ = skewed(None)

    assert pair[0].ran_ns == 400 * MILLISECOND_NS
    assert scheduler.worst_ns[0] > 250 * MILLISECOND_NS


def test_a_limit_stops_the_leader_and_nobody_else() -> None:
    """The skew stays within the limit and the step in which it is noticed."""
    limit_ns = 3 * MILLISECOND_NS
    scheduler, pair, rival = skewed(limit_ns)

    assert scheduler.worst_ns[0] <= limit_ns + MILLISECOND_NS
    assert abs(pair[0].ran_ns - pair[1].ran_ns) <= limit_ns + MILLISECOND_NS
    assert pair[1].ran_ns + rival.ran_ns == 400 * MILLISECOND_NS, "the rival loses nothing"


def test_one_that_sleeps_does_not_fall_behind() -> None:
    scheduler = SkewLimit(FairScheduler(2), 3 * MILLISECOND_NS)
    host = AskingHost(scheduler, 2)
    (pair,) = vms = gangs(2)
    awake(host, vms)
    host.run(5)
    host.block(pair[1])
    host.run(100)
    host.wake(pair[1])
    host.run(1)

    assert pair[0].ran_ns == 106 * MILLISECOND_NS, "it was never stopped"
    assert scheduler.ahead_ns(pair[0]) == 0


def test_who_was_alone_does_not_get_ahead_of_one_that_wakes() -> None:
    """Its turn had no end when it was chosen; the limit holds from the wake on."""
    limit_ns = 2 * MILLISECOND_NS
    scheduler = SkewLimit(FairScheduler(1, latency_ns=40 * MILLISECOND_NS), limit_ns)
    first, second = gangs(2)[0]
    for thread in (first, second):
        scheduler.add(thread)
    scheduler.wake(first, 0)
    assert scheduler.choose(0, None, 0).again_ns is None
    assert 0 in scheduler.wake(second, 0)
    again_ns = scheduler.choose(0, first, 0).again_ns
    assert again_ns is not None
    assert again_ns <= limit_ns + 1
