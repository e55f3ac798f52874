"""The quickstart gives the same bytes again, in every file, whatever the order of a hash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RUNS = {
    "first": ("0", ()),
    "again": ("0", ()),
    "another-hash": ("4242", ()),
    "another-seed": ("0", ("--set", "seed=2")),
}
"""By name: the seed of Python's hashes, and what is asked beside the scenario."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Return every file of the result directory of each run; all run at once."""
    folder = tmp_path_factory.mktemp("quickstart")
    processes = [_start(folder / name, *how) for name, how in RUNS.items()]
    for process in processes:
        _, complaint = process.communicate(timeout=240)
        assert process.returncode == 0, complaint.decode()
    return {name: _files(folder / name) for name in RUNS}


def _start(output: Path, hash_seed: str, options: tuple[str, ...]) -> subprocess.Popen[bytes]:
    program = "from dcsim.cli import main; main()"
    scenario = str(ROOT / "scenarios" / "quickstart.yaml")
    words = ["run", scenario, "--quiet", "--output", str(output), *options]
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _files(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("other", ["again", "another-hash"])
def test_the_same_seed_gives_the_same_bytes(
    results: dict[str, dict[str, bytes]], other: str
) -> None:
    first = results["first"]
    assert {"run.json", "vms.parquet"} <= first.keys()
    assert any(name.startswith("console/") for name in first)
    assert first.keys() == results[other].keys()
    assert [name for name in first if first[name] != results[other][name]] == []


def test_another_seed_gives_other_bytes(results: dict[str, dict[str, bytes]]) -> None:
    first, other = results["first"], results["another-seed"]
    assert first.keys() == other.keys()
    assert first["requests.parquet"] != other["requests.parquet"]
