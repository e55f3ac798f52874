"""Scenario files with VMs that have a link of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.scenario import read_scenario
from tests.unit.scenario_text import problems_of

LINKS = """\
dcsim: 1
name: links
duration: 1 s
hosts:
  - {name: a, hardware: sifive-u54, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: dell-r740}
  - {name: b, hardware: sifive-u54, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: dell-r740}
fabric:
  links:
    - {between: [a, top], latency: 1 us, bandwidth: 1 Gbit/s}
    - {between: [b, top], latency: 1 us, bandwidth: 1 Gbit/s}
    - {between: [own, top], latency: 1 us, bandwidth: 1 Gbit/s}
vms:
  - {name: own, program: transmit count=1, memory: 8 MiB, host: a, link: own, sink: {}}
  - {name: other, program: transmit count=1, memory: 8 MiB, host: a, sink: {}}
migrations:
  - {at: 1 ms, vm: other, to: b}
"""


def test_a_vm_can_have_a_link_of_its_own() -> None:
    scenario = read_scenario(LINKS.encode(), "f.yaml", Path()).scenario
    assert [vm.link for vm in scenario.each_vm()] == ["own", "shared"]


CHANGES = [
    ("vm: other", "vm: own", "`own` cannot move: it has a link of its own to its host; write `link: shared` for it"),
    ("link: own, sink: {}", "link: own", "`own` has no network device to be at the end of a link; give it `requests:` or a `sink:`"),
    ("between: [own, top]", "between: [top, outside]", "no path of links leads from `a` to `own`; add the links that are missing"),
    ("name: own", "name: a", "`a` is a node of the network already, and no VM's own; choose another name for the VM"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "problem"), CHANGES)
def test_what_does_not_fit_is_told(right: str, wrong: str, problem: str) -> None:
    text = LINKS.replace(right, wrong, 1)
    assert text != LINKS
    (told,) = problems_of(text)
    assert told.split(": ", 1)[1] == problem
