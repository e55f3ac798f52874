"""The model with machines that execute: the seam, fidelity and determinism with real guests."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dcsim.host import transfer_ns
from dcsim.host.world import CoreWorld
from dcsim.results import RunResult, summarise
from dcsim.run import run_scenario
from dcsim.scenario import Scenario

MEGABYTE = 1 << 20


def host(name: str, hypervisor: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "hypervisor": hypervisor,
        "hardware": "sifive-u54",
        "pcpus": 2,
        "memory": "64 MiB",
        "power": "hp-ml110-g5",
        **fields,
    }


def vm(name: str, program: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "program": program, "memory": "8 MiB", **fields}


def scenario(vms: list[dict[str, Any]], **fields: Any) -> Scenario:
    settings = {
        "dcsim": 1,
        "name": "test",
        "duration": "1 s",
        "storage": {"shared": [{"name": "san", "latency": "120 us", "bandwidth": "2 GB/s"}]},
        "hosts": [host("one", "type1"), host("two", "type2")],
        "vms": vms,
        **fields,
    }
    return Scenario.model_validate(settings)


DISK = {"size": "2 MiB", "on": "san"}
MIXED = scenario(
    [
        vm("web", "server", host="one", requests={"rate": "400 /s", "compute": 20, "count": 20}),
        vm("files", "files files=2 size=5000", host="two", disk=DISK),
        vm("fork", "forkwait n=30", host="one", weight=128),
        vm("nap", "idle period=3", host="two"),
        vm("sum", "integer iterations=400", host="one", cap=50),
    ],
    duration="60 ms",
    migrations=[
        {"vm": "web", "to": "two", "at": "20 ms"},
        {"vm": "files", "to": "one", "at": "1500 us"},
        {"vm": "web", "to": "one", "at": "40 ms"},
    ],
)


@pytest.fixture(scope="module")
def mixed() -> RunResult:
    """Return the result of a run with everything in it."""
    return run_scenario(MIXED)


def test_everything_happened(mixed: RunResult) -> None:
    web, files, fork, nap, compute = mixed.vms
    assert [vm.state for vm in mixed.vms] == ["running", "off", "off", "running", "off"]
    assert {vm.exit_status for vm in (files, fork, compute)} == {0}
    assert [request.answered_ns is not None for request in web.requests].count(True) > 10
    assert files.disk_writes > 0
    assert nap.halted_ns > 50_000_000
    assert [move.vm for move in mixed.migrations] == ["files", "web", "web"]


def test_cycles_add_up_to_the_time_on_a_processor(mixed: RunResult) -> None:
    """At 1 GHz a cycle is a nanosecond: what the machine counted is what the model accounted."""
    for each in mixed.vms:
        assert sum(each.cycles.values()) == each.total_cycles == each.run_ns
        assert each.lateness_ns == 0


@pytest.mark.parametrize("step_ns", [9_973, 131_071, 1_000_003])
def test_where_runs_are_cut_changes_no_byte(mixed: RunResult, step_ns: int) -> None:
    def cut(now_ns: int, limit_ns: int) -> int:
        return min(limit_ns, now_ns + 1 + now_ns * 7919 % step_ns)

    assert run_scenario(MIXED, cut=cut) == mixed


class ShortWorld(CoreWorld):
    """Machines whose every n-th reservation of frames fails once."""

    def __init__(self, every: int) -> None:
        super().__init__(256 * MEGABYTE)
        self.every = every

    def machine(self, *arguments: Any) -> Any:
        machine: Any = super().machine(*arguments)
        machine.fail_frame_allocations(self.every)
        return machine


@pytest.mark.parametrize("every", [2, 3, 17])
def test_a_shortage_of_frames_that_passes_changes_no_result(mixed: RunResult, every: int) -> None:
    assert run_scenario(MIXED, world=ShortWorld(every)) == mixed


PROGRAMS = [
    "integer iterations=40",
    "float steps=5000",
    "chase size=65536 steps=20000",
    "syscalls n=200",
    "faults n=3 pages=16",
    "forkwait n=4 pages=4",
    "files files=3 size=4000",
]


def console(vm_fields: dict[str, Any], moves: int = 0, **fields: Any) -> bytes:
    result = run_scenario(scenario([vm("guest", **vm_fields)], **fields))
    (guest,) = result.vms
    assert (guest.state, guest.exit_status) == ("off", 0), guest.message
    assert len(result.migrations) >= moves
    return guest.console


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_does_the_same_wherever_it_runs(program: str) -> None:
    """On bare metal, on both hypervisors and after moves: the same console and user digest."""
    guest = {"program": program, "disk": DISK}
    expected = console({**guest, "technique": "bare-metal"})
    assert b"digest " in expected
    assert console({**guest, "host": "one"}) == expected
    assert console({**guest, "host": "two"}) == expected
    moves = [
        {"vm": "guest", "to": ("two", "one")[number % 2], "at": f"{at_us} us"}
        for number, at_us in enumerate([150, 700, 1300, 2500])
    ]
    assert console({**guest, "host": "one"}, migrations=moves, moves=2) == expected


def moving(mode: str, moves: list[tuple[str, int]], *, start: str = "one") -> RunResult:
    """Return the run of a VM with files on a local disk that moves to hosts at times."""
    disk = {"size": "2 MiB", "on": "local", "moves": True}
    guest = vm("guest", f"files files=12 size=9000 mode={mode}", host=start, disk=disk)
    migrations = [{"vm": "guest", "to": to, "at": f"{at_ns} ns"} for to, at_ns in moves]
    result = run_scenario(scenario([guest], migrations=migrations))
    assert (result.vms[0].state, result.vms[0].exit_status) == ("off", 0)
    return result


@pytest.mark.parametrize(("source", "destination"), [("one", "two"), ("two", "one")])
def test_a_guest_finds_its_files_on_a_local_disk_that_moved(source: str, destination: str) -> None:
    """It moves when a guest that only writes them is done; then it reads them back."""
    written_ns = moving("write", [], start=source).vms[0].ended_ns
    assert written_ns is not None

    result = moving("both", [(destination, written_ns)], start=source)

    (move,) = result.migrations
    assert move.disk_bytes >= 12 * 9000
    pages_and_blocks = move.memory_pages + move.disk_bytes // 4096
    assert move.transferred_bytes == pages_and_blocks * (4096 + 8) + move.device_bytes
    assert move.resumed_ns - move.stopped_ns >= transfer_ns(move.transferred_bytes, 10 * 10**9)
    assert result.vms[0].host == destination
    assert result.vms[0].lateness_ns == 0
    assert result.vms[0].console == moving("both", [], start=source).vms[0].console


def test_a_local_disk_goes_there_and_back_between_the_types() -> None:
    moves = [("two", 2_000_000), ("one", 4_000_000), ("two", 6_000_000), ("one", 9_000_000)]

    result = moving("both", moves)

    crossed = [move.disk_bytes for move in result.migrations]
    assert len(crossed) == len(moves)
    assert crossed == sorted(set(crossed)), "it writes all the time"
    assert result.vms[0].host == "one"
    assert result.vms[0].console == moving("both", []).vms[0].console


def test_a_type_2_host_spends_more_on_the_same_work() -> None:
    """Structure, not a factor: exits to the host's kernel, a thread, copies."""

    def host_cycles(where: str) -> tuple[int, int]:
        guest = vm("guest", "files files=3 size=4000", host=where, disk=DISK)
        result = run_scenario(scenario([guest]))
        (record,) = result.vms
        exits = sum(n for name, n in record.cycles.items() if name.startswith("host:exit"))
        (host,) = (host for host in result.hosts if host.name == where)
        disk = sum(row.cycles for row in host.paths if row.path.startswith("disk"))
        return exits, disk

    one, two = host_cycles("one"), host_cycles("two")
    assert one[0] == 0 < two[0]
    assert two[1] > 2 * one[1] > 0


def test_a_broken_guest_is_a_result(tmp_path: Path) -> None:
    """Zeros are no instructions; the guest faults for ever, and the run goes on around it."""
    (tmp_path / "zeros").write_bytes(bytes(4096))
    broken = scenario(
        [vm("broken", "x", image="zeros"), vm("sum", "integer iterations=1")], duration="20 ms"
    ).with_folder(tmp_path)
    result = run_scenario(broken)
    assert result.vms[0].state in {"failed", "running"}
    assert result.vms[1].exit_status == 0


def test_equal_runs_are_equal_in_one_process(mixed: RunResult) -> None:
    assert run_scenario(MIXED) == mixed
    assert dataclasses.replace(mixed, seed=2) != mixed


@pytest.mark.parametrize("hypervisor", ["type1", "type2"])
def test_a_guest_can_use_a_virtio_console(hypervisor: str) -> None:
    """Its kernel says so when there is none, and prints the same otherwise."""

    def console(**fields: Any) -> str:
        guest = vm("a", "syscalls n=100", **fields)
        return (
            run_scenario(scenario([guest], hosts=[host("h", hypervisor)])).vms[0].console.decode()
        )

    serial, virtio = console(), console(console="virtio")
    missing = console(kernel="kernel.console=virtio")

    assert "no virtio console" in missing
    assert "no virtio console" not in virtio
    assert "result syscalls n=100 right=100" in serial
    assert virtio.splitlines()[-3:] == serial.splitlines()[-3:]


def test_what_a_guest_printed_reaches_the_metrics() -> None:
    summary = summarise(run_scenario(scenario([vm("a", "syscalls n=100", host="one")])))

    assert summary.value("vm.a.result.syscalls.right") == 100


def test_what_the_stopwatch_of_a_guest_measured_reaches_the_metrics() -> None:
    """An access to a device takes what the profile says, and a load more or less."""
    guest = vm("a", "nanobench op=io rounds=50", technique="bare-metal")
    hosts = [host("h", "type1", hardware="vt-2005-prescott")]
    summary = summarise(run_scenario(scenario([guest], hosts=hosts)))
    cycles, empty, rounds = (
        summary.value(f"vm.a.nano.io.{key}") for key in ("cycles", "empty", "rounds")
    )

    assert rounds == 50
    assert isinstance(cycles, int)
    assert isinstance(empty, int)
    assert 3209 <= (cycles - empty) / 50 <= 3219


@pytest.mark.parametrize("isa", ["rv64gch", "rv64gc"])
def test_every_kind_of_processor_runs_guests(isa: str) -> None:
    """With less than the profile has, too; the guest sees the same machine."""
    hosts = [host("h", "type1", hardware="vt-2008-nehalem", isa=isa)]
    trapped, bare = (
        run_scenario(scenario([vm("a", "syscalls n=100", technique=technique)], hosts=hosts)).vms[0]
        for technique in ("trap-and-emulate", "bare-metal")
    )

    assert trapped.exit_status == bare.exit_status == 0
    assert trapped.console == bare.console
