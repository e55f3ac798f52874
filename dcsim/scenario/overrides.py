"""Overrides: ``--set vms.web.count=4`` changes one value of a document before it is validated.

A path goes down through keys; in a list a step is an element's name, or its index in brackets:
``hosts.rack1-a.memory``, ``hosts[0].memory``. Mappings that are missing on the way are made.
The override itself is the place of what it sets, so that a later problem points at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dcsim.errors import Place, Problem, ScenarioError, did_you_mean
from dcsim.scenario.document import Entry, Node, parse_text

__all__ = ["Override", "apply", "parse_override"]

_ASSIGNMENT = re.compile(r"\s*([^=\s]+)\s*=(.*)", re.DOTALL)
_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]{1,6})\]")
_PATH = re.compile(r"[^.\[\]]+(\[[0-9]{1,6}\])*(\.[^.\[\]]+(\[[0-9]{1,6}\])*)*")

Step = int | str


@dataclass(frozen=True, slots=True)
class Override:
    """One assignment."""

    path: tuple[Step, ...]
    value: Node
    text: str
    """How it was written, for messages: ``vms.web.count=4``."""


def parse_override(text: str, option: str = "--set") -> Override:
    """Read ``path=value``, whose value is YAML.

    Raises
    ------
    ScenarioError
        When the text is no assignment, or its value is not YAML.
    """
    source = f"{option} {text}"
    match = _ASSIGNMENT.fullmatch(text)
    if match is None or not _PATH.fullmatch(match[1]):
        message = "this is not an assignment"
        raise _failed(source, message, f"write `{option} path=value`, such as `seed=2`")
    path = tuple(int(index) if index else name for name, index in _STEP.findall(match[1]))
    value, problems = parse_text(match[2].strip() or "null", source)
    value = _moved(value, Place(source))
    if problems:
        raise ScenarioError([replace(each, place=Place(source)) for each in problems])
    return Override(path, value, text)


def apply(root: Node, override: Override) -> Node:
    """Return a copy of a document with one value set.

    Raises
    ------
    ScenarioError
        When the path leads nowhere.
    """
    return _set(root, override.path, override.value)


def _set(node: Node, path: tuple[Step, ...], value: Node) -> Node:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(node.value, tuple):
        index = _index(node.value, step, value.place)
        item = _set(node.value[index], rest, value)
        return replace(node, value=(*node.value[:index], item, *node.value[index + 1 :]))
    if isinstance(step, int):
        raise _failed(value.place.source, f"`[{step}]` needs a list, and there is none", "")
    entries = node.value if isinstance(node.value, dict) else {}
    inner = entries[step].node if step in entries else Node(value.place, None)
    key_place = entries[step].key_place if step in entries else value.place
    return Node(node.place, {**entries, step: Entry(key_place, _set(inner, rest, value))})


def _index(items: tuple[Node, ...], step: Step, place: Place) -> int:
    """Return which element of a list a step means."""
    if isinstance(step, int):
        if step < len(items):
            return step
        message = f"the list has {len(items)} elements, so `[{step}]` does not exist"
        raise _failed(place.source, message, "count from 0")
    names = [_name(item) for item in items]
    if step in names:
        return names.index(step)
    known = [name for name in names if name]
    raise _failed(place.source, f"no element is called `{step}`", did_you_mean(step, known))


def _name(item: Node) -> str:
    """Return the name of a list's element, empty when it has none."""
    entry = item.value.get("name") if isinstance(item.value, dict) else None
    return entry.node.value if entry is not None and isinstance(entry.node.value, str) else ""


def _moved(node: Node, place: Place) -> Node:
    """Return a copy of a tree whose every node stands at one place."""
    if isinstance(node.value, dict):
        entries = {key: Entry(place, _moved(each.node, place)) for key, each in node.value.items()}
        return Node(place, entries)
    if isinstance(node.value, tuple):
        return Node(place, tuple(_moved(item, place) for item in node.value))
    return Node(place, node.value)


def _failed(source: str, message: str, remedy: str) -> ScenarioError:
    return ScenarioError([Problem(Place(source), message, remedy)])
