"""Turns what pydantic says about a document into problems with places and remedies.

pydantic names a location (``hosts, 2, memory``); the document knows where each location stands;
the models' JSON Schema knows which keys and values are allowed there.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from dcsim.errors import Problem, UnitError, did_you_mean, nearest
from dcsim.scenario.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from dcsim.errors import Place
    from dcsim.scenario.document import Node

__all__ = ["explain", "place_of", "written"]

Location = tuple[int | str, ...]

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "`true` or `false`",
    "tuple_type": "a list",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "finite_number": "a finite number",
}
_COMPARISONS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_PATTERNS = {
    "^[a-z]": "a name of lower-case letters, digits and single hyphens, such as `rack1-a`",
    "^[\\x20": "printable ASCII characters",
}


def explain(error: ValidationError, root: Node) -> list[Problem]:
    """Return one problem for each thing that pydantic found wrong.

    Parameters
    ----------
    error
        What validating the plain value of `root` raised.
    root
        The document.
    """
    every = error.errors(include_url=False)
    misspelt = {_meant(details) for details in every if details["type"] == "extra_forbidden"}
    return [
        _problem(details, root)
        for details in every
        if details["type"] != "missing" or details["loc"] not in misspelt
    ]


def _meant(details: ErrorDetails) -> Location:
    """Return the location that an unknown key was probably meant to be."""
    *around, name = details["loc"]
    allowed = list(_schema_at(around).get("properties", {}))
    return (*around, nearest(str(name), allowed) or "")


def place_of(root: Node, location: Sequence[int | str], *, key: bool = False) -> Place:
    """Return where a location stands, or the nearest thing around it that stands somewhere.

    Parameters
    ----------
    root
        The document.
    location
        Keys and indices from the root.
    key
        Ask for the place of the last key rather than of its value.
    """
    node, place = root, root.place
    for step in location:
        if isinstance(node.value, dict) and step in node.value:
            entry = node.value[str(step)]
            node, place = entry.node, entry.key_place if key else entry.node.place
        elif isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            place = node.place
        else:
            break
    return place


def written(location: Sequence[int | str]) -> str:
    """Return a location as a path: ``hosts[2].memory``."""
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.removeprefix(".") or "the scenario"


def _problem(details: ErrorDetails, root: Node) -> Problem:
    location = details["loc"]
    explained = _EXPLAINERS.get(details["type"], _explain_any)
    message, remedy = explained(details)
    on_key = details["type"] == "extra_forbidden"
    return Problem(place_of(root, location, key=on_key), message, remedy)


def _explain_missing(details: ErrorDetails) -> tuple[str, str]:
    *around, name = details["loc"]
    example = _schema_at(details["loc"]).get("examples", ["..."])[0]
    return f"{_quoted(around)} has no `{name}`", f"add `{name}: {example}`"


def _explain_extra(details: ErrorDetails) -> tuple[str, str]:
    *around, name = details["loc"]
    allowed = list(_schema_at(around).get("properties", {}))
    return f"{_quoted(around)} has no key `{name}`", did_you_mean(str(name), allowed)


def _explain_choice(details: ErrorDetails) -> tuple[str, str]:
    schema = _schema_at(details["loc"])
    allowed = [str(each) for each in schema.get("enum", [schema.get("const")])]
    message = f"`{details['input']}` is not a value for {_quoted(details['loc'])}"
    return message, did_you_mean(str(details["input"]), allowed)


def _explain_value_error(details: ErrorDetails) -> tuple[str, str]:
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, UnitError):
        return f"{_quoted(details['loc'])}: {cause.message}", cause.remedy
    return f"{_quoted(details['loc'])} {cause}", ""


def _explain_kind(details: ErrorDetails) -> tuple[str, str]:
    wanted = _KINDS[details["type"]]
    return f"{_quoted(details['loc'])} must be {wanted}, not {_described(details['input'])}", ""


def _explain_comparison(details: ErrorDetails) -> tuple[str, str]:
    words, key = _COMPARISONS[details["type"]]
    bound = details["ctx"][key]
    given = details["input"]
    return f"{_quoted(details['loc'])} must be {words} {bound}, not `{given}`", ""


def _explain_pattern(details: ErrorDetails) -> tuple[str, str]:
    pattern = str(details["ctx"]["pattern"])
    wanted = next(words for start, words in _PATTERNS.items() if pattern.startswith(start))
    shown = _described(details["input"])
    return f"{_quoted(details['loc'])} must be {wanted}, not {shown}", ""


def _explain_length(details: ErrorDetails) -> tuple[str, str]:
    context = details["ctx"]
    words = "at least" if "min_length" in context else "at most"
    bound = context.get("min_length", context.get("max_length"))
    things = "characters" if details["type"].startswith("string") else "items"
    return f"{_quoted(details['loc'])} must have {words} {bound} {things}", ""


def _explain_any(details: ErrorDetails) -> tuple[str, str]:
    words = details["msg"]
    return f"{_quoted(details['loc'])}: {words[:1].lower()}{words[1:]}", ""


_EXPLAINERS: dict[str, Callable[[ErrorDetails], tuple[str, str]]] = {
    "missing": _explain_missing,
    "extra_forbidden": _explain_extra,
    "literal_error": _explain_choice,
    "value_error": _explain_value_error,
    "string_pattern_mismatch": _explain_pattern,
    "string_too_short": _explain_length,
    "string_too_long": _explain_length,
    "too_short": _explain_length,
    "too_long": _explain_length,
    **dict.fromkeys(_KINDS, _explain_kind),
    **dict.fromkeys(_COMPARISONS, _explain_comparison),
}


def _quoted(location: Sequence[int | str]) -> str:
    path = written(location)
    return f"`{path}`" if location else path


def _described(value: object) -> str:
    """Return how a value of the wrong kind is called in a message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number `{value}`"
        case str():
            return f"the text `{value[:40]}`"
        case dict():
            return "a mapping"
        case _:
            return "a list"


@cache
def _schema() -> dict[str, Any]:
    return Scenario.model_json_schema(by_alias=True)


def _schema_at(location: Sequence[int | str]) -> dict[str, Any]:
    """Return the JSON Schema of the value at a location."""
    schema = _resolved(_schema())
    for step in location:
        if isinstance(step, int):
            prefix = schema.get("prefixItems", [])
            schema = _resolved(prefix[step] if step < len(prefix) else schema.get("items", {}))
        else:
            schema = _resolved(schema.get("properties", {}).get(step, {}))
    return schema


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, and choose what is not null among alternatives."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(choice)
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        definition: dict[str, Any] = _schema()["$defs"][name]
        return definition
    return schema
