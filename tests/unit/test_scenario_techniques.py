"""Scenario files that choose techniques: what fits the hardware is read, what does not is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim import hypervisor
from dcsim.scenario import read_scenario
from tests.unit.scenario_text import problems_of

TECHNIQUES = """\
dcsim: 1
name: techniques
duration: 1 s
hosts:
  - {name: old, hardware: vt-2005-prescott, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: dell-r740}
  - {name: new, hardware: vt-2008-nehalem, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: dell-r740}
  - {name: holes, hardware: sifive-u54, isa: rv64gc-legacy-silent, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: dell-r740}
vms:
  - {name: bare, technique: bare-metal, host: holes, program: idle, memory: 16 MiB}
  - {name: trapped, technique: trap-and-emulate, program: idle, memory: 16 MiB}
  - {name: rings, technique: four-rings, paging: shadow-traced, host: old, program: idle, memory: 16 MiB}
  - {name: translated, technique: binary-translation, program: idle, memory: 16 MiB}
  - {name: aware, technique: paravirtual, host: old, program: idle, memory: 16 MiB}
  - {name: assisted, technique: hardware-assisted, host: new, program: idle, memory: 16 MiB}
  - {name: shadowed, technique: hardware-assisted, paging: shadow-traced, host: old, program: idle, memory: 16 MiB}
"""


def test_every_technique_can_be_asked_for() -> None:
    scenario = read_scenario(TECHNIQUES.encode(), "f.yaml", Path()).scenario

    assert [vm.paging_used for vm in scenario.each_vm()] == [
        "none",
        "shadow-tlb",
        "shadow-traced",
        "shadow-tlb",
        "direct",
        "nested",
        "shadow-traced",
    ]


NESTED = "`vt-2005-prescott` has no second stage of translation"
NESTED_REMEDY = "write `paging: shadow-traced`, or choose hardware that has one"
NO_TVM = "`four-rings` needs TVM, TW and TSR, which `rv64gc-legacy-silent` has hard-wired to 0"


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("host: new, ", "host: old, ", f"{NESTED}; the VM may run on host `old`; {NESTED_REMEDY}"),
        ("host: new, ", "", f"{NESTED}; the VM may run on host `old`; {NESTED_REMEDY}"),
        (
            "vms:",
            "migrations: [{vm: assisted, to: old, at: 1 ms}]\nvms:",
            f"{NESTED}; the VM may run on host `old`; {NESTED_REMEDY}",
        ),
        (
            "traced, host: old, program",
            "traced, program",
            f"{NO_TVM}; the VM may run on host `holes`; "
            "write `binary-translation`, or choose another `isa`",
        ),
        (
            "vms:",
            "migrations: [{vm: aware, to: holes, at: 1 ms}]\nvms:",
            "`paravirtual` has its kernel in U on host `holes` and in S on host `old`, and the VM may"
            " move; let it move between hosts of one kind only",
        ),
    ],
)
def test_a_technique_must_fit_every_host_that_a_vm_may_be_on(
    right: str, wrong: str, problem: str
) -> None:
    assert right in TECHNIQUES
    (told,) = problems_of(TECHNIQUES.replace(right, wrong, 1))
    assert told.split(": ", 1)[1] == problem


def test_a_vm_whose_disk_ties_it_to_its_host_is_held_to_that_host() -> None:
    consolidating = TECHNIQUES.replace("vms:", "consolidation: {interval: 500 ms}\nvms:")
    disk = "disk: {size: 1 MiB}, "
    tied = consolidating.replace("host: ", disk + "host: ")

    assert len(problems_of(consolidating)) == 4
    assert read_scenario(tied.encode(), "f.yaml", Path()).scenario.vms[5].host == "new"


def test_user_code_is_translated_by_translators_only() -> None:
    asked = TECHNIQUES.replace("technique: binary", "translate_user: true, technique: binary")
    vms = read_scenario(asked.encode(), "f.yaml", Path()).scenario.vms
    assert [vm.name for vm in vms if vm.translate_user] == ["translated"]

    wrong = TECHNIQUES.replace("four-rings,", "four-rings, translate_user: true,")
    (told,) = problems_of(wrong)
    [(line, row)] = [each for each in enumerate(wrong.splitlines()) if "translate_user" in each[1]]
    column = row.index("true") + 1
    assert told == (
        f"f.yaml:{line + 1}:{column}: `four-rings` translates no code; "
        "write `technique: binary-translation`, or leave it out"
    )


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            "technique: four-rings, host: old, large_pages: true",
            "`shadow-tlb` paging maps no large pages; "
            "write `paging: nested`, or leave `large_pages` out",
        ),
        (
            "technique: hardware-assisted, host: new, large_pages: true, memory: 5 MiB",
            "5 MiB are not whole large pages of 2 MiB; give it a multiple of 2 MiB of memory",
        ),
    ],
)
def test_large_pages_are_whole_ones_and_can_be_mapped(keys: str, problem: str) -> None:
    keys = keys if "memory" in keys else f"{keys}, memory: 16 MiB"
    hosts = TECHNIQUES.split("vms:", maxsplit=1)[0]
    (told,) = problems_of(f"{hosts}vms:\n  - {{name: big, {keys}, program: idle}}\n")
    assert told.split(": ", 1)[1] == problem


def test_several_vcpus_need_a_technique_that_runs_them() -> None:
    for vm in read_scenario(TECHNIQUES.encode(), "f.yaml", Path()).scenario.each_vm():
        several = TECHNIQUES.replace(f"{{name: {vm.name},", f"{{name: {vm.name}, vcpus: 8,")
        if vm.technique == "bare-metal":
            several = several.replace("pcpus: 1", "pcpus: 8")
        if vm.paging_used in hypervisor.TECHNIQUES[vm.technique].several_vcpus:
            read_scenario(several.encode(), "f.yaml", Path())
            continue
        (told,) = problems_of(several)
        assert f"`{vm.technique}` with `{vm.paging_used}` paging runs one vCPU only" in told


def test_a_guest_on_bare_metal_has_no_more_harts_than_its_host() -> None:
    (told,) = problems_of(TECHNIQUES.replace("{name: bare,", "{name: bare, vcpus: 2,"))
    assert "each of the 2 harts is a processor, and host `holes` has 1" in told
    assert "write `vcpus: 1`" in told


def test_a_vm_has_at_most_eight_vcpus() -> None:
    for vcpus in (0, 9):
        wrong = TECHNIQUES.replace("{name: bare,", f"{{name: bare, vcpus: {vcpus},")
        (told,) = problems_of(wrong)
        assert "vcpus" in told
