"""Scenario files as trees of nodes that know where they stand.

YAML 1.2 with the core schema, read strictly: no tags, no merge keys, no duplicate keys, one
document. PyYAML scans and parses; this module composes, because PyYAML's own composer resolves
YAML 1.1 scalars (where ``on`` is true), keeps the last of two equal keys and follows aliases
without bound.

Invariants: whatever the bytes are, reading ends in time and memory proportional to the limits
below, and either returns a tree whose every node has a place or raises
:class:`~dcsim.errors.ScenarioError`. Reference: YAML 1.2.2, section 10.3 (core schema).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from dcsim.errors import Place, Problem, ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Entry", "Node", "Scalar", "parse_text", "plain", "read_text"]

LONGEST_FILE_BYTES = 2**20
LONGEST_LINE_CHARACTERS = 2**16
DEEPEST_NESTING = 32
MOST_NODES = 200_000
MOST_PROBLEMS = 100
_LONGEST_NUMBER = 40

Scalar = str | int | float | bool | None

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_TOO_DEEP = f"this is nested more than {DEEPEST_NESTING} deep"
_REMEDIES = {
    _TOO_DEEP: "a scenario needs no more than 6 levels",
    "found character '\\t' that cannot start any token": "indent with spaces",
    "mapping values are not allowed here": "put a text that contains `: ` in quotes, "
    "or check the indentation",
    "could not find expected ':'": "write `key: value`, with a space after the colon",
    "expected <block end>": "check the indentation of this line against the lines above",
    "expected ',' or ']'": "close the list with `]`, or put a comma between its items",
    "expected ',' or '}'": "close the mapping with `}`, or put a comma between its entries",
    "found unexpected end of stream": "close the quotes",
    "while scanning a quoted scalar": "close the quotes",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's place and its value."""

    key_place: Place
    node: Node


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place: a scalar, a list of nodes, or entries by key."""

    place: Place
    value: Scalar | tuple[Node, ...] | dict[str, Entry]
    weight: int = 1
    """How many nodes this one is once every alias is written out."""


def plain(node: Node) -> object:
    """Return a node's value without places: scalars, lists and dictionaries."""
    if isinstance(node.value, dict):
        return {key: plain(entry.node) for key, entry in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(item) for item in node.value]
    return node.value


def read_text(content: bytes, source: str) -> str:
    """Decode a file's bytes and hold them to the limits that keep reading quick.

    Raises
    ------
    ScenarioError
        When the file is too large, a line is too long, or it is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        place = Place(source, line)
        raise _failed(place, "this is not UTF-8 text", "save the file as UTF-8") from None
    start = _long_line(text)
    if start is not None:
        end = text.find("\n", start)
        length = (len(text) if end < 0 else end) - start
        message = f"this line has {length:,} characters; the limit is {LONGEST_LINE_CHARACTERS:,}"
        place = _place_of_offset(text, start, source)
        raise _failed(place, message, "break it into shorter lines")
    if len(content) > LONGEST_FILE_BYTES:
        message = f"the file has {len(content):,} bytes; the limit is {LONGEST_FILE_BYTES:,}"
        raise _failed(Place(source), message, "use `count:` for things that are alike")
    return text


def parse_text(text: str, source: str) -> tuple[Node, tuple[Problem, ...]]:
    """Compose the one document of a text.

    Parameters
    ----------
    text
        YAML.
    source
        What to call the text in places.

    Returns
    -------
    tuple[Node, tuple[Problem, ...]]
        The tree, and the problems after which reading could go on, such as duplicate keys.

    Raises
    ------
    ScenarioError
        When the text is not YAML, or breaks a limit.
    """
    composer = _Composer(text, source)
    try:
        node = composer.document()
    except yaml.MarkedYAMLError as error:
        raise ScenarioError([*composer.problems, _syntax_problem(error, source)]) from None
    except yaml.reader.ReaderError as error:
        raise _failed(
            _place_of_offset(text, error.position, source),
            f"the character U+{_code_point(error):04X} may not stand in a YAML file",
            "remove it, or write it as an escape in double quotes",
        ) from None
    return node, tuple(composer.problems)


class _Loader(yaml.SafeLoader):
    """PyYAML's scanner and parser, which stop at brackets that are nested too deep.

    The scanner looks at every open bracket for each token that it reads ahead, so a thousand of
    them would already take seconds.
    """

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        """Open a bracket."""
        if self.flow_level >= DEEPEST_NESTING:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=self.get_mark())
        super().fetch_flow_collection_start(token)


@dataclass
class _Composer:
    """Turns PyYAML's events into nodes."""

    text: str
    source: str
    problems: list[Problem] = field(default_factory=list)
    _anchors: dict[str, Node] = field(default_factory=dict)
    _open_anchors: list[str] = field(default_factory=list)
    _nodes: int = 0

    def document(self) -> Node:
        """Compose the only document of the stream."""
        events = yaml.parse(self.text, Loader=_Loader)
        next(events)  # the start of the stream
        event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            raise _failed(Place(self.source, 1, 1), "the file is empty", "begin with `dcsim: 1`")
        node = self._node(next(events), events, depth=1)
        next(events)  # the end of the document
        event = next(events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._stop(event, "a second document begins here", "keep one in a file")
        return node

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        """Compose the node that an event begins."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > DEEPEST_NESTING:
            raise self._stop(event, _TOO_DEEP, _REMEDIES[_TOO_DEEP])
        self._check_tag(event)
        anchor: str | None = getattr(event, "anchor", None)
        if anchor is not None:
            self._open_anchors.append(anchor)
        node = self._collection_or_scalar(event, events, depth)
        self._count(event, 1)
        if anchor is not None:
            self._open_anchors.pop()
            self._anchors[anchor] = node
        return node

    def _collection_or_scalar(
        self, event: yaml.Event, events: Iterator[yaml.Event], depth: int
    ) -> Node:
        place = self._place(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items = tuple(self._items(events, depth))
            return Node(place, items, 1 + sum(item.weight for item in items))
        if isinstance(event, yaml.MappingStartEvent):
            entries = self._entries(events, depth)
            return Node(place, entries, 1 + sum(each.node.weight for each in entries.values()))
        assert isinstance(event, yaml.ScalarEvent)  # the only kind left that begins a node
        return Node(place, self._scalar(event))

    def _items(self, events: Iterator[yaml.Event], depth: int) -> Iterator[Node]:
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._node(event, events, depth + 1)

    def _entries(self, events: Iterator[yaml.Event], depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key_place = self._place(event)
            key = self._key(self._node(event, events, depth + 1), event)
            entry = Entry(key_place, self._node(next(events), events, depth + 1))
            if key is None:
                continue
            if key in entries:
                first = entries[key].key_place
                self._note(
                    event,
                    f"the key `{key}` stands here twice",
                    f"remove one; the first is at line {first.line}, column {first.column}",
                )
                continue
            entries[key] = entry
        return entries

    def _key(self, node: Node, event: yaml.Event) -> str | None:
        """Return a key's text, or None after noting what is wrong with it."""
        if node.value == "<<":
            self._note(event, "merge keys (`<<`) are not part of YAML 1.2", "write the keys out")
            return None
        if not isinstance(node.value, str):
            self._note(event, "a key must be a text", "put it in quotes, or use a name")
            return None
        return node.value

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor
        if name in self._open_anchors:
            message = f"the alias `*{name}` stands inside the very value that `&{name}` names"
            raise self._stop(event, message, "write the value out")
        if name not in self._anchors:
            message = f"the alias `*{name}` names nothing"
            raise self._stop(event, message, f"put `&{name}` before a value above")
        node = self._anchors[name]
        self._count(event, node.weight)
        return node

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        text: str = event.value
        if not event.implicit[0] or event.tag == "!":
            return text
        return self._number(event, text) if text[:1] in _NUMBER_STARTS else _word(text)

    def _number(self, event: yaml.ScalarEvent, text: str) -> Scalar:
        kinds = (_INTEGER, _OCTAL, _HEXADECIMAL, _FLOAT, _SPECIAL_FLOAT)
        if not any(kind.fullmatch(text) for kind in kinds):
            return text
        if len(text) > _LONGEST_NUMBER:
            self._note(event, "this number has too many digits", "use at most 15")
            return 0
        if _INTEGER.fullmatch(text):
            return int(text)
        if _OCTAL.fullmatch(text):
            return int(text[2:], 8)
        if _HEXADECIMAL.fullmatch(text):
            return int(text[2:], 16)
        return float(text.replace(".", "", 1) if _SPECIAL_FLOAT.fullmatch(text) else text)

    def _check_tag(self, event: yaml.Event) -> None:
        tag: str | None = getattr(event, "tag", None)
        if tag not in (None, "!"):
            shown = str(tag).replace("tag:yaml.org,2002:", "!!")
            self._note(event, f"the tag `{shown}` has no meaning here", "remove it")

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            message = f"with its aliases written out, the file has more than {MOST_NODES:,} values"
            raise self._stop(event, message, "use `count:` for things that are alike")

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        if mark is None:
            return Place(self.source)
        return Place(self.source, mark.line + 1, mark.column + 1)

    def _note(self, event: yaml.Event, message: str, remedy: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(self._place(event), message, remedy))

    def _stop(self, event: yaml.Event, message: str, remedy: str) -> ScenarioError:
        return ScenarioError([*self.problems, Problem(self._place(event), message, remedy)])


_NUMBER_STARTS = tuple("+-.0123456789")


def _word(text: str) -> Scalar:
    """Resolve a plain scalar that is no number, by the core schema."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    return text


def _long_line(text: str) -> int | None:
    """Return where the first line that is too long starts; jumps from limit to limit."""
    start = 0
    while len(text) - start > LONGEST_LINE_CHARACTERS:
        newline = text.rfind("\n", start, start + LONGEST_LINE_CHARACTERS + 1)
        if newline < 0:
            return start
        start = newline + 1
    return None


def _syntax_problem(error: yaml.MarkedYAMLError, source: str) -> Problem:
    """Return what PyYAML found, with its place and a remedy where one is known."""
    mark = error.problem_mark or error.context_mark
    place = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source)
    words = f"{error.problem or ''} {error.context or ''}"
    remedy = next((text for key, text in _REMEDIES.items() if key in words), "")
    told = ", ".join(part for part in (error.context, error.problem) if part)
    return Problem(place, told if told == _TOO_DEEP else f"this is not YAML: {told}", remedy)


def _place_of_offset(text: str, offset: int, source: str) -> Place:
    line = text.count("\n", 0, offset) + 1
    return Place(source, line, offset - text.rfind("\n", 0, offset))


def _code_point(error: yaml.reader.ReaderError) -> int:
    character = error.character
    return ord(character) if isinstance(character, str) else int(character)


def _failed(place: Place, message: str, remedy: str) -> ScenarioError:
    return ScenarioError([Problem(place, message, remedy)])
