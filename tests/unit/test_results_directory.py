"""Result directories: whole or not there, the same bytes each time, documented columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dcsim.errors import InvariantError, ResultsError
from dcsim.results import (
    RunResult,
    check_free,
    is_complete,
    read_manifest,
    read_summary,
    read_table,
    summarise,
    write_run,
)
from dcsim.results.tables import TABLES, arrow_table

MakeResult = Callable[..., RunResult]


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_holds_manifest_scenario_tables_and_consoles(
    tmp_path: Path, make_result: MakeResult
) -> None:
    write_run(make_result(), tmp_path / "run")

    names = set(_bytes_of(tmp_path / "run"))
    tables = {f"{table.name}.parquet" for table in TABLES}
    assert names == {"run.json", "scenario.json", "console/web.txt", "console/batch.txt", *tables}
    assert (tmp_path / "run/console/web.txt").read_bytes() == b"hello\n"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_equal_results_give_equal_bytes(tmp_path: Path, make_result: MakeResult) -> None:
    write_run(make_result(), tmp_path / "one")
    write_run(make_result(), tmp_path / "two")

    assert _bytes_of(tmp_path / "one") == _bytes_of(tmp_path / "two")


def test_the_manifest_tells_what_was_run_and_on_what(
    tmp_path: Path, make_result: MakeResult
) -> None:
    result = make_result()
    write_run(result, tmp_path / "run")

    manifest = read_manifest(tmp_path / "run")

    assert manifest["name"] == "small"
    assert manifest["seed"] == 1
    assert manifest["scenario_sha256"] == result.scenario.digest()
    assert manifest["constants"] == [
        {
            "name": "hardware.sifive-u54.trap_cycles",
            "value": 20,
            "unit": "cycles",
            "kind": "assumption",
            "source": "an in-order core",
        }
    ]
    measured = {metric["name"] for metric in manifest["measured"]}
    assert {"instructions", "total_cycles", "dirty_pages"} <= measured


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_columns_are_documented_and_required(make_result: MakeResult, table: object) -> None:
    """A column without a value in some row says so; every other is required."""
    spec = next(each for each in TABLES if each is table)
    result = make_result()

    built = arrow_table(spec, result, summarise(result))

    built.validate(full=True)
    for column, field in zip(spec.columns, built.schema, strict=True):
        assert field.name == column.name
        assert field.nullable == column.optional
        assert field.metadata[b"meaning"]
        assert b"unit" in field.metadata
        suffix = {"ns": "_ns", "bytes": "_bytes"}.get(column.unit, "")
        assert column.name.endswith(suffix)


def test_units_survive_in_the_file(tmp_path: Path, make_result: MakeResult) -> None:
    write_run(make_result(), tmp_path / "run")

    schema = read_table(tmp_path / "run", "requests").schema

    assert schema.field("latency_ns").metadata[b"unit"] == b"ns"
    assert not schema.field("arrived_ns").nullable


def test_a_table_without_rows_keeps_its_columns(make_result: MakeResult) -> None:
    table = next(each for each in TABLES if each.name == "migrations")
    result = make_result(migrations=())

    built = arrow_table(table, result, summarise(result))

    assert built.num_rows == 0
    assert built.column_names == [column.name for column in table.columns]


def test_a_summary_reads_back(tmp_path: Path, make_result: MakeResult) -> None:
    result = make_result()
    write_run(result, tmp_path / "run")

    again, summary = read_summary(tmp_path / "run"), summarise(result)

    assert again.cluster == summary.cluster
    for metric in ("vm.web.latency_p99_ns", "vm.web.cycles.handler:csr", "host.rack-0.vms"):
        assert again.value(metric) == summary.value(metric)


def test_the_kept_scenario_is_the_scenario(tmp_path: Path, make_result: MakeResult) -> None:
    result = make_result()
    write_run(result, tmp_path / "run")

    kept = (tmp_path / "run/scenario.json").read_text("utf-8")

    assert type(result.scenario).model_validate_json(kept) == result.scenario


def test_what_exists_is_not_replaced_unasked(tmp_path: Path, make_result: MakeResult) -> None:
    write_run(make_result(), tmp_path / "run")

    with pytest.raises(ResultsError, match="exists; `--overwrite` replaces it"):
        write_run(make_result(), tmp_path / "run")


def test_overwriting_leaves_only_the_new(tmp_path: Path, make_result: MakeResult) -> None:
    write_run(make_result(), tmp_path / "run")

    only_web = make_result(vms=make_result().vms[:1], migrations=())
    write_run(only_web, tmp_path / "run", overwrite=True)

    assert not (tmp_path / "run/console/batch.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_is_no_result_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(ResultsError, match="is no result directory"):
        check_free(tmp_path, overwrite=True)


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    check_free(tmp_path, overwrite=False)


def test_a_result_that_cannot_be_right_is_not_written(
    tmp_path: Path, make_result: MakeResult
) -> None:
    wrong = replace(make_result().vms[0], lateness_ns=1)

    with pytest.raises(InvariantError):
        write_run(make_result(vms=(wrong,)), tmp_path / "run")

    assert list(tmp_path.iterdir()) == []


def test_completeness_is_every_byte(tmp_path: Path, make_result: MakeResult) -> None:
    folder = tmp_path / "run"
    write_run(make_result(), folder)
    assert is_complete(folder)

    (folder / "console/web.txt").write_bytes(b"other\n")

    assert not is_complete(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}'])
def test_a_damaged_manifest_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)

    with pytest.raises(ResultsError):
        read_manifest(tmp_path)
    assert not is_complete(tmp_path)


def test_the_manifest_names_no_place_or_time(tmp_path: Path, make_result: MakeResult) -> None:
    write_run(make_result(), tmp_path / "run")

    text = (tmp_path / "run/run.json").read_text("utf-8")

    assert str(tmp_path) not in text
    assert set(json.loads(text)) == {
        "format",
        "dcsim",
        "libraries",
        "name",
        "seed",
        "scenario_sha256",
        "images_sha256",
        "ended_ns",
        "measured",
        "constants",
        "tables",
        "files",
    }
