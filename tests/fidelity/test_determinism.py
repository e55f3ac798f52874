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


def test_the_quickstart_is_a_function_of_its_seed(tmp_path: Path) -> None:
    """One test, so that the runs are made once; they run side by side."""
    processes = [_start(tmp_path / name, *how) for name, how in RUNS.items()]
    for process in processes:
        _, complaint = process.communicate(timeout=240)
        assert process.returncode == 0, complaint.decode()
    first = _files(tmp_path / "first")
    assert {"run.json", "vms.parquet"} <= first.keys()
    assert any(name.startswith("console/") for name in first)
    for name in ("again", "another-hash"):
        other = _files(tmp_path / name)
        assert first.keys() == other.keys()
        assert [file for file in first if first[file] != other[file]] == []
    other = _files(tmp_path / "another-seed")
    assert first.keys() == other.keys()
    assert first["requests.parquet"] != other["requests.parquet"]


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
