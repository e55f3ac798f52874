"""Linux programs run as they do under QEMU's user mode: the same output, the same exit status."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dcsim import _core
from dcsim.guest import build, linux_folder
from dcsim.hardware import load_profile
from dcsim.hypervisor import LinuxProgram
from tests.qemu import require_qemu

SOURCES = Path(build.__file__).parent / "linux"
MEMORY_BYTES = 64 * 2**20
LIMIT_NS = 20 * 10**9

PROGRAMS = [
    "alarms",
    "atomics",
    "bits",
    "buffers",
    "children",
    "dates",
    "directories",
    "ends abort",
    "ends exit 300",
    "ends fault",
    "ends return",
    "ends signal 15",
    "environment one two",
    "errors",
    "files",
    "floats",
    "hashes 300",
    "heap 3000",
    "holes",
    "integers",
    "jumps",
    "links",
    "locals",
    "locks",
    "mandelbrot",
    "mapping",
    "mathematics",
    "matrix 12",
    "numbers",
    "packing 2000",
    "patterns",
    "pipes 4",
    "planets 200",
    "poll",
    "primes 100000",
    "queens 7",
    "searches",
    "signals",
    "single",
    "sorts 5000",
    "streams",
    "strings 4",
    "threads",
    "trees 2000",
    "wide",
    "words",
]

PROGRAMS_OF_CPP = ["containers", "exceptions", "iostreams", "shapes", "templates", "workers"]


class Ended(NamedTuple):
    """How a program ended, and what it told on its two streams."""

    status: int
    output: str
    errors: str = ""


def started(
    words: list[str],
    folder: str,
    *,
    input_text: str = "",
    writable: bool = True,
    memory_bytes: int = MEMORY_BYTES,
) -> tuple[_core.Machine, int]:
    """Return a machine with a program that is about to be loaded, and the VM's number."""
    program = LinuxProgram(
        folder=folder,
        writable=writable,
        program=words[0],
        arguments=tuple(words),
        environment=("COLOUR=blue",),
        input=input_text,
    )
    config: dict[str, Any] = {
        "name": "process",
        "technique": "process",
        "memory_bytes": memory_bytes,
        "process": program.text(),
    }
    hardware = load_profile("vt-2017-skylake").machine_json()
    machine = _core.Machine(_core.PageStore(2**29), hardware=hardware, pcpus=1, memory_bytes=2**28)
    vm = machine.create_vm(json.dumps(config), b"")
    machine.load(0, vm, 0, 0)
    return machine, vm


def run(
    words: list[str],
    folder: str,
    *,
    input_text: str = "",
    writable: bool = True,
    memory_bytes: int = MEMORY_BYTES,
) -> Ended:
    """Execute a program on a machine of its own."""
    machine, vm = started(
        words, folder, input_text=input_text, writable=writable, memory_bytes=memory_bytes
    )
    while True:
        end = machine.run(LIMIT_NS)
        if end.kind == "shutdown":
            assert end.code is not None
            told = machine.program(vm).output()
            machine.unload(0)
            machine.destroy_vm(vm)
            assert machine.free_frames == machine.frames
            return Ended(end.code, _text(told, is_error=False), _text(told, is_error=True))
        assert end.kind == "wait", (end.kind, end.message, machine.console_output(vm))


def _text(told: list[tuple[bool, bytes]], *, is_error: bool) -> str:
    return b"".join(text for stream, text in told if stream == is_error).decode()


def under_qemu(words: list[str], folder: Path, input_text: str) -> Ended:
    """Execute the same file under QEMU's user mode."""
    qemu = require_qemu("qemu-riscv64")
    done = subprocess.run(
        [qemu, f"{linux_folder()}{words[0]}", *words[1:]],
        cwd=folder,
        env={"COLOUR": "blue"},
        input=input_text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    # What QEMU itself says of a signal is not the program's.
    errors = "".join(
        line for line in done.stderr.splitlines(keepends=True) if not line.startswith("qemu: ")
    )
    return Ended(status, done.stdout, errors)


@pytest.mark.parametrize(
    "words",
    [
        *(f"/programs {words}" for words in PROGRAMS),
        *(f"/programs-of-c++ {words}" for words in PROGRAMS_OF_CPP),
    ],
    ids=lambda words: words.partition(" ")[2],
)
def test_a_program_does_what_it_does_under_qemu(words: str, tmp_path: Path) -> None:
    text = "1 2\n3 4\n50 -8\n"
    expected = under_qemu(words.split(), tmp_path, text)
    assert run(words.split(), linux_folder(), input_text=text) == expected


def test_every_program_is_compared() -> None:
    sources = {path.stem for path in SOURCES.iterdir()}
    compared = {words.split()[0] for words in (*PROGRAMS, *PROGRAMS_OF_CPP)}
    # What these do is told below; nobody lets a bomb loose under QEMU.
    assert sources - compared == {"bomb", "cat", "spawn"}


def test_a_program_executes_programs() -> None:
    # QEMU's user mode cannot execute its guest's files: these are the statuses that execve(2) and
    # wait(2) promise for what the program does.
    children = "".join(
        f"child {number} {colour}\n1 {number}\n"
        for number, colour in [("4", "red"), ("5", "red"), ("6", "blue")]
    )
    ended = run(["/programs", "spawn", "/programs"], linux_folder())
    assert ended == Ended(42, f"{children}3\n1 11\n")


def test_pages_that_are_taken_away_come_back_as_they_were() -> None:
    machine, vm = started(["/programs", "sorts", "2000"], linux_folder())
    alone = run(["/programs", "sorts", "2000"], linux_folder())
    taken = 0
    for time_ns in range(50_000, 10**9, 50_000):
        while (end := machine.run(time_ns)).kind == "swap_in":
            assert end.page is not None
            machine.swap_in(vm, end.page)
        if end.kind == "shutdown":
            break
        resident = [machine.resident_page(vm, n) for n in range(machine.resident_pages(vm))]
        taken += [machine.swap_out(0, vm, page) for page in resident[::3]].count("swapped")
    assert end.kind == "shutdown"
    assert Ended(end.code or 0, machine.console_output(vm).decode()) == alone
    assert taken > 50


def test_the_folder_is_never_written(tmp_path: Path) -> None:
    shutil.copy(f"{linux_folder()}/programs", tmp_path / "programs")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    assert run(["/programs", "files"], str(tmp_path)).status == 0
    assert run(["/programs", "links"], str(tmp_path)).status == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_a_tree_that_may_only_be_read_says_so() -> None:
    ended = run(["/programs", "files"], linux_folder(), writable=False)
    assert ended == Ended(1, "cannot write: Read-only file system\n")


def test_no_path_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(f"{linux_folder()}/programs", root / "programs")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("../secret")
    (root / "way").symlink_to("../..")
    paths = ["/out", "/up", "/way/secret", "/../secret", "../../secret", "/way/way/../secret"]
    ended = run(["/programs", "cat", *paths], str(root))
    assert "secret" not in ended.output.replace("/secret", "")
    assert ended.output.count("No such file or directory") == len(paths)


def test_what_a_program_may_use_is_limited() -> None:
    assert run(["/programs", "heap", "3000"], linux_folder(), memory_bytes=2**19).status != 0
    bomb = run(["/programs", "bomb"], linux_folder(), memory_bytes=16 * 2**20)
    assert bomb == Ended(0, "fork: Resource temporarily unavailable\n")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nothing", "No such file or directory"),
        ("/text", "The file is not a program for this machine"),
        ("/folder", "The permissions forbid it"),
    ],
)
def test_a_program_that_cannot_start_says_why(path: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    (tmp_path / "folder").mkdir()
    with pytest.raises(AssertionError, match=reason):
        run([path], str(tmp_path))
