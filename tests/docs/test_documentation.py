"""The documentation is true: its examples are executed, its links and paths exist.

In a guide a block is executed by its language: ``yaml`` that begins with ``# name.yaml`` writes that
file; in ``console`` each ``$ dcsim`` line is run and its output compared, ``...`` standing for
anything; ``pycon`` is a doctest. All blocks of one guide share a folder, in the guide's order.
"""

from __future__ import annotations

import doctest
import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = [
    ROOT / "docs/quickstart.md",
    ROOT / "docs/measured-and-assumed.md",
    ROOT / "docs/hardware-profiles.md",
    ROOT / "docs/concepts/sensitive-instructions.md",
    ROOT / "docs/concepts/monitors-in-monitors.md",
    ROOT / "docs/concepts/scheduling.md",
    ROOT / "docs/concepts/virtual-disks.md",
    ROOT / "docs/concepts/ballooning.md",
    ROOT / "docs/concepts/isolation.md",
]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"`((?:rust_core|dcsim|tests|docs|scenarios)/[A-Za-z0-9_./-]+)`")


@dataclass(frozen=True)
class Block:
    """One fenced block of a guide."""

    language: str
    text: str
    line: int


def _blocks(path: Path) -> list[Block]:
    text = path.read_text("utf-8")
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 2)
        for match in _FENCE.finditer(text)
    ]


def _run(command: str) -> str:
    """Run one command line of `dcsim`, and return its output and messages together."""
    program = [sys.executable, "-c", "from dcsim.cli import main; main()"]
    done = subprocess.run(
        [*program, *shlex.split(command)[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        text=True,
        check=False,
        timeout=240,
    )
    return done.stdout


def _check_console(block: Block) -> None:
    """Run each command of a block; what follows it is what it prints."""
    commands = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    for part in commands:
        command, _, expected = part.partition("\n")
        if command.startswith("dcsim "):
            shown = _squeezed(_run(command))
            assert _matches(shown, _squeezed(expected)), f"{command}\n{shown}"


def _matches(shown: str, expected: str) -> bool:
    """Compare, where `...` stands for any text."""
    pattern = "*".join(re.sub(r"([\[*?])", r"[\1]", part) for part in expected.split("..."))
    return fnmatch.fnmatchcase(shown, pattern)


def _squeezed(text: str) -> str:
    """Return a text without what depends on the widths of columns."""
    lines = (re.sub(r" +", " ", line).rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


@pytest.mark.slow
@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_a_guide_does_what_it_says(
    guide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    names: dict[str, object] = {}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=flags)
    for block in _blocks(guide):
        written = re.match(r"# (\S+\.yaml)\n", block.text)
        if block.language == "yaml" and written is not None:
            Path(written[1]).write_text(block.text)
        elif block.language == "console":
            _check_console(block)
        elif block.language == "pycon":
            parser = doctest.DocTestParser()
            test = parser.get_doctest(block.text, names, guide.stem, str(guide), block.line)
            failed = runner.run(test, clear_globs=False).failed
            assert failed == 0, f"{guide.name}:{block.line}"
            names = test.globs


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_exist(page: Path) -> None:
    text = page.read_text("utf-8")

    for link in _LINK.findall(text):
        if "://" not in link:
            assert (page.parent / link).exists(), link
    for path in _PATH.findall(text.replace("docs/_build", "")):
        assert (ROOT / path).exists(), path


def test_the_guides_are_executed() -> None:
    """A page whose blocks had other names would pass by doing nothing."""
    for guide in GUIDES:
        languages = [block.language for block in _blocks(guide)]
        assert "console" in languages
        assert languages.count("pycon") >= 2


@pytest.mark.parametrize(
    ("shown", "expected", "same"),
    [
        ("a 1\nb", "a 1\nb", True),
        ("a 1\nb", "a ...\nb", True),
        ("a [1]*?\nb", "a [1]*?\nb", True),
        ("a 1\nb", "a 2\nb", False),
        ("a 1\nb\nc", "a 1\nb", False),
    ],
)
def test_output_is_compared_to_the_letter(shown: str, expected: str, same: bool) -> None:
    assert _matches(shown, expected) == same
