"""The manifest of a result directory: what was run, on which constants, and what the files hold.

It holds no wall clock, no path of the machine and nothing else that differs between two runs of
one scenario, seed and version.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa

import dcsim
from dcsim.results.tables import TABLES
from dcsim.scenario.metrics import VM_METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcsim.results.records import RunResult
    from dcsim.scenario import Scenario

__all__ = ["FORMAT", "image_digests", "manifest_text", "sha256"]

FORMAT = 2


def manifest_text(result: RunResult, files: Mapping[str, bytes]) -> str:
    """Return the manifest as JSON text.

    Parameters
    ----------
    result
        The run.
    files
        The content of every other file of the directory by its name.
    """
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "dcsim": dcsim.__version__,
        "libraries": {"pyarrow": pa.__version__},
        "name": result.scenario.name,
        "seed": result.seed,
        "scenario_sha256": result.scenario.digest(),
        "images_sha256": image_digests(result.scenario),
        "ended_ns": result.ended_ns,
        "measured": [
            {"name": metric.name, "unit": metric.unit, "meaning": metric.meaning}
            for metric in VM_METRICS
        ],
        "constants": [asdict(constant) for constant in result.ledger],
        "tables": {table.name: _columns(table.columns) for table in TABLES},
        "files": {name: sha256(files[name]) for name in sorted(files)},
    }
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def sha256(content: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def image_digests(scenario: Scenario) -> dict[str, str]:
    """Return the SHA-256 of every guest image that a scenario names, by the name it uses."""
    names = sorted({vm.image for vm in scenario.vms if vm.image is not None})
    return {name: sha256(scenario.resolve(name).read_bytes()) for name in names}


def _columns(columns: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - see Column
    return [asdict(column) for column in columns]
