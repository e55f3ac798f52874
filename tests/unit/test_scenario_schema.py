"""The JSON Schema: current, valid itself, and in agreement with the reader."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from dcsim.scenario.document import parse_text, plain
from dcsim.scenario.schema import committed_schema, schema_text

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").rglob("*.yaml"))


def test_the_committed_schema_is_current() -> None:
    """`dcsim schema > dcsim/scenario/scenario.schema.json` makes it so."""
    assert committed_schema() == schema_text()


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text()))


def test_every_property_says_what_it_means() -> None:
    schema = json.loads(schema_text())

    for name, model in {"Scenario": schema, **schema["$defs"]}.items():
        assert model["description"], name
        for key, field in model["properties"].items():
            assert field.get("description") or "$ref" in field or key == "name", (name, key)


def test_defaults_are_written_as_in_a_file() -> None:
    disk = json.loads(schema_text())["$defs"]["Disk"]["properties"]

    assert disk["latency"]["default"] == "80 us"
    assert disk["bandwidth"]["default"] == "4 Gbit/s"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_scenarios_agree_with_it(path: Path) -> None:
    document, _ = parse_text(path.read_text("utf-8"), str(path))

    jsonschema.validate(plain(document), json.loads(schema_text()))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "1"},
        {"hosts": [{"name": "a", "memroy": "1 GiB"}]},
        {"duration": 3},
        {"unknown": 1},
    ],
)
def test_it_refuses_what_the_reader_refuses(change: dict[str, object]) -> None:
    valid: dict[str, object] = {"dcsim": 1, "name": "a", "duration": "1 s", "hosts": []}

    jsonschema.validate(valid, json.loads(schema_text()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(valid | change, json.loads(schema_text()))
