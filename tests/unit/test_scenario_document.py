"""The YAML reader: what the core schema says, and every limit with its place."""

from __future__ import annotations

import math
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.errors import ScenarioError
from dcsim.scenario.document import parse_text, plain, read_text


def _read(content: str | bytes) -> object:
    data = content.encode() if isinstance(content, str) else content
    node, problems = parse_text(read_text(data, "f.yaml"), "f.yaml")
    if problems:
        raise ScenarioError(problems)
    return plain(node)


def _problems(content: str | bytes) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        _read(content)
    return [str(problem) for problem in caught.value.problems]


# YAML 1.2.2, section 10.3.2: tag resolution of the core schema.
SCALARS = [
    ("null", None),
    ("~", None),
    ("", None),
    ("NULL", None),
    ("true", True),
    ("False", False),
    ("on", "on"),
    ("yes", "yes"),
    ("no", "no"),
    ("12", 12),
    ("-19", -19),
    ("+3", 3),
    ("012", 12),
    ("0o14", 12),
    ("0xC", 12),
    ("1_000", "1_000"),
    ("1:30", "1:30"),
    ("2026-01-01", "2026-01-01"),
    ("0.", 0.0),
    (".5", 0.5),
    ("-1.5e3", -1500.0),
    ("12e03", 12000.0),
    (".inf", math.inf),
    ("-.Inf", -math.inf),
    ("'12'", "12"),
    ('"true"', "true"),
    ("! 12", "12"),
    ("10 Gbit/s", "10 Gbit/s"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_are_those_of_the_core_schema(text: str, value: object) -> None:
    read = _read(f"key: {text}\n")

    assert read == {"key": value}
    assert isinstance(read, dict)
    assert type(read["key"]) is type(value)


def test_not_a_number_is_read() -> None:
    read = _read("key: .nan")

    assert isinstance(read, dict)
    assert math.isnan(read["key"])


def test_collections_and_aliases_are_read() -> None:
    assert _read("a: &x [1, {b: 2}]\nc: *x\n") == {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}


def test_a_byte_order_mark_is_ignored() -> None:
    assert _read("\ufeffa: 1") == {"a": 1}


LONGEST_SECONDS = 5.0
"""Milliseconds on an idle machine; a reader that looks twice would take minutes."""

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)

REFUSED = [
    ("", "f.yaml:1:1: the file is empty; begin with `dcsim: 1`"),
    ("# only a comment\n", "f.yaml:1:1: the file is empty; begin with `dcsim: 1`"),
    ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document begins here; keep one in a file"),
    (
        "a: 1\nb: 2\na: 3\n",
        "f.yaml:3:1: the key `a` stands here twice; remove one; the first is at line 1, column 1",
    ),
    ("1: a\n", "f.yaml:1:1: a key must be a text; put it in quotes, or use a name"),
    ("? [a]\n: 1\n", "f.yaml:1:3: a key must be a text; put it in quotes, or use a name"),
    (
        "a: &x {b: 1}\nc:\n  <<: *x\n",
        "f.yaml:3:3: merge keys (`<<`) are not part of YAML 1.2; write the keys out",
    ),
    (
        "a: !!python/object:os.system x\n",
        "f.yaml:1:4: the tag `!!python/object:os.system` has no meaning here; remove it",
    ),
    (
        "a: &x [1, *x]\n",
        "f.yaml:1:11: the alias `*x` stands inside the very value that `&x` names; "
        "write the value out",
    ),
    ("a: *y\n", "f.yaml:1:4: the alias `*y` names nothing; put `&y` before a value above"),
    (
        "- " * 1000,
        "f.yaml:1:65: this is nested more than 32 deep; a scenario needs no more than 6 levels",
    ),
    (
        "[" * 1000,
        "f.yaml:1:33: this is nested more than 32 deep; a scenario needs no more than 6 levels",
    ),
    (
        BOMB,
        "f.yaml:6:10: with its aliases written out, the file has more than 200,000 values; "
        "use `count:` for things that are alike",
    ),
    ("a: 9" + "9" * 100, "f.yaml:1:4: this number has too many digits; use at most 15"),
    (b"a: 1\nb: \xff", "f.yaml:2: this is not UTF-8 text; save the file as UTF-8"),
    (
        b"a: 1\nb: x\x00y",
        "f.yaml:2:5: the character U+0000 may not stand in a YAML file; "
        "remove it, or write it as an escape in double quotes",
    ),
    (
        "a: 1\n\tb: 2\n",
        "f.yaml:2:1: this is not YAML: while scanning for the next token, "
        "found character '\\t' that cannot start any token; indent with spaces",
    ),
    (
        "a: b: c\n",
        "f.yaml:1:5: this is not YAML: mapping values are not allowed here; "
        "put a text that contains `: ` in quotes, or check the indentation",
    ),
    (
        'a: "x\n',
        "f.yaml:2:1: this is not YAML: while scanning a quoted scalar, "
        "found unexpected end of stream; close the quotes",
    ),
    (
        "a: [1, 2\n",
        "f.yaml:2:1: this is not YAML: while parsing a flow sequence, "
        "expected ',' or ']', but got '<stream end>'; "
        "close the list with `]`, or put a comma between its items",
    ),
]


@pytest.mark.parametrize(("content", "problem"), REFUSED)
def test_refuses_with_place_and_remedy(content: str | bytes, problem: str) -> None:
    assert _problems(content) == [problem]


def test_a_line_of_ten_megabytes_is_refused_at_once() -> None:
    started = time.monotonic()

    problems = _problems(b"dcsim: 1\nname: " + b"x" * 10_000_000)

    assert problems == [
        "f.yaml:2:1: this line has 10,000,006 characters; the limit is 65,536; "
        "break it into shorter lines"
    ]
    assert time.monotonic() - started < LONGEST_SECONDS


@pytest.mark.parametrize("length", [65_535, 65_536])
def test_the_longest_lines_are_read(length: int) -> None:
    """Many of them, so that a look at every character of every line would take minutes."""
    lines = ["# " + "x" * (length - 2)] * 7

    assert _read("\n".join([*lines, "a: 1", *lines])) == {"a": 1}


def test_the_first_line_that_is_too_long_is_told() -> None:
    lines = ["a: 1", "# " + "x" * 65_534, "# " + "y" * 65_535, "# " + "z" * 70_000]

    assert _problems("\n".join(lines)) == [
        "f.yaml:3:1: this line has 65,537 characters; the limit is 65,536; "
        "break it into shorter lines"
    ]


def test_a_file_of_ten_megabytes_is_refused_at_once() -> None:
    started = time.monotonic()

    problems = _problems(b"a: 1\n" * 2_000_000)

    assert problems == [
        "f.yaml: the file has 10,000,000 bytes; the limit is 1,048,576; "
        "use `count:` for things that are alike"
    ]
    assert time.monotonic() - started < LONGEST_SECONDS


def test_reading_goes_on_after_what_is_wrong_by_itself() -> None:
    assert _problems("a: 1\na: 2\n1: 3\nb: !x 4\n") == [
        "f.yaml:2:1: the key `a` stands here twice; remove one; the first is at line 1, column 1",
        "f.yaml:3:1: a key must be a text; put it in quotes, or use a name",
        "f.yaml:4:4: the tag `!x` has no meaning here; remove it",
    ]


def test_noted_problems_are_told_beside_a_syntax_error() -> None:
    problems = _problems("a: 1\na: 2\nb: c: d\n")

    assert [problem.split(": ")[0] for problem in problems] == ["f.yaml:2:1", "f.yaml:3:5"]


@given(st.text(alphabet="ab:-[]{},&*!|>'\"#%@` \n\t0.~<\\\x00\x85é", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ScenarioError):
        _read(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(ScenarioError):
        _read(content)
