"""A driver domain that crashes: those that it serves wait, and nothing is lost or done twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dcsim.datacentre import FaultSpec, schedule_fault
from dcsim.host.world import CoreWorld
from dcsim.hypervisor import Type1
from dcsim.hypervisor.driver_ring import DriverOperation
from dcsim.results import RunResult
from dcsim.run import run_scenario
from dcsim.run.build import Model, build
from dcsim.run.invariants import check_model
from dcsim.scenario import read_scenario

MS = 10**6
TEXT = """\
dcsim: 1
name: driver
duration: 400 ms
hosts:
  - {name: home, hardware: sifive-u54, hypervisor: type1, io: driver-domain, pcpus: 2, memory: 64 MiB, power: hp-ml110-g5}
vms:
  - {name: writer, program: records records=24 flush=6, memory: 8 MiB, host: home, disk: {size: 1 MiB}}
  - {name: web, program: server requests=8, memory: 8 MiB, host: home, requests: {rate: 1000 /s, count: 8, compute: 5}}
faults:
"""
CRASH = "  - {{at: {at}, kind: driver-domain-crash, subject: home-driver{more}}}\n"


def run(faults: str, text: str = TEXT) -> RunResult:
    return run_scenario(read_scenario((text + faults).encode(), "f.yaml", Path()).scenario)


def built(faults: str, **replaced: str) -> Model:
    text = TEXT + faults
    for right, other in replaced.items():
        assert right in text
        text = text.replace(right, other)
    scenario = read_scenario(text.encode(), "f.yaml", Path()).scenario
    return build(scenario, 1, CoreWorld(256 << 20))


def domain_of(model: Model) -> Any:
    (hypervisor,) = model.cluster.hypervisors.values()
    assert isinstance(hypervisor, Type1)
    return hypervisor.driver_domain


WRITE, READ, FLUSH, SEND, RECEIVE = (
    DriverOperation.WRITE,
    DriverOperation.READ,
    "flush",
    DriverOperation.SEND,
    DriverOperation.RECEIVE,
)
# What is asked for, whether the device has been asked, and whether it has answered.
CAUGHT = [
    (WRITE, False, False),
    (WRITE, True, False),
    (WRITE, True, True),
    (READ, False, False),
    (READ, True, True),
    (FLUSH, True, False),
    (SEND, False, False),
    (RECEIVE, False, False),
]


def under_way(domain: Any) -> Iterator[tuple[object, bool, bool]]:
    for each in {*domain._ring.values(), *domain._of_request.values()}:
        flush = each.request is not None and each.request.operation == "flush"
        yield FLUSH if flush else each.operation, each.started, each.status is not None


@pytest.mark.parametrize(("operation", "asked", "done"), CAUGHT)
def test_no_request_is_lost_or_done_twice(operation: object, asked: bool, done: bool) -> None:
    model = built("  []\n")
    environment, cluster, domain = model.environment, model.cluster, domain_of(model)
    while (operation, asked, done) not in set(under_way(domain)):
        environment.run(until=environment.now + 3000)
        assert environment.now < 20 * MS, "it never was so"
    crash = FaultSpec(environment.now + 1, "driver-domain-crash", "home-driver", 2 * MS)
    schedule_fault(environment, cluster, crash)
    environment.run(until=cluster.all_ended)
    check_model(model)

    told = [event.kind for event in cluster.events if event.subject == "home-driver"]
    assert told == ["vm-started", "driver-domain-crash", "vm-failed", "vm-restarted"]
    writer, web = cluster.vms.values()
    assert (writer.exit_status, web.exit_status) == (0, 0)
    console = bytes(writer.console)
    assert [word in console for word in (b"written=24", b"refused=0", b"wrong=0")] == [True] * 3
    # What the guest asked of its disk is what the host's disk was asked, once each.
    asked_for, disk = writer.disk_counts, domain._host.host.disk
    assert (asked_for["reads"], asked_for["writes"], asked_for["flushes"]) == (24, 24, 4)
    assert (disk.moved["read"], disk.moved["write"]) == (24, 24 + 4)
    (client,) = model.clients.values()
    assert [request.answered_ns is not None for request in client.requests] == [True] * 8
    assert (domain.put, len(domain._ring)) == (domain.answered, 0)


def test_a_domain_can_crash_again_and_again() -> None:
    times = [1, 3, 5, 7]
    faults = "".join(CRASH.format(at=f"{at} ms", more=", down: 1 ms") for at in times)
    result = run(faults)
    assert result.vms[0].exit_status == result.vms[1].exit_status == 0
    restarts = [event.time_ns for event in result.events if event.kind == "vm-restarted"]
    assert restarts == [(at + 1) * MS for at in times]


def test_a_crash_of_what_is_down_is_passed_over() -> None:
    faults = CRASH.format(at="5 ms", more=", down: 10 ms") + CRASH.format(at="6 ms", more="")
    skipped = [event for event in run(faults).events if event.kind == "fault-skipped"]
    assert [(each.subject, each.detail) for each in skipped] == [
        ("home-driver", "driver-domain-crash: the VM is failed")
    ]


def test_those_that_it_serves_wait_for_one_that_stays_away() -> None:
    result = run(CRASH.format(at="5 ms", more=""))
    writer, _, driver = result.vms
    assert (driver.state, driver.message) == ("failed", "the driver domain crashed")
    assert (driver.ended_ns, writer.state) == (5 * MS, "running")
    assert writer.halted_ns > 390 * MS


def test_a_host_that_comes_back_has_its_domain_and_an_empty_ring() -> None:
    crash = "  - {at: 5 ms, kind: host-crash, subject: home, down: 10 ms}\n"
    model = built(crash, **{"disk: {size: 1 MiB}": "disk: {size: 1 MiB}, restart: {delay: 1 ms}"})
    domain = domain_of(model)
    model.environment.run(until=6 * MS)
    check_model(model)
    assert domain.domain.state == "failed"
    assert domain.put == domain.answered + domain.dropped > 0

    model.environment.run(until=400 * MS)
    check_model(model)
    writer = model.cluster.vms["writer"]
    assert (writer.life, writer.exit_status) == (2, 0)
    assert (domain.domain.life, domain.domain.state) == (2, "running")
    restarted = [event for event in model.cluster.events if event.kind == "vm-restarted"]
    assert [event.subject for event in restarted] == ["home-driver", "writer"]
    assert (writer.gate.under_way, writer.outstanding) == (0, 0)


def test_a_domain_whose_memory_is_taken_meanwhile_stays_away() -> None:
    late = "  - {name: late, program: idle, memory: 32 MiB, host: home, start: 10 ms}\nfaults:"
    faults = CRASH.format(at="5 ms", more=", down: 10 ms")
    model = built(faults, **{"faults:": late})
    model.environment.run(until=20 * MS)
    check_model(model)
    assert "restart-refused" not in {event.kind for event in model.cluster.events}

    model = built(faults, **{"faults:": late.replace("32 MiB", "39 MiB")})
    model.environment.run(until=20 * MS)
    check_model(model)
    (refused,) = [each for each in model.cluster.events if each.kind == "restart-refused"]
    assert (refused.time_ns, refused.subject) == (15 * MS, "home-driver")
