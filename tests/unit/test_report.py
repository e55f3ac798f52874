"""What people are shown: short figures and JUnit."""

from __future__ import annotations

from io import StringIO
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from dcsim.errors import Place
from dcsim.report import expectation_table, junit_xml
from dcsim.report.figures import count, duration, energy, figure, share, size
from dcsim.results import Outcome


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (count(0), "0"),
        (count(9_999), "9,999"),
        (count(12_345), "12.3k"),
        (count(28_500_000), "28.5M"),
        (count(2.25), "2.2"),
        (count(None), "-"),
        (count("off"), "off"),
        (count(""), "-"),
        (duration(0), "0"),
        (duration(1_250_000), "1.25 ms"),
        (duration(248_000), "248 us"),
        (duration(2_000_000_000), "2 s"),
        (duration(None), "-"),
        (size(512), "512 B"),
        (size(1_536), "1.5 KiB"),
        (size(16 * 2**20), "16.0 MiB"),
        (size(None), "-"),
        (share(0.25), "25.0%"),
        (share(None), "-"),
        (energy(97_000), "97 J"),
        (energy(1_250_000), "1.25 kJ"),
        (figure(1_500, "ns"), "1.5 us"),
        (figure(1_500, "count"), "1,500"),
    ],
)
def test_figures_are_short(shown: str, expected: str) -> None:
    assert shown == expected


def test_junit_escapes_and_counts() -> None:
    outcomes = [
        Outcome("vm.a.exits", ">=", 1, "count", 2, True, Place("a.yaml", 1, 1)),
        Outcome("vm.a.state", "==", 'off & "away"', "", "on", False, Place("a.yaml", 2, 1)),
        Outcome("vm.a.latency_p50_ns", "<=", 5, "ns", None, False, Place("a.yaml", 3, 1)),
    ]

    suite = ET.fromstring(junit_xml("small", outcomes))

    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("small", "3", "2")
    messages = [failure.get("message") for failure in suite.iter("failure")]
    assert messages == [
        'a.yaml:2:1: expected vm.a.state == off & "away", but it is on',
        "a.yaml:3:1: expected vm.a.latency_p50_ns <= 5 ns, but it has no value",
    ]


def test_a_long_metric_leaves_verdict_and_figures_whole() -> None:
    metric = " + ".join(f"vm.guest-{number}.total_cycles" for number in range(9))
    table = expectation_table([Outcome(metric, ">=", 1, "count", 2, True, Place("a.yaml", 1, 1))])
    output = StringIO()
    Console(file=output, width=80).print(table)
    lines = output.getvalue().splitlines()
    assert sum(line.startswith("pass  ") for line in lines) == 1
    assert any(line.rstrip().endswith(">= 1      2") for line in lines)
    assert "…" not in output.getvalue()
