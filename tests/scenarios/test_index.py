"""The index of the scenarios lists each of them."""

from __future__ import annotations

from pathlib import Path

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def test_every_scenario_is_in_the_index() -> None:
    index = (SCENARIOS / "README.md").read_text("utf-8")

    for path in SCENARIOS.rglob("*.yaml"):
        assert f"({path.relative_to(SCENARIOS)})" in index
