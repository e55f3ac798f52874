"""The image and the list of programs, as Python code sees them."""

from __future__ import annotations

import struct

import pytest

from dcsim.errors import UnknownNameError
from dcsim.guest import boot_arguments, kernel_image, programs

PHYSICAL = 0x80200000
HIGH_HALF = 0xFFFFFFC000000000
MEGAPAGE = 0x200000


def load_segments(image: bytes) -> list[tuple[int, ...]]:
    offset, size, count = (
        struct.unpack_from("<Q", image, 32)[0],
        *struct.unpack_from("<HH", image, 54),
    )
    headers = [struct.unpack_from("<IIQQQQQQ", image, offset + i * size) for i in range(count)]
    return [header for header in headers if header[0] == 1]


def test_image_is_a_riscv_executable_that_starts_where_firmware_jumps() -> None:
    image = kernel_image()
    assert image[:6] == b"\x7fELF\x02\x01"
    kind, machine, _, entry = struct.unpack_from("<HHIQ", image, 16)
    assert (kind, machine, entry) == (2, 243, PHYSICAL)


def test_segments_load_inside_one_megapage_and_run_in_the_high_half() -> None:
    segments = load_segments(kernel_image())
    assert min(physical for *_, physical, _, _, _ in segments) == PHYSICAL
    for _, _, _, virtual, physical, _, memory_bytes, _ in segments:
        assert virtual == physical + HIGH_HALF
        assert physical + memory_bytes <= PHYSICAL + MEGAPAGE


def test_no_segment_is_both_writable_and_executable() -> None:
    for _, flags, *_ in load_segments(kernel_image()):
        assert flags & 3 != 3


def test_programs_are_sorted_and_explain_themselves() -> None:
    listed = programs()
    assert [program.name for program in listed] == sorted(program.name for program in listed)
    assert {"integer", "float", "chase", "server", "idle"} <= {each.name for each in listed}
    assert all(program.help for program in listed)


def test_boot_arguments_put_settings_before_the_program() -> None:
    text = boot_arguments("chase size=4096 steps=7", {"tick_ms": 5, "swap_pages": 64})
    assert text == "kernel.tick_ms=5 kernel.swap_pages=64 init=chase size=4096 steps=7"


@pytest.mark.parametrize("command", ["", "chess size=8"])
def test_unknown_program_is_refused(command: str) -> None:
    with pytest.raises(UnknownNameError, match="guest program"):
        boot_arguments(command)
