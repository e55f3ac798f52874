"""The command line without a simulation: exit codes, streams, messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dcsim.cli.main import main, run_command
from dcsim.errors import SimulationError
from dcsim.results import RunResult

VALID = """\
dcsim: 1
name: small
duration: 1 s
hosts:
  - {name: rack, count: 2, hardware: sifive-u54, hypervisor: type1, pcpus: 2, memory: 256 MiB, power: dell-r740}
vms:
  - {name: web, program: server, memory: 16 MiB}
  - {name: batch, program: integer iterations=1, memory: 16 MiB}
expect:
  - {metric: vm.web.requests_served, at_least: 100}
  - {metric: vm.web.latency_p99_ns, at_most: 1 us}
"""


@pytest.fixture
def scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_result: Callable[..., RunResult]
) -> Path:
    """Return a scenario file in the working directory, whose run gives the fixture's result."""

    def run_scenario(scenario: Any, **_: Any) -> RunResult:
        return make_result(scenario=scenario, seed=scenario.seed)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dcsim.cli.run.run_scenario", run_scenario)
    monkeypatch.setenv("NO_COLOR", "1")
    path = Path("small.yaml")
    path.write_text(VALID)
    return path


def test_run_shows_tables_and_keeps_the_result(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["run", str(scenario)]) == 0

    output, messages = capsys.readouterr()
    for title in ("VMs", "Cycles by cause", "Hosts", "Migrations", "Cluster", "Expectations"):
        assert f"\n{title}" in f"\n{output}"
    assert "result: results/small" in messages
    assert Path("results/small/run.json").is_file()


def test_run_replaces_its_default_place_and_no_other(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["run", str(scenario)]) == 0
    assert run_command(["run", str(scenario)]) == 0
    assert run_command(["run", str(scenario), "--output", "mine"]) == 0
    assert run_command(["run", str(scenario), "--output", "mine"]) == 2
    assert "error: `mine` exists; `--overwrite` replaces it" in capsys.readouterr().err
    assert run_command(["run", str(scenario), "--output", "mine", "--overwrite"]) == 0


def test_run_as_json_is_data_alone(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", str(scenario), "--format", "json", "--seed", "7"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert shown["seed"] == 7
    assert shown["vms"]["web"]["requests_served"] == 100
    assert shown["vms"]["web"]["cycles"]["handler:csr"] == 500
    assert shown["cluster"]["hosts_used_mean"] == 1.75
    assert [each["passed"] for each in shown["expect"]] == [True, True]


def test_quiet_says_nothing_when_all_is_well(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["run", str(scenario), "--quiet"]) == 0

    assert capsys.readouterr() == ("", "")


def test_a_failed_expectation_exits_with_1_and_its_place(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario.write_text(VALID.replace("at_least: 100", "at_least: 101"))

    assert run_command(["run", str(scenario)]) == 1

    output, messages = capsys.readouterr()
    assert "FAIL" in output
    assert (
        "failed: small.yaml:10:48: expected vm.web.requests_served >= 101, but it is 100"
        in messages
    )


def test_expectations_as_junit(scenario: Path) -> None:
    scenario.write_text(VALID.replace("1 us", "900 ns"))

    assert run_command(["run", str(scenario), "--quiet", "--junit-xml", "out.xml"]) == 1

    suite = ET.parse("out.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.find(".//failure")
    assert failure is not None
    assert failure.get("message", "").startswith("small.yaml:11:46: expected ")


def test_problems_of_a_scenario_exit_with_2(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario.write_text(VALID.replace("pcpus", "pcpu").replace("1 us", "1 B"))

    assert run_command(["run", str(scenario)]) == 2

    output, messages = capsys.readouterr()
    assert output == ""
    assert messages.splitlines() == [
        "error: small.yaml:5:69: `hosts[0]` has no key `pcpu`",
        "  hint: did you mean `pcpus`?",
    ]


def test_a_simulation_that_fails_exits_with_3(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise SimulationError("the guests are on strike")

    monkeypatch.setattr("dcsim.cli.run.run_scenario", fail)

    assert run_command(["run", str(scenario)]) == 3
    assert capsys.readouterr().err.splitlines()[-1] == "error: the guests are on strike"
    assert not Path("results").exists()


def test_a_bug_does_not_look_like_a_failed_expectation(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slip(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("nothing to share")

    monkeypatch.setattr("dcsim.cli.run.run_scenario", slip)
    monkeypatch.setattr("sys.argv", ["dcsim", "run", str(scenario)])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 3
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "ZeroDivisionError: nothing to share",
        "error: this is a bug in dcsim",
    ]


def test_an_interrupted_run_exits_with_130_and_leaves_nothing(
    scenario: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dcsim.cli.run.run_scenario", interrupt)

    assert run_command(["run", str(scenario)]) == 130
    assert not Path("results").exists()


def test_validate_tells_of_every_file(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text("dcsim: 1\ndcsim: 1\n")

    assert run_command(["validate", str(scenario), "bad.yaml", "none.yaml"]) == 2

    output, messages = capsys.readouterr()
    assert output == "small.yaml: valid, 2 hosts, 2 VMs, 2 expectations\n"
    assert "error: bad.yaml:2:1: the key `dcsim` stands here twice" in messages
    assert "error: none.yaml: cannot be read: no such file or directory" in messages


def test_schema_is_the_committed_one(capsys: pytest.CaptureFixture[str], repository: Path) -> None:
    assert run_command(["schema"]) == 0

    committed = repository / "dcsim/scenario/scenario.schema.json"
    assert capsys.readouterr().out == committed.read_text("utf-8")


def test_doctor_looks_at_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["doctor", "--format", "json"])

    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["machine world"]["found"] == "is built and answers"
    assert checks["scenario schema"]["found"] == "current"
    assert checks["hardware"]["found"].endswith("power curves, all valid")
    assert checks["Python"]["right"]


def test_a_vm_that_failed_is_told(
    scenario: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make_result: Callable[..., RunResult],
) -> None:
    def run(scenario: Any, **_: Any) -> RunResult:
        web, batch = make_result().vms
        failed = replace(batch, state="failed", message="it jumped into nothing")
        return make_result(scenario=scenario, vms=(web, failed))

    monkeypatch.setattr("dcsim.cli.run.run_scenario", run)

    assert run_command(["run", str(scenario), "--quiet"]) == 0
    assert capsys.readouterr().err == "the VM `batch` failed: it jumped into nothing\n"


def test_sweep_shows_one_table_and_goes_on(
    scenario: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make_result: Callable[..., RunResult],
) -> None:
    def run(scenario: Any) -> RunResult:
        return make_result(scenario=scenario, seed=scenario.seed)

    monkeypatch.setattr(
        "dcsim.study.sweep.run_sweep.__kwdefaults__", {"workers": 1, "overrides": (), "runner": run}
    )
    command = ["sweep", str(scenario), "--vary", "hosts.rack.pcpus=1,2", "--seeds", "1..2"]
    command += ["--workers", "1", "--metric", "vm.web.instructions"]
    command += ["--metric", "vm.web.total_cycles / vm.web.instructions"]

    assert run_command(command) == 0
    output, messages = capsys.readouterr()
    assert output.count("pass") == 4
    assert "hosts.rack.pcpus=2, seed=1" in output
    assert messages.splitlines()[0] == "1/4 hosts.rack.pcpus=1,seed=1: ran"

    assert run_command([*command, "--format", "json"]) == 0
    output, messages = capsys.readouterr()
    assert json.loads(output)[0]["metrics"] == {
        "vm.web.instructions": 1000,
        "vm.web.total_cycles / vm.web.instructions": 2,
    }
    assert messages.splitlines()[0] == "1/4 hosts.rack.pcpus=1,seed=1: was there"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "Missing argument 'SCENARIO'"),
        (["fly"], "No such command 'fly'"),
        (["run", "a.yaml", "--seed", "-1"], "Invalid value for '--seed'"),
        (["sweep", "small.yaml", "--seeds", "x"], "`x` are no seeds"),
        (["sweep", "small.yaml", "--vary", "x"], "`x` is no axis"),
        (["sweep", "small.yaml", "--metric", "vm.web.spede"], "there is no metric `vm.web.spede`"),
        (["boot", "idle", "--memory", "3 s"], "`3 s` is a duration, not a size"),
        (["boot", "idle", "--memory", "0 B"], "`0 B` is not a number of pages of 4 KiB, at most"),
        (["boot", "idle", "--memory", "1 TiB"], "at most 16 GiB"),
        (["boot", "idel"], "there is no guest program `idel`"),
        (["boot", "idle", "--hardware", "vax"], "there is no hardware profile `vax`"),
        (
            ["boot", "idle", "--isa", "rv64gch"],
            "there is no instruction set of sifive-u54 `rv64gch`",
        ),
        (["boot", "idle", "--paging", "nested"], "`bare-metal` does not go with `nested` paging"),
        (
            ["boot", "idle", "--technique", "hardware-assisted"],
            "`hardware-assisted` needs the hypervisor extension, which `rv64gc` lacks",
        ),
        (["exec", "--root", "nowhere", "a"], "Directory 'nowhere' does not exist"),
        (["exec", "--env", "COLOUR", "a"], "`COLOUR` is not of the form NAME=value"),
        (["exec", "--directory", "/nowhere", "a"], "the directory `/nowhere`: No such file"),
        (["exec"], "Missing argument 'PROGRAM'"),
        (["boot", "idle", "--image", "none.elf"], "none.elf: cannot be read: no such file"),
    ],
)
@pytest.mark.usefixtures("scenario")
def test_wrong_usage_exits_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run_command(arguments) == 2

    output, messages = capsys.readouterr()
    assert output == ""
    assert words in messages


@pytest.mark.parametrize(
    "command", ["run", "validate", "boot", "exec", "schema", "sweep", "doctor"]
)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([command, "--help"]) == 0

    assert f"  dcsim {command}" in capsys.readouterr().out
