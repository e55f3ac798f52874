"""Software of hosts: threads and processes beside vCPUs, paths explained by their steps, journeys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dcsim.errors import InvariantError
from dcsim.hardware import load_profile
from dcsim.host.world import CoreWorld
from dcsim.hypervisor import NICE_WEIGHTS, TYPE1, TYPE2, HostProcess, Type2
from dcsim.hypervisor.driver_ring import DriverMessage, DriverOperation, decode_message
from dcsim.hypervisor.journeys import JourneyBook
from dcsim.hypervisor.path_book import PathBook
from dcsim.hypervisor.paths import PASS_THROUGH, RING
from dcsim.hypervisor.steps import Path, Step, primitives_of

SECOND_NS = 10**9
PROFILES = ("sifive-u54", "xiangshan-nanhu", "vt-2008-nehalem")


def host_with(
    make_rig: Callable[..., Any],
    make_vm: Callable[..., Any],
    processes: dict[str, dict[str, int]],
    pcpus: int = 1,
) -> tuple[Any, dict[str, HostProcess]]:
    """Return a VM that computes, and the processes beside it, after a second."""
    rig = make_rig([[("run", 10**12)]], pcpus=pcpus)
    hypervisor = Type2(rig.host)
    vm = make_vm(rig)
    hypervisor.expect(vm)
    hypervisor.create(vm)
    for name, settings in processes.items():
        hypervisor.add_process(name, **settings)
    rig.environment.run(until=SECOND_NS)
    return vm, {each.name: each for each in hypervisor.threads if isinstance(each, HostProcess)}


@pytest.mark.parametrize("nice", [-5, 0, 5, 10])
def test_a_process_gets_what_its_nice_value_weighs(
    make_rig: Callable[..., Any], make_vm: Callable[..., Any], nice: int
) -> None:
    weight = NICE_WEIGHTS[nice]
    settings = {"weight": weight, "burst_ns": SECOND_NS, "sleep_ns": 0}
    vm, processes = host_with(make_rig, make_vm, {"batch": settings})
    ran_ns = processes["batch"].time_ns("running", SECOND_NS)
    assert ran_ns / SECOND_NS == pytest.approx(weight / (weight + 256), abs=0.02)
    assert vm.time_ns("running", SECOND_NS) + ran_ns == pytest.approx(SECOND_NS, abs=100_000)


def test_nice_values_are_a_quarter_apart() -> None:
    """Each weighs 1.25 times the next; nice 0 as much as a VM does by default."""
    assert NICE_WEIGHTS[0] == 256
    for nice in range(-20, 10):
        assert NICE_WEIGHTS[nice] / NICE_WEIGHTS[nice + 1] == pytest.approx(1.25, rel=0.05)


@pytest.mark.parametrize("share", [10, 40, 75])
def test_a_process_is_as_busy_as_asked_for_on_a_processor_of_its_own(
    make_rig: Callable[..., Any], make_vm: Callable[..., Any], share: int
) -> None:
    burst_ns = 100_000 * share
    settings = {"weight": 256, "burst_ns": burst_ns, "sleep_ns": 10_000_000 - burst_ns}
    vm, processes = host_with(make_rig, make_vm, {"batch": settings}, pcpus=2)
    ran_ns = processes["batch"].time_ns("running", SECOND_NS)
    assert ran_ns / SECOND_NS == pytest.approx(share / 100, abs=0.01)
    assert vm.time_ns("running", SECOND_NS) > 0.999 * SECOND_NS


def every_path() -> list[tuple[str, Path]]:
    paths: list[tuple[str, Path]] = []
    parts = ("load", "put", "every_exit", "crossing", "notify", "interrupt", "complete")
    for name, declared in (("type1", TYPE1), ("type2", TYPE2), ("pass-through", PASS_THROUGH)):
        paths.extend((f"{name}.{part}", getattr(declared, part)) for part in parts)
        paths.append((f"{name}.submit", declared.disk_submit(9000, 1)))
        paths.append((f"{name}.receive", declared.packet_receive(1500)))
    return [*paths, ("ring.put", RING.put(8192)), ("ring.answer", RING.answer(8192))]


@pytest.mark.parametrize("hardware", PROFILES)
def test_the_steps_of_a_path_are_what_it_costs(hardware: str) -> None:
    """The core executes the path; the book explains the cycles, to the last one."""
    machine = CoreWorld(1 << 26).machine(load_profile(hardware), 1, 1 << 24)
    book = PathBook(machine.primitive_cycles())
    for name, path in every_path():
        book.note(name, path, machine.host_path(0, name, primitives_of(path)))
    explained: dict[str, int] = {}
    for row in book.rows():
        explained[row.path] = explained.get(row.path, 0) + row.cycles
    assert explained == {name: book.totals[name].cycles for name, path in every_path() if path}


def test_a_path_that_its_steps_do_not_explain_ends_the_run() -> None:
    book = PathBook({"alu": 1})
    book.note("p", (Step("s", (("alu", 3),)),), 4)
    with pytest.raises(InvariantError, match="`p` take 3 cycles, and 4 were measured"):
        list(book.rows())


def test_legs_of_journeys_add_up() -> None:
    book = JourneyBook()
    for start_ns in (0, 1000):
        trail = book.begin("disk_out", start_ns)
        trail.mark("first", start_ns + 10)
        trail.mark("second", start_ns + 35)
        trail.end()
    assert [(row.leg, row.times, row.time_ns) for row in book.rows()] == [
        ("first", 2, 20),
        ("second", 2, 50),
    ]
    assert {(row.journeys, row.length_ns) for row in book.rows()} == {(2, 70)}


def test_type_1_is_cheaper_at_exits_and_a_driver_domain_s_ring_at_nothing() -> None:
    costs = CoreWorld(1 << 26).machine(load_profile("sifive-u54"), 1, 1 << 24).primitive_cycles()

    def cycles(path: Path) -> int:
        return sum(count * costs[primitive] for primitive, count in primitives_of(path))

    for reason in ("firmware_call", "mmio_interrupt", "mmio_virtio"):
        assert cycles(TYPE1.exit(reason)) == 0 < cycles(TYPE2.exit(reason))
    assert cycles(TYPE2.exit("mmio_virtio")) > cycles(TYPE2.exit("mmio_notify"))
    assert cycles(TYPE1.load) + cycles(TYPE1.put) < cycles(TYPE2.load) + cycles(TYPE2.put)
    assert cycles(PASS_THROUGH.disk_submit(4096, 0)) == 0
    assert cycles(RING.put(4096)) > 0


@pytest.mark.parametrize("operation", list(DriverOperation))
def test_messages_come_through_the_ring_as_they_are(operation: DriverOperation) -> None:
    message = DriverMessage(operation, 7, 4096, 1400)
    frame = message.frame()
    assert decode_message(frame) == message
    moves_packet = operation in {DriverOperation.SEND, DriverOperation.RECEIVE}
    assert len(frame) == (1400 if moves_packet else 46)
    assert decode_message(b"x" * 60) is None
    assert decode_message(frame[:20]) is None
