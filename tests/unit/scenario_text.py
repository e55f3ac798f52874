"""A valid scenario for tests to change one thing of, and what reading it then tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario import read_scenario

VALID = """\
dcsim: 1
name: small
duration: 2 s
storage:
  shared:
    - {name: san, latency: 120 us, bandwidth: 2 GB/s}
hosts:
  - name: rack
    count: 2
    hardware: sifive-u54
    hypervisor: type1
    pcpus: 2
    memory: 256 MiB
    power: dell-r740
vms:
  - name: web
    count: 2
    program: server
    memory: 16 MiB
    disk: {size: 4 MiB, on: san}
    requests: {rate: 200 /s, count: 100}
  - {name: job, program: integer rounds=1, memory: 16 MiB, start: 100 ms}
consolidation: {interval: 500 ms}
migrations:
  - {vm: job, to: rack-1, at: 1 s}
expect:
  - {metric: vm.web-0.requests_served, at_least: 10}
  - {metric: cluster.latency_p99_ns, at_most: 5 ms}
"""


def problems_of(text: str, overrides: tuple[str, ...] = ()) -> list[str]:
    """Return the problems that reading a scenario tells of, as the user sees them."""
    with pytest.raises(ScenarioError) as caught:
        read_scenario(text.encode(), "f.yaml", Path(), overrides)
    return [str(problem) for problem in caught.value.problems]
