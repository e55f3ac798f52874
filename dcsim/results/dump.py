"""What a run leaves that broke an invariant: all that it takes to see it break again.

::

    results/quickstart.dump/
    ├── violation.json    what was broken and when, the seed, the version, the command
    ├── scenario.json     the scenario with overrides and defaults
    └── images/...        the kernel images that it names
"""

from __future__ import annotations

import json
import shlex
import shutil
from typing import TYPE_CHECKING

import dcsim
from dcsim.errors import ResultsError
from dcsim.results.directory import replace_folder

if TYPE_CHECKING:
    from pathlib import Path

    from dcsim.errors import InvariantError
    from dcsim.scenario import Scenario

__all__ = ["write_dump"]


def write_dump(folder: Path, scenario: Scenario, seed: int, error: InvariantError) -> str:
    """Write a directory that reproduces a violation; return the command that does so.

    Parameters
    ----------
    folder
        The directory; what is there is replaced.
    scenario
        What was run.
    seed
        The seed that was used.
    error
        What was broken.

    Raises
    ------
    ResultsError
        When the directory cannot be written.
    """
    command = f"dcsim run {shlex.quote(str(folder / 'scenario.json'))} --seed {seed}"
    violation = {
        "invariant": str(error),
        "kind": type(error).__name__,
        "time_ns": error.time_ns,
        "seed": seed,
        "version": dcsim.__version__,
        "scenario_sha256": scenario.digest(),
        "command": command,
    }
    # Written aside: what is run again may be this very dump.
    aside = folder.with_name(f".{folder.name}.unfinished")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        kept = _with_images(scenario, aside)
        (aside / "scenario.json").write_text(kept.canonical_json() + "\n", "utf-8")
        (aside / "violation.json").write_text(json.dumps(violation, indent=2) + "\n", "utf-8")
        replace_folder(aside, folder)
    except OSError as problem:
        raise ResultsError(f"`{folder}` cannot be written: {problem.strerror}") from problem
    return command


def _with_images(scenario: Scenario, folder: Path) -> Scenario:
    """Return the scenario with its kernel images beside it."""
    vms = []
    for index, vm in enumerate(scenario.vms):
        kept = vm
        if vm.image is not None:
            name = f"images/{index}"
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(scenario.resolve(vm.image), folder / name)
            kept = vm.model_copy(update={"image": name})
        vms.append(kept)
    return scenario.model_copy(update={"vms": tuple(vms)})
