"""The kernel on several harts: what it computes is what one hart computes.

QEMU runs each hart in a thread of its own, so they meet in whatever order the host makes. Locks that
sleep keep that fast where the host has fewer processors than the guest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SUITE = (
    "suite parallel=1 run=integer:iterations=20,float:steps=2000,float:steps=2000:seed=2,"
    "chase:size=65536,faults:n=4,forkwait:n=6,server:fixed=1+20,syscalls:n=100"
)
SETTINGS = {"locks": "paravirtual", "tick_ms": 1}
IN_TURN = ["-icount", "shift=0"]
"""One thread for all harts: the same turns each time."""


def harts(count: int, *more: str) -> list[str]:
    return ["-smp", str(count), *more]


def told(run: Any, topic: str) -> dict[str, int]:
    """Return the numbers of the kernel's one line about a topic."""
    [line] = [line for line in run.lines if line.startswith(f"kernel: {topic} ")]
    pairs = [word.split("=") for word in line.split() if "=" in word]
    return {key: int(value) for key, value in pairs}


def results(run: Any) -> list[str]:
    return sorted(line for line in run.lines if line.startswith("result "))


@pytest.mark.parametrize("count", [2, 3, 8])
def test_programs_compute_the_same_on_any_number_of_harts(boot: Any, count: int) -> None:
    one, several = boot(SUITE), boot(SUITE, settings=SETTINGS, devices=harts(count))
    assert f"kernel: {count} harts" in several.lines
    assert several.status == 0
    assert several.digests() == one.digests()
    assert results(several) == results(one)


@pytest.mark.parametrize(
    ("locks", "machine"),
    [
        ("ticket", harts(2)),
        ("ticket", harts(4, *IN_TURN)),
        ("paravirtual", harts(4, *IN_TURN)),
        ("paravirtual", harts(4)),
    ],
)
def test_workers_do_not_hear_of_each_other(boot: Any, locks: str, machine: list[str]) -> None:
    command = "parallel workers=6 rounds=10 pages=6"
    several = boot(command, settings={**SETTINGS, "locks": locks}, devices=machine)
    one = boot(command)
    assert several.result("parallel") == one.result("parallel")
    assert several.digests() == one.digests()
    assert len(one.digests()) == 6 + 1


def test_a_storm_of_forks_and_page_replacement(boot: Any, disk: Path) -> None:
    # Two programs that together need all memory twice, while others fork and end. Which fork comes
    # first is the host's affair, so are the numbers of the children.
    command = (
        "suite parallel=1 run=swapper:size=9000000:passes=2,swapper:size=6000000:passes=2,"
        "forkwait:n=8:pages=300,forkwait:n=8:pages=300"
    )
    several = boot(
        command,
        settings={**SETTINGS, "swap_pages": 2000},
        devices=harts(4),
        disk=disk,
        memory_mib=16,
    )
    one = boot(command, memory_mib=64)
    assert several.status == one.status == 0
    assert sorted(several.digests().values()) == sorted(one.digests().values())
    assert results(several) == results(one)


@pytest.mark.parametrize("cpu", ["rv64,svadu=off,svade=on", "rv64,sstc=off"])
def test_optional_extensions_change_nothing(boot: Any, cpu: str) -> None:
    several = boot(SUITE, cpu=cpu, settings=SETTINGS, devices=harts(2))
    assert several.digests() == boot(SUITE).digests()


def test_consoles_and_disks_serve_all_harts(boot: Any, disk: Path) -> None:
    settings = {**SETTINGS, "console": "virtio"}
    command = "suite parallel=1 run=files:files=4,integer:iterations=20,parallel:rounds=5"
    several = boot(command, settings=settings, devices=harts(3), disk=disk, virtio_console=True)
    assert several.status == 0
    assert several.digests() == boot(command, disk=disk).digests()


def test_the_settings_say_how_many_harts_are_used(boot: Any) -> None:
    run = boot("integer iterations=1", settings={"harts": 2}, devices=harts(4))
    assert "kernel: 2 harts" in run.lines
    one = boot("integer iterations=1", settings={"harts": 1}, devices=harts(4))
    assert one.lines == boot("integer iterations=1").lines


def test_one_hart_takes_no_lock(boot: Any) -> None:
    run = boot("syscalls n=100", settings={"lock_statistics": 1})
    assert set(told(run, "lock").values()) == {0}


def test_each_way_into_the_kernel_takes_the_lock_once(boot: Any) -> None:
    # The four workers make 50 calls each, and nothing else differs.
    taken = [
        told(
            boot(
                f"locks workers=4 hold=10 rounds={rounds}",
                settings={"lock_statistics": 1, "tick_ms": 10000},
                devices=harts(2, *IN_TURN),
            ),
            "lock",
        )["taken"]
        for rounds in (50, 100)
    ]
    assert taken[1] - taken[0] == 4 * 50


def test_harts_that_wait_for_the_lock_spin_or_stop(boot: Any) -> None:
    settings = {"lock_statistics": 1, "tick_ms": 1}
    command = "locks workers=4 rounds=6 hold=3000 think=100"
    machine = harts(4, *IN_TURN)
    ticket = told(boot(command, settings=settings, devices=machine), "lock")
    stopping = boot(command, settings={**settings, "locks": "paravirtual"}, devices=machine)
    assert ticket["contended"] > 0
    assert ticket["waits"] == ticket["kicks"] == 0
    sleeping = told(stopping, "lock")
    assert sleeping["waits"] > 0
    assert 0 < sleeping["kicks"] <= sleeping["waits"]
    # 128 looks come before each wait and fewer than that behind the last
    assert sleeping["spins"] < 128 * (sleeping["waits"] + sleeping["contended"])


def test_harts_without_work_sleep(boot: Any) -> None:
    run = boot(
        "integer iterations=200", settings={"hart_statistics": 1}, devices=harts(2, *IN_TURN)
    )
    first, second = (told(run, f"hart-{hart}") for hart in range(2))
    assert max(first["idle"], second["idle"]) > 10 * min(first["idle"], second["idle"])
    assert first["stolen"] == second["stolen"] == 0


def test_a_panic_stops_all_harts(boot: Any, disk: Path) -> None:
    # The disk refuses the first write of a page to the swap area, while others compute.
    failing = [
        *("-drive", f"driver=blkdebug,image.driver=file,image.filename={disk},if=none,id=bad,"),
        *("-device", "virtio-blk-device,drive=bad"),
    ]
    failing[1] += "inject-error.0.event=pwritev,inject-error.0.errno=5,werror=report"
    run = boot(
        "suite parallel=1 run=swapper:size=15000000,integer:iterations=99999,chase:steps=9999999",
        settings={**SETTINGS, "swap_pages": 2000},
        devices=harts(4, *failing),
        memory_mib=16,
    )
    assert run.lines[-2:] == [
        "kernel: panic: the disk failed at swap slot 0",
        "kernel: power off, status 255",
    ]
    assert run.status == 255
