"""The JSON Schema of scenario files, for editors; generated from the models, kept in the package.

An editor offers completion and marks mistakes when a file begins with
``# yaml-language-server: $schema=<path of scenario.schema.json>``.
"""

from __future__ import annotations

import json
from importlib.resources import files

from dcsim.scenario.scenario import Scenario
from dcsim.units import DIMENSIONS

__all__ = ["committed_schema", "schema_text"]


def schema_text() -> str:
    """Return the schema of this version's models as JSON text."""
    schema = Scenario.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "dcsim scenario"
    return json.dumps(_with_text_defaults(schema), indent=2, ensure_ascii=False) + "\n"


def _with_text_defaults(schema: object) -> object:
    """Write the defaults of quantities as a file would, where pydantic has whole numbers."""
    if isinstance(schema, list):
        return [_with_text_defaults(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    written = {key: _with_text_defaults(each) for key, each in schema.items()}
    dimension, default = _DIMENSIONS.get(str(written.get("x-unit"))), written.get("default")
    if dimension is not None and isinstance(default, int):
        written["default"] = dimension.format(default)
    return written


_DIMENSIONS = {dimension.base: dimension for dimension in DIMENSIONS}


def committed_schema() -> str:
    """Return the schema that was committed; a test holds it equal to :func:`schema_text`."""
    return files("dcsim.scenario").joinpath("scenario.schema.json").read_text("utf-8")
