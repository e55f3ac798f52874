"""Expectations as JUnit XML, which build servers show as tests."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcsim.results import Outcome

__all__ = ["junit_xml"]


def junit_xml(name: str, outcomes: Sequence[Outcome]) -> str:
    """Return one test suite with one test case for each bound of each expectation.

    The format has no place for a file and line, so a failure's message begins with them.
    """
    failures = sum(not outcome.passed for outcome in outcomes)
    suite = ET.Element(
        "testsuite", name=name, tests=str(len(outcomes)), failures=str(failures), errors="0"
    )
    for outcome in outcomes:
        title = f"{outcome.metric} {outcome.comparison} {outcome.bound}"
        case = ET.SubElement(suite, "testcase", classname=name, name=title)
        if not outcome.passed:
            ET.SubElement(case, "failure", message=str(outcome))
    ET.indent(suite)
    text = ET.tostring(suite, encoding="unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
