"""A run that breaks an invariant: exit code 3, and what it takes to see it again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from dcsim.cli.main import run_command
from dcsim.guest import kernel_image
from dcsim.host.disk import Disk, DiskRequest
from dcsim.hypervisor import Type1, VirtualMachine
from dcsim.hypervisor.totals import Totals

TEXT = """\
dcsim: 1
name: lossy
duration: 1 s
hosts:
  - {name: home, hardware: sifive-u54, hypervisor: type1, pcpus: 1, memory: 64 MiB, power: hp-ml110-g5}
vms:
  - {name: writer, program: files, image: kernel.elf, memory: 8 MiB, host: home, disk: {size: 1 MiB}}
"""


@pytest.fixture
def lossy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a folder with a scenario, in a world whose disks lose every fifth request."""
    accept = Disk._accept
    seen = [0]

    def lose(self: Disk, request: DiskRequest) -> None:
        seen[0] += 1
        if seen[0] % 5:
            accept(self, request)
        else:
            self.queue.add(-1, request.arrived_ns)

    monkeypatch.setattr(Disk, "_accept", lose)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kernel.elf").write_bytes(kernel_image())
    (tmp_path / "lossy.yaml").write_text(TEXT)
    return tmp_path


def test_a_lost_request_stops_the_run_and_leaves_what_shows_it(
    lossy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["run", "lossy.yaml", "--seed", "7"]) == 3

    said = capsys.readouterr().err
    assert "requests of the disk of `home`: 5 were made, 4 answered, and 0 are under way" in said
    dump = lossy / "results/lossy.dump"
    violation = json.loads((dump / "violation.json").read_text())
    assert violation["command"] in said
    assert violation["kind"] == "InvariantError"
    assert violation["invariant"] in said
    assert (violation["seed"], violation["time_ns"]) == (7, 100_000_000)
    assert {"version", "scenario_sha256"} <= violation.keys()
    assert not (lossy / "results/lossy").exists()

    # The scenario in the dump stands alone: another folder, without the image beside it.
    (lossy / "kernel.elf").unlink()
    command = shlex.split(violation["command"])
    assert command[:2] == ["dcsim", "run"]
    assert run_command(command[1:]) == 3
    assert violation["invariant"] in capsys.readouterr().err
    assert json.loads((dump / "violation.json").read_text())["command"] == violation["command"]


def violation_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Return what a run of the scenario leaves that stops with exit code 3."""
    monkeypatch.chdir(folder)
    (folder / "lossy.yaml").write_text(TEXT.replace("image: kernel.elf, ", ""))
    assert run_command(["run", "lossy.yaml"]) == 3
    found: dict[str, object] = json.loads(
        (folder / "results/lossy.dump/violation.json").read_text()
    )
    return found


def test_a_lost_frame_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create = Type1.create

    def create_and_lose(self: Type1, vm: VirtualMachine) -> None:
        create(self, vm)
        self.host.environment.after(10**6, lambda: self.host.machine.lose_frame(vm.number))  # type: ignore[attr-defined]

    monkeypatch.setattr(Type1, "create", create_and_lose)
    violation = violation_of(tmp_path, monkeypatch)
    assert "is lost: it was given to Monitor" in str(violation["invariant"])
    assert "frames do not add up" in capsys.readouterr().err
    # When the VM ends; nothing of it would be left to be missed afterwards.
    assert 10**6 < int(str(violation["time_ns"])) < 100_000_000

    again = shlex.split(str(violation["command"]))
    assert run_command(again[1:]) == 3
    assert str(violation["invariant"]) in capsys.readouterr().err


def test_a_lost_cycle_stops_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_current = Totals.with_current

    def lose_one(self: Totals, current: dict[str, object]) -> dict[str, object]:
        counters = with_current(self, current)
        counters["total_cycles"] += 1
        return counters

    monkeypatch.setattr(Totals, "with_current", lose_one)
    violation = violation_of(tmp_path, monkeypatch)
    assert str(violation["invariant"]).startswith("the cycles of `writer` by cause add up to")


def test_a_right_run_leaves_no_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.yaml").write_text(TEXT.replace("image: kernel.elf, ", ""))
    assert run_command(["run", "right.yaml", "--quiet"]) == 0
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["lossy"]
