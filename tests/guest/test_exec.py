"""`dcsim exec`: a program behaves towards its user as one that a shell has started."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dcsim.cli.main import run_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Instructions (RISC-V unprivileged specification, "RV32/64G Instruction Set Listings").
ECALL, EBREAK, LOOP, NOTHING = 0x73, 0x100073, 0x6F, 0
A0, A1, A2, A7 = 10, 11, 12, 17
# Numbers of calls (asm-generic/unistd.h).
READ, WRITE, EXIT, PAUSING = 63, 64, 93, 133


def load(register: int, value: int) -> int:
    """Return `li register, value`."""
    return (value & 0xFFF) << 20 | register << 7 | 0x13


def call(number: int, *arguments: int) -> list[int]:
    """Return the instructions of a system call."""
    loads = [load(A0 + place, value) for place, value in enumerate(arguments)]
    return [*loads, load(A7, number), ECALL]


def program(path: Path, instructions: list[int]) -> str:
    """Write a static ELF file whose only segment is these instructions; return its name."""
    code = b"".join(struct.pack("<I", each) for each in instructions)
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 2, 243, 1, 0x10078, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    size = 120 + len(code)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 0, 0x10000, 0x10000, size, size, 4096)
    path.write_bytes(ident + header + segment + code)
    path.chmod(0o755)
    return path.name


class Ended(NamedTuple):
    """What a user sees of a command."""

    status: int
    output: str
    errors: str


@pytest.fixture
def execute(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Ended]]:
    """Return a function that runs `dcsim exec` in a folder of its own, with some input."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, given: str = "") -> Ended:
        (tmp_path / "input").write_text(given)
        with (tmp_path / "input").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            status = run_command(["exec", *arguments])
        return Ended(status, *capfd.readouterr())

    return run


def test_input_variables_and_arguments_arrive(execute: Callable[..., Ended]) -> None:
    ended = execute("--env", "COLOUR=red", "--sample", "environment", "--help", given="1 2\n3 4\n")

    # Its exit code is the number of lines that it read.
    assert (ended.status, ended.errors) == (2, "")
    assert ended.output.startswith("argument 1 `--help`\nCOLOUR=red\nyes\n3\n7\n2 lines, 1\n")


def test_a_long_input_arrives_in_pieces(tmp_path: Path, execute: Callable[..., Ended]) -> None:
    # Reads up to 2048 bytes to its stack and writes as many as it got, until there are none.
    copies = [
        load(A0, 0),
        0x00010593,  # mv a1, sp
        load(A2, 1),
        0x00B61613,  # slli a2, a2, 11
        0x40C585B3,  # sub a1, a1, a2
        load(A7, READ),
        ECALL,
        0x00050C63,  # beqz a0, behind the jump
        0x00050613,  # mv a2, a0
        load(A0, 1),
        load(A7, WRITE),
        ECALL,
        0xFD1FF06F,  # j to the beginning
        *call(EXIT, 0),
    ]
    name = program(tmp_path / "copy", copies)
    text = "".join(f"line {number}\n" for number in range(20_000))

    assert execute(name, given=text) == Ended(0, text, "")


@pytest.mark.parametrize(
    ("instructions", "status"),
    [
        (call(EXIT, 300), 300 % 256),
        ([NOTHING], 128 + 4),
        ([EBREAK], 128 + 5),
        ([0x00003003], 128 + 11),  # ld zero, 0(zero)
        ([0x00000067], 128 + 11),  # jr zero
    ],
    ids=["exit", "illegal instruction", "breakpoint", "bad address", "bad jump"],
)
def test_the_exit_code_is_what_a_shell_sees(
    instructions: list[int], status: int, tmp_path: Path, execute: Callable[..., Ended]
) -> None:
    assert execute(program(tmp_path / "ends", instructions)) == Ended(status, "", "")


def test_unknown_calls_are_told_with_their_counts(
    tmp_path: Path, execute: Callable[..., Ended]
) -> None:
    name = program(tmp_path / "asks", [*call(1000), *call(1000), *call(999), *call(EXIT, 7)])

    ended = execute(name)

    assert ended.status == 7
    assert ended.errors.splitlines() == [
        "dcsim: system call 999 is unknown, was made once",
        "dcsim: system call 1000 is unknown, was made 2 times",
    ]


def test_a_program_that_never_ends_is_stopped(
    tmp_path: Path, execute: Callable[..., Ended]
) -> None:
    ended = execute("--for", "1 ms", program(tmp_path / "loops", [LOOP]))

    assert ended == Ended(124, "", "stopped after 1 ms of simulated time\n")


def test_a_wait_for_nothing_is_told(tmp_path: Path, execute: Callable[..., Ended]) -> None:
    # rt_sigsuspend with the mask that the ELF header happens to be.
    waits = [0x00010537, load(A1, 8), load(A7, PAUSING), ECALL]
    ended = execute(program(tmp_path / "waits", waits))

    assert (ended.status, ended.output) == (3, "")
    assert "the program waits for what nobody does" in ended.errors


def test_what_cannot_start_ends_as_in_a_shell(
    tmp_path: Path, execute: Callable[..., Ended]
) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    (tmp_path / "out").symlink_to("/bin/sh")

    assert execute("nothing").status == 127
    assert execute("out").status == 127
    assert execute("/../../../bin/sh").status == 127
    assert execute("text").status == 126


def test_files_are_written_beside_the_folder_or_not_at_all(
    tmp_path: Path, execute: Callable[..., Ended]
) -> None:
    before = {*tmp_path.iterdir(), tmp_path / "input"}

    assert execute("--sample", "files").status == 0
    refused = execute("--files", "read-only", "--sample", "files")

    assert refused == Ended(1, "cannot write: Read-only file system\n", "")
    assert set(tmp_path.iterdir()) == before


def test_memory_is_limited(execute: Callable[..., Ended]) -> None:
    assert execute("--memory", "512 KiB", "--sample", "heap", "3000").status != 0
    assert execute("--memory", "16 MiB", "--sample", "heap", "3000").status == 0


def test_statistics_are_those_of_the_program(tmp_path: Path, execute: Callable[..., Ended]) -> None:
    name = program(tmp_path / "ends", call(EXIT, 3))

    counted = json.loads(execute("--stats", "json", name).errors)

    # An ECALL does not retire (privileged specification, "Environment Call and Breakpoint").
    assert (counted["status"], counted["instructions"]) == (3, 2)
    assert (counted["calls"], counted["unknown_calls"]) == ({"exit": 1}, {})
    assert sum(counted["cycles_by_cause"].values()) == counted["total_cycles"]
    assert execute("--stats", "json", name).errors == execute("--stats", "json", name).errors
    assert "calls.exit" in execute("--stats", "table", name).errors


def started(name: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start the command as a process of its own, whose output goes through a pipe."""
    # A shell that runs in the background ignores Ctrl-C for all that it starts.
    python = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from dcsim.cli import main; main()"
    )
    command = [sys.executable, "-c", python, "exec", "--root", str(folder), name]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def test_ctrl_c_and_a_reader_that_goes_end_it(tmp_path: Path) -> None:
    # lui a1, 0x10: what it writes are its first 64 bytes.
    write = [0x000105B7, load(A0, 1), load(A2, 64), load(A7, WRITE), ECALL]
    again = 0xFF1FF06F  # j -16
    talks = started(program(tmp_path / "talks", [*write, again]), tmp_path)
    stopped = started(program(tmp_path / "stops", [*write, LOOP]), tmp_path)
    for process in (talks, stopped):
        assert process.stdout is not None
        assert process.stdout.read(64)
        process.stdout.close()
    stopped.send_signal(signal.SIGINT)

    assert talks.wait(60) == 128 + 13
    assert stopped.wait(60) == 130
