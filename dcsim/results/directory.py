"""Result directories: written aside and renamed, so that one that exists is whole.

::

    results/quickstart/
    ├── run.json          the manifest; its digests cover every other file
    ├── scenario.json     the scenario with overrides and defaults, ready to be run again
    ├── vms.parquet ...   the tables
    └── console/web-0.txt what each VM wrote to its console
"""

from __future__ import annotations

import json
import os
import shutil
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from dcsim.errors import ResultsError
from dcsim.results.manifest import FORMAT, manifest_text, sha256
from dcsim.results.metrics import Summary, summarise
from dcsim.results.tables import TABLES, arrow_table

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from dcsim.results.records import RunResult

__all__ = [
    "MANIFEST",
    "check_free",
    "is_complete",
    "read_manifest",
    "read_summary",
    "read_table",
    "replace_folder",
    "write_run",
]

MANIFEST = "run.json"


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse a place where a result must not be written; called before a long run.

    Parameters
    ----------
    folder
        Where the result directory is to be.
    overwrite
        Replace a result directory that is there already.

    Raises
    ------
    ResultsError
        When something is in the way.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / MANIFEST).is_file():
        raise ResultsError(f"`{folder}` exists and is no result directory; choose another place")
    if not overwrite:
        raise ResultsError(f"`{folder}` exists; `--overwrite` replaces it")


def write_run(result: RunResult, folder: Path, *, overwrite: bool = False) -> None:
    """Write a result directory.

    Parameters
    ----------
    result
        The run.
    folder
        The directory; its parents are made.
    overwrite
        Replace a result directory that is there already.

    Raises
    ------
    ResultsError
        When something is in the way.
    InvariantError
        When the result cannot be right; nothing is written.
    """
    check_free(folder, overwrite=overwrite)
    files = _files(result)
    aside = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        for name, content in files.items():
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (aside / MANIFEST).write_text(manifest_text(result, files), "utf-8")
        replace_folder(aside, folder)
    except OSError as error:
        raise ResultsError(f"`{folder}` cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a result directory.

    Raises
    ------
    ResultsError
        When there is none, or it is of another format.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"`{folder}` is no result directory: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ResultsError(f"`{folder}` is of another format; this version reads {FORMAT}")
    return manifest


def read_table(folder: Path, name: str) -> pa.Table:
    """Read a table of a result directory by its name, such as ``vms``.

    Raises
    ------
    ResultsError
        When the directory has no such table.
    """
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise ResultsError(f"`{folder}` has no table `{name}`")
    return pq.read_table(path)


def read_summary(folder: Path) -> Summary:
    """Read every metric back from a result directory.

    Raises
    ------
    ResultsError
        When the directory lacks one of its tables.
    """
    families: dict[str, dict[str, int | float]] = {}
    for family, key in (("cycles", "cause"), ("exits", "reason")):
        for row in read_table(folder, family).to_pylist():
            figures = families.setdefault(f"{row['vm']}.{family}", {})
            figures[row[key]] = row["cycles" if family == "cycles" else "count"]
    for row in read_table(folder, "printed").to_pylist():
        figures = families.setdefault(f"{row['vm']}.{row['line']}", {})
        figures[f"{row['name']}.{row['key']}"] = row["value"]
    for row in read_table(folder, "software").to_pylist():
        figures = families.setdefault(f"{row['host']}.{row['kind']}", {})
        figures[row["name"]] = row["value"]
    return Summary(
        {row["name"]: row for row in read_table(folder, "vms").to_pylist()},
        {row["name"]: row for row in read_table(folder, "hosts").to_pylist()},
        read_table(folder, "cluster").to_pylist()[0],
        families,
    )


def is_complete(folder: Path) -> bool:
    """Tell whether a directory is a whole result of this format, every byte as it was written."""
    try:
        manifest = read_manifest(folder)
    except ResultsError:
        return False
    return all(
        (folder / name).is_file() and sha256((folder / name).read_bytes()) == digest
        for name, digest in manifest["files"].items()
    )


def _files(result: RunResult) -> dict[str, bytes]:
    """Return every file but the manifest by name."""
    summary = summarise(result)
    files = {"scenario.json": result.scenario.canonical_json().encode() + b"\n"}
    for table in TABLES:
        files[f"{table.name}.parquet"] = _parquet(arrow_table(table, result, summary))
    for vm in result.vms:
        files[f"console/{vm.name}.txt"] = vm.console
    return files


def _parquet(table: pa.Table) -> bytes:
    """Return a table as Parquet, every choice of the writer made here."""
    buffer = BytesIO()
    pq.write_table(
        table,
        buffer,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=3,
        use_dictionary=False,
        write_statistics=True,
        row_group_size=2**20,
    )
    return buffer.getvalue()


def replace_folder(aside: Path, folder: Path) -> None:
    """Put a finished directory in its place; an older one goes only when the new one is there."""
    if not folder.exists():
        aside.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    os.replace(aside, folder)  # noqa: PTH105 - on a directory, as above
    shutil.rmtree(old, ignore_errors=True)
