"""The kernel on machines of different sizes and kinds: what must not change, and what must fail."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from dcsim.guest import kernel_image

SUITE = "suite run=integer:iterations=5,float:steps=50,chase:size=16384,faults:n=2,forkwait:n=2"


def test_digests_do_not_depend_on_memory_size_or_speed(boot: Any) -> None:
    small, large = boot(SUITE), boot(SUITE, memory_mib=512)
    assert small.status == large.status == 0
    assert small.digests() == large.digests()
    # one line for each program, for each child of forkwait, and for the suite itself
    assert len(small.digests()) == 5 + 2 + 1


def test_programs_at_once_give_the_digests_of_programs_in_turn(boot: Any) -> None:
    together, alone = boot(f"{SUITE} parallel=1").digests(), boot(SUITE).digests()
    assert together.pop("suite#1") != alone.pop("suite#1")  # it holds other numbers then
    assert together == alone


def require_cpu(qemu: str, cpu: str) -> None:
    arguments = [qemu, "-M", "virt", "-cpu", cpu, "-S", "-display", "none", "-monitor", "stdio"]
    tried = subprocess.run(arguments, input=b"quit\n", capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"this QEMU has no CPU {cpu}")


@pytest.mark.parametrize("cpu", ["rv64,svadu=off,svade=on", "rv64,sstc=off", "rv64,h=off"])
def test_digests_do_not_depend_on_optional_extensions(boot: Any, qemu: str, cpu: str) -> None:
    require_cpu(qemu, cpu)
    other = boot(SUITE, cpu=cpu)
    assert other.digests() == boot(SUITE).digests()


def test_any_hart_may_boot(boot: Any) -> None:
    # the firmware starts one of the four, not always the first
    assert boot(SUITE, devices=["-smp", "4"]).digests() == boot(SUITE).digests()


def test_console_through_the_firmware_prints_the_same(boot: Any) -> None:
    plain = boot("integer iterations=2").lines
    assert boot("integer iterations=2", settings={"console": "sbi"}).lines == plain


def test_console_through_virtio_prints_the_same(boot: Any) -> None:
    plain = boot("integer iterations=2").lines
    virtio = boot("integer iterations=2", settings={"console": "virtio"}, virtio_console=True)
    assert virtio.lines == plain


def test_a_missing_virtio_console_is_told_and_the_serial_port_used(boot: Any) -> None:
    plain = boot("integer iterations=2").lines
    missing = boot("integer iterations=2", settings={"console": "virtio"}).lines
    assert missing == ["kernel: no virtio console, using the UART", *plain]


def test_short_time_slices_change_nothing(boot: Any) -> None:
    often = boot(f"{SUITE} parallel=1", settings={"tick_ms": 1})
    assert often.digests() == boot(f"{SUITE} parallel=1").digests()


def test_replaced_pages_come_back_unchanged(boot: Any, disk: Path) -> None:
    # 34 MiB of pages, twice, on a machine with less than 30 MiB to spare
    command = "swapper size=35651584 passes=2"
    swapped = boot(command, disk=disk, settings={"swap_pages": 2000})
    assert swapped.result("swapper") == {"pages": "8704", "passes": "2", "wrong": "0"}
    assert swapped.digests() == boot(command, memory_mib=64).digests()


def test_forked_processes_swap_too(boot: Any, disk: Path) -> None:
    # The parent's 30 MiB are shared with children that write all of them.
    command = "forkwait n=2 pages=7600"
    swapped = boot(command, disk=disk, settings={"swap_pages": 2000}, memory_mib=64)
    assert swapped.status == 0
    assert swapped.digests() == boot(command, memory_mib=128).digests()


def test_a_process_without_memory_is_killed_with_a_status(boot: Any) -> None:
    run = boot("swapper size=40000000 passes=1")
    assert run.status == 137
    assert any("swapper#1 killed: out of memory" in line for line in run.lines)


def test_the_others_survive_a_process_that_is_killed(boot: Any) -> None:
    run = boot("suite run=swapper:size=40000000,integer:iterations=1")
    assert run.result("suite") == {"failed": "1"}
    assert run.result("integer")["iterations"] == "1"
    assert run.status == 1


@pytest.mark.parametrize("console", ["uart", "virtio"])
def test_typed_lines_are_echoed(boot: Any, console: str) -> None:
    settings, virtio = {"console": console}, console == "virtio"
    run = boot("echo", typed=b"one\nand two\nend\n", settings=settings, virtio_console=virtio)
    assert [line for line in run.lines if line.startswith("echo ")] == ["echo one", "echo and two"]
    assert run.result("echo") == {"lines": "2"}


def test_files_survive_a_reboot(boot: Any, disk: Path) -> None:
    written = boot("files files=5 size=20000 mode=write", disk=disk)
    read = boot("files files=5 size=20000 mode=read", disk=disk)
    both = boot("files files=5 size=20000", disk=disk)
    assert written.status == read.status == both.status == 0
    assert read.result("files") == both.result("files")


def test_files_needs_a_disk(boot: Any) -> None:
    assert boot("files").status == 1


def test_trespassers_are_caught(boot: Any) -> None:
    run = boot("trespass")
    assert run.result("trespass") == {"offences": "16", "caught": "16", "refused": "13"}
    assert run.status == 0


# ---- large pages ----


def test_large_pages_are_refused_when_memory_is_not_in_one_piece(boot: Any) -> None:
    run = boot("chase size=33554432 pages=large")
    assert run.status == 1
    assert "chase: size=33554432 stride=64 do not work" in run.lines


@pytest.mark.parametrize("then", ["chase:size=16777216:pages=large", "swapper:size=25165824"])
def test_memory_of_large_pages_comes_back_when_they_are_given_back(boot: Any, then: str) -> None:
    # Each needs more than half of what there is, in large pages or in small ones.
    assert boot(f"suite run=chase:size=16777216:pages=large,{then}").status == 0


def test_large_pages_stay_while_small_ones_are_replaced(boot: Any, disk: Path) -> None:
    programs = "chase:size=8388608:pages=large:steps=1000,swapper:size=27262976:passes=2"
    command = f"suite parallel=1 run={programs}"
    swapped = boot(command, disk=disk, settings={"swap_pages": 2000, "tick_ms": 1})
    alone = boot(command, memory_mib=96)
    assert swapped.status == alone.status == 0
    for program in ("chase#1", "swapper#1"):
        assert swapped.digests()[program] == alone.digests()[program]


# ---- interrupts ----


def test_interrupts_in_the_middle_of_long_work_change_nothing(boot: Any) -> None:
    # 16 MiB are filled with zeros, which takes longer than several ticks
    command = "chase size=16777216 pages=large steps=1000"
    often = boot(command, settings={"tick_ms": 1})
    assert often.digests() == boot(command, settings={"tick_ms": 10000}).digests()


NOTHING = 0x00000013
READ_STATUS, SET_INTERRUPTS, CLEAR_INTERRUPTS = 0x10002573, 0x10016573, 0x10017073
"""csrr a0, sstatus; csrrsi a0, sstatus, 2; csrci sstatus, 2."""


@pytest.mark.parametrize(
    ("lost", "instead", "symptom"),
    [
        (CLEAR_INTERRUPTS, NOTHING, "interrupts are off"),
        (SET_INTERRUPTS, READ_STATUS, "interrupts are on"),
    ],
)
def test_a_machine_that_loses_writes_to_sstatus_is_found_out(
    boot_image: Any, tmp_path: Path, lost: int, instead: int, symptom: str
) -> None:
    before, after = (each.to_bytes(4, "little") for each in (lost, instead))
    assert kernel_image().count(before) == 1
    image = tmp_path / "kernel.elf"
    image.write_bytes(kernel_image().replace(before, after))
    run = boot_image(image)
    assert run.lines == [
        f"kernel: panic: assertion failed: {symptom}",
        "kernel: power off, status 255",
    ]
    assert run.status == 255


# ---- privileged state ----


def test_programs_cannot_read_what_is_the_kernels(boot: Any) -> None:
    run = boot("privread")
    assert run.result("privread") == {"reads": "3", "trapped": "3"}
    told = [line for line in run.lines if line.startswith("privread ")]
    assert told == [f"privread {name} trapped" for name in ("sstatus", "satp", "stvec")]
