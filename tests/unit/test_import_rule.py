"""The floors of the package: a module imports from its own floor's package and from those below.

The order is that of the design: whoever adds a package adds it here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "dcsim"

# From the bottom up. Packages of one floor do not know each other.
FLOORS = [
    {"errors"},
    {"units"},
    {"sim"},
    {"hardware", "guest", "workload", "stats"},
    {"host"},
    {"hypervisor"},
    {"policy"},
    {"datacentre"},
    {"scenario"},
    {"results"},
    {"run"},
    {"study", "report"},
    {"cli"},
]
LEVELS = {name: level for level, floor in enumerate(FLOORS) for name in floor}
MAY_USE_THE_CORE = {"host", "hypervisor", "guest"}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT)


def _imported(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every dotted name that a module imports, with its line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield node.module or "", node.lineno
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def _package(path: Path) -> str:
    """Return the package of `dcsim` that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _wrong(path: Path) -> Iterator[str]:
    own = _package(path)
    for name, line in _imported(path):
        parts = name.split(".")
        if parts[0] != "dcsim" or len(parts) == 1:
            continue
        other = parts[1]
        place = f"{path.relative_to(ROOT.parent)}:{line}"
        if other == "_core" and own not in MAY_USE_THE_CORE:
            yield f"{place}: `{own}` uses the machine world behind the back of the seam"
        if other in LEVELS and other != own and LEVELS[other] >= LEVELS[own]:
            yield f"{place}: `{own}` imports `{other}`, which is not below it"


def test_every_package_has_a_floor() -> None:
    """A file beside the packages counts as one."""
    found = {_package(path) for path in ROOT.rglob("*.py")} - {"__init__"}

    assert found <= set(LEVELS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    assert list(_wrong(path)) == []


def test_the_rule_finds_what_it_forbids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that cannot fail would hold anything."""
    module = tmp_path / "policy" / "bad.py"
    module.parent.mkdir()
    module.write_text(
        "from dcsim.scenario import Scenario\nimport dcsim.cli\nfrom dcsim import _core\n"
        "from dcsim import results\nfrom dcsim.host import Host\nimport json\n"
    )
    monkeypatch.setitem(globals(), "ROOT", tmp_path)

    assert [text.split(":", 1)[1] for text in _wrong(module)] == [
        "1: `policy` imports `scenario`, which is not below it",
        "1: `policy` imports `scenario`, which is not below it",
        "2: `policy` imports `cli`, which is not below it",
        "3: `policy` uses the machine world behind the back of the seam",
        "4: `policy` imports `results`, which is not below it",
    ]
