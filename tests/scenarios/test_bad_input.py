"""Bad input from the outside: one clear message, exit code 2, no traceback, and quickly."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcsim.guest import kernel_image

VALID = """\
dcsim: 1
name: small
duration: 10 ms
hosts:
  - {name: rack, hardware: sifive-u54, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: hp-ml110-g5}
vms:
  - name: web
    program: idle
    image: kernel.elf
    memory: 16 MiB
"""


def _run(folder: Path, content: str | bytes) -> tuple[int, str, str]:
    """Run a scenario from a shell's point of view."""
    data = content.encode() if isinstance(content, str) else content
    (folder / "bad.yaml").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", "from dcsim.cli import main; main()", "run", "bad.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


BAD_FILES: list[tuple[str, str | bytes, str]] = [
    (
        "unknown key",
        VALID.replace("power:", "pover:"),
        "error: bad.yaml:5:85: `hosts[0]` has no key `pover`\n  hint: did you mean `power`?",
    ),
    (
        "wrong unit",
        VALID.replace("10 ms", "10 MB"),
        "error: bad.yaml:3:11: `duration`: `10 MB` is a size, not a duration\n"
        "  hint: write a duration such as `500 ms`",
    ),
    (
        "missing image",
        VALID,
        "error: bad.yaml:9:12: there is no file `kernel.elf`\n"
        "  hint: the path is relative to the scenario's folder",
    ),
    (
        "duplicate key",
        VALID.replace("name: small", "name: small\nname: large"),
        "error: bad.yaml:3:1: the key `name` stands here twice",
    ),
    (
        "cyclic alias",
        VALID.replace("vms:", "vms: &x\n  - *x"),
        "error: bad.yaml:7:5: the alias `*x` stands inside the very value that `&x` names",
    ),
    (
        "deep nesting",
        VALID + "expect: " + "[" * 10_000,
        "error: bad.yaml:11:41: this is nested more than 32 deep",
    ),
    (
        "a line of 10 MB",
        VALID.encode() + b"# " + b"x" * 10_000_000,
        "error: bad.yaml:11:1: this line has 10,000,002 characters; the limit is 65,536",
    ),
]


@pytest.mark.parametrize(
    ("content", "message"), [case[1:] for case in BAD_FILES], ids=[case[0] for case in BAD_FILES]
)
def test_a_bad_scenario_is_told(tmp_path: Path, content: str | bytes, message: str) -> None:
    started = time.monotonic()

    code, output, messages = _run(tmp_path, content)

    assert code == 2
    assert output == ""
    assert message in messages
    assert "Traceback" not in messages
    assert time.monotonic() - started < 30


def test_a_scenario_that_does_not_exist_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from dcsim.cli import main; main()", "run", "none.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert done.stderr == (
        "error: none.yaml: cannot be read: no such file or directory\n  hint: check the path\n"
    )


BAD_IMAGES = [
    ("empty", b"", "the image is empty"),
    ("truncated", kernel_image()[:5_000], "the image is truncated"),
    ("truncated header", kernel_image()[:40], "the image is "),
    ("another machine", kernel_image()[:18] + b"\x3e\x00" + kernel_image()[20:], "another machine"),
    ("too large", bytes(16 * 2**20 + 1), "it must fit into the VM's memory of 16 MiB"),
]


@pytest.mark.parametrize(
    ("image", "words"), [case[1:] for case in BAD_IMAGES], ids=[case[0] for case in BAD_IMAGES]
)
def test_a_bad_image_is_told_at_the_key_that_names_it(
    tmp_path: Path, image: bytes, words: str
) -> None:
    (tmp_path / "kernel.elf").write_bytes(image)

    code, output, messages = _run(tmp_path, VALID)

    assert code == 2
    assert output == ""
    assert messages.startswith("error: bad.yaml:9:12: `kernel.elf` ")
    assert words in messages
    assert "Traceback" not in messages
