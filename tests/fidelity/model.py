"""A case as a VM of a scenario: the whole way from a model of hosts to executed instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from dcsim import _core
from dcsim.hardware import HardwareProfile
from dcsim.host.world import CoreWorld
from dcsim.results import RunResult
from dcsim.run import run_scenario
from dcsim.scenario import Scenario
from tests.fidelity.cases import CASES, Case
from tests.fidelity.outcome import Outcome, outcome

HOST = {"hardware": "sifive-u54", "pcpus": 1, "memory": "96 MiB", "power": "hp-ml110-g5"}

Cut = Callable[[int], int]


class AttendedMachine:
    """A machine world on whose consoles somebody types, whose frames run out and whose runs are cut.

    Parameters
    ----------
    machine
        What executes.
    typed
        What is typed, a line each time a guest waits; shared by all machines of a run.
    cut
        How far to run at most, drawn anew for each part of a run.
    """

    def __init__(self, machine: _core.Machine, typed: list[bytes], cut: Cut | None) -> None:
        self._machine = machine
        self._typed = typed
        self._cut = cut
        self._reached_ns = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)

    def run(self, until_ns: int) -> Any:
        exit_ = self._run_in_parts(until_ns)
        if exit_.kind == "wait" and self._typed:
            self._machine.console_input(exit_.vm, self._typed.pop(0))
        return exit_

    def _run_in_parts(self, until_ns: int) -> Any:
        while self._cut is not None and self._reached_ns < until_ns:
            self._reached_ns = min(until_ns, self._reached_ns + self._cut(until_ns))
            exit_ = self._machine.run(self._reached_ns)
            if exit_.kind != "until":
                return exit_
        return self._machine.run(until_ns)


class AttendedWorld(CoreWorld):
    """Makes such machines."""

    def __init__(
        self, typed: Sequence[bytes] = (), *, fail_every: int = 0, cut: Cut | None = None
    ) -> None:
        super().__init__(1 << 30)
        self._typed = list(typed)
        self._fail_every = fail_every
        self._cut = cut

    def machine(self, profile: HardwareProfile, pcpus: int, memory_bytes: int) -> Any:
        machine: Any = super().machine(profile, pcpus, memory_bytes)
        machine.fail_frame_allocations(self._fail_every)
        return AttendedMachine(machine, self._typed, self._cut)


def scenario_of(
    case: Case,
    hypervisors: Sequence[str],
    *,
    technique: str = "trap-and-emulate",
    move_at_ns: int | None = None,
) -> Scenario:
    """Return a scenario in which a case runs on the first host and may move to the second."""
    vm: dict[str, Any] = {
        "name": "guest",
        "program": case.command,
        "memory": f"{case.memory_mib} MiB",
        "technique": technique,
        "host": "host-0",
    }
    if case.kernel is not None:
        vm["kernel"] = case.kernel
    if case.disk_mib:
        vm["disk"] = {"size": f"{case.disk_mib} MiB", "on": "san"}
    hosts = [
        {"name": f"host-{index}", "hypervisor": kind, **HOST}
        for index, kind in enumerate(hypervisors)
    ]
    san = {"name": "san", "latency": "90 us", "bandwidth": "2 GB/s"}
    moves = (
        [] if move_at_ns is None else [{"vm": "guest", "to": "host-1", "at": f"{move_at_ns} ns"}]
    )
    return Scenario.model_validate(
        {
            "dcsim": 1,
            "name": "fidelity",
            "duration": "20 s",
            "hosts": hosts,
            "storage": {"shared": [san]},
            "vms": [vm],
            "migrations": moves,
        }
    )


def life(case: Case, kind: str, technique: str = "trap-and-emulate") -> RunResult:
    """Return the run of a case that stays on one host."""
    return _life(case.name, kind, technique)


@cache
def _life(name: str, kind: str, technique: str) -> RunResult:
    case = next(case for case in CASES if case.name == name)
    scenario = scenario_of(case, [kind], technique=technique)
    return run_scenario(scenario, world=AttendedWorld(case.typed))


def outcome_of(case: Case, result: RunResult) -> Outcome:
    """Return what the guest of a run left behind, after checking that the seam held."""
    [vm] = result.vms
    assert vm.state == "off", vm.message
    assert vm.lateness_ns == 0
    assert sum(vm.cycles.values()) == vm.total_cycles > 0
    return outcome(case, vm.console, vm.exit_status)
