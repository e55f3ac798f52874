"""Every promise of the specification is kept by a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (?!promise|---)(.+?) \| (.+?) \|$", re.MULTILINE)
_TEST = re.compile(r"`(\S+\.(?:py|rs))::(\w+)`")
ROWS = _ROW.findall((ROOT / "SPECIFICATION.md").read_text("utf-8"))


def test_there_are_promises() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize(("promise", "keepers"), ROWS, ids=[row[0][:60] for row in ROWS])
def test_a_promise_is_kept(promise: str, keepers: str) -> None:
    tests = _TEST.findall(keepers)

    assert tests or re.search(r"`make [a-z-]+", keepers), promise
    for path, name in tests:
        assert re.search(rf"\b(def|fn) {name}\(", (ROOT / path).read_text("utf-8")), name
