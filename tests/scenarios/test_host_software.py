"""Scenario files that say what hosts run and who drives their devices; what guests see of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.run import run_scenario
from dcsim.scenario import load_scenario, read_scenario
from tests.unit.scenario_text import problems_of

CONCEPTS = Path(__file__).parents[2] / "scenarios/concepts"

HOST = """\
dcsim: 1
name: software
duration: 1 s
hosts:
  - name: box
    hardware: sifive-u54
    hypervisor: {hypervisor}
    pcpus: 1
    memory: 64 MiB
    power: dell-r740
    {line}
"""


def test_guests_see_one_device_whatever_the_host_has() -> None:
    """Kernel messages (devices found in the device tree), results and digests are the same."""
    result = run_scenario(load_scenario(CONCEPTS / "device-variety.yaml").scenario)
    consoles = {vm.console for vm in result.vms if not vm.is_service}
    assert len(consoles) == 1
    (console,) = consoles
    assert b"kernel: disk of 4096 sectors" in console
    assert b"digest files" in console


@pytest.mark.parametrize(
    ("hypervisor", "line", "message"),
    [
        (
            "type1",
            "devices: [{name: sda, kind: disk, model: megaraid}]",
            "no driver for the disk model `megaraid`",
        ),
        ("type2", "io: driver-domain", "a type 2 hypervisor uses its host's drivers"),
        ("type1", "driver_domain: {workers: 2}", "the host has no driver domain"),
        ("type1", "processes: [{name: batch}]", "has no processes beside its VMs"),
        ("type2", "processes: [{name: a}, {name: a}]", "the name `a` is taken"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(hypervisor: str, line: str, message: str) -> None:
    (problem,) = problems_of(HOST.format(hypervisor=hypervisor, line=line))
    assert message in problem
    assert ":11:" in problem


@pytest.mark.parametrize("line", ["", "io: driver-domain"])
def test_a_driver_domain_and_type_2_use_any_device(line: str) -> None:
    devices = "devices: [{name: eth0, kind: nic, model: ne2000}]"
    kind = "type1" if line else "type2"
    text = HOST.format(hypervisor=kind, line=f"{line}\n    {devices}" if line else devices)
    (host,) = read_scenario(text.encode(), "f.yaml", Path()).scenario.hosts
    assert host.devices[0].model == "ne2000"


def test_a_vm_with_a_device_of_its_own_does_not_move() -> None:
    text = HOST.format(hypervisor="type1", line="io: pass-through")
    text += "vms:\n  - {name: v, program: idle, memory: 8 MiB}\n"
    text += "migrations:\n  - {vm: v, to: box, at: 1 ms}\n"
    assert any("passed through" in problem for problem in problems_of(text))


@pytest.mark.parametrize(
    ("host", "vm", "message"),
    [
        ("overcommit: {}", "", "none can be shared or taken; leave it out"),
        ("devices: []", ", balloon: true", "may write to pages that the VM has given"),
        (
            "devices: []",
            ", balloon: true, host: box",
            "the devices of `box` are passed through",
        ),
    ],
)
def test_memory_that_devices_write_to_is_pinned(host: str, vm: str, message: str) -> None:
    text = HOST.format(hypervisor="type1", line=f"io: pass-through\n    {host}")
    text += f"vms:\n  - {{name: v, program: idle, memory: 8 MiB{vm}}}\n"
    assert any(message in problem for problem in problems_of(text))
