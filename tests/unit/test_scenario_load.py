"""Scenario files: every kind of mistake is told with its file, line and column, and a remedy.

The cases change one thing of a valid scenario; the place of the problem is counted by hand.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario import load_scenario, read_scenario
from tests.unit.scenario_text import VALID, problems_of


def test_a_valid_scenario_is_read() -> None:
    scenario = read_scenario(VALID.encode(), "f.yaml", Path()).scenario

    assert scenario.duration_ns == 2_000_000_000
    assert scenario.seed == 1
    assert [host.name for host in scenario.each_host()] == ["rack-0", "rack-1"]
    assert [vm.name for vm in scenario.each_vm()] == ["web-0", "web-1", "job"]
    assert scenario.hosts[0].memory_bytes == 256 * 2**20
    assert scenario.storage.shared[0].bandwidth_bits_per_second == 16_000_000_000
    assert scenario.vms[0].boot_arguments == "init=server"
    assert scenario.vms[1].program_name == "integer"


UNITS_OF_TIME = "(units: ns, us, ms, s, min, h, day)"
UNITS_OF_SIZE = "(units: B, KiB, MiB, GiB, TiB)"

MISTAKES = [
    (
        "on: san}",
        "on: san, moves: true}",
        "f.yaml:20:41: the disk is on `san`, which every host reaches; "
        "only a local disk moves; leave it out",
    ),
    (
        "on: san}",
        "moves: yes}",
        "f.yaml:20:32: `vms[0].disk.moves` must be `true` or `false`, not the text `yes`",
    ),
    (
        "name: small",
        "name: Small One",
        "f.yaml:2:7: `name` must be a name of lower-case letters, digits and single hyphens, "
        "such as `rack1-a`, not the text `Small One`",
    ),
    (
        "duration: 2 s",
        "duratoin: 2 s\nduration: 2 s",
        "f.yaml:3:1: the scenario has no key `duratoin`; did you mean `duration`?",
    ),
    ("duration: 2 s\n", "", "f.yaml:1:1: the scenario has no `duration`; add `duration: 500 ms`"),
    (
        "duration: 2 s",
        "duration: 2 MB",
        "f.yaml:3:11: `duration`: `2 MB` is a size, not a duration; "
        f"write a duration such as `500 ms` {UNITS_OF_TIME}",
    ),
    (
        "duration: 2 s",
        "duration: 2",
        "f.yaml:3:11: `duration`: `2` has no unit; "
        f"write a duration such as `500 ms` {UNITS_OF_TIME}",
    ),
    (
        "duration: 2 s",
        "duration: 0 s",
        "f.yaml:3:11: the run has no duration; write one such as `2 s`",
    ),
    ("dcsim: 1", "dcsim: 2", "f.yaml:1:8: `2` is not a value for `dcsim`; allowed: `1`"),
    (
        "    memory: 256 MiB\n",
        "    memory: 256\n",
        "f.yaml:13:13: `hosts[0].memory`: `256` has no unit; "
        f"write a size such as `256 MiB` {UNITS_OF_SIZE}",
    ),
    (
        "    memory: 256 MiB\n",
        "    memroy: 256 MiB\n",
        "f.yaml:13:5: `hosts[0]` has no key `memroy`; did you mean `memory`?",
    ),
    (
        "    memory: 256 MiB\n",
        "",
        "f.yaml:8:5: `hosts[0]` has no `memory`; add `memory: 256 MiB`",
    ),
    (
        "    memory: 256 MiB\n",
        "    memory: 268435457 B\n",
        "f.yaml:13:13: `memory` must be a multiple of 4,096 bytes, and not 0; write `256 MiB`",
    ),
    (
        "    memory: 256 MiB\n",
        "    memory: 600 GiB\n",
        "f.yaml:13:13: the hosts have 1200 GiB of memory together; keep it to `1 TiB`",
    ),
    (
        "type1",
        "type3",
        "f.yaml:11:17: `type3` is not a value for `hosts[0].hypervisor`; did you mean `type2`?",
    ),
    ("pcpus: 2", "pcpus: 0", "f.yaml:12:12: `hosts[0].pcpus` must be at least 1, not `0`"),
    (
        "pcpus: 2",
        "pcpus: two",
        "f.yaml:12:12: `hosts[0].pcpus` must be a whole number, not the text `two`",
    ),
    (
        "pcpus: 2",
        "pcpus: 2.0",
        "f.yaml:12:12: `hosts[0].pcpus` must be a whole number, not the number `2.0`",
    ),
    (
        "pcpus: 2",
        "pcpus: true",
        "f.yaml:12:12: `hosts[0].pcpus` must be a whole number, not `true`",
    ),
    ("pcpus: 2", "pcpus:", "f.yaml:12:11: `hosts[0].pcpus` must be a whole number, not nothing"),
    (
        "sifive-u54",
        "sifive-u45",
        "f.yaml:10:15: there is no hardware profile `sifive-u45`; did you mean `sifive-u54`?",
    ),
    (
        "dell-r740",
        "dell-740",
        "f.yaml:14:12: there is no power curve `dell-740`; did you mean `dell-r740`?",
    ),
    (
        "program: server\n",
        "program: sever\n",
        "f.yaml:18:14: there is no guest program `sever`; did you mean `server`?",
    ),
    (
        "program: server\n",
        "program: [server]\n",
        "f.yaml:18:14: `vms[0].program` must be a text, not a list",
    ),
    (
        "program: server\n",
        "program: 'séance'\n",
        "f.yaml:18:14: `vms[0].program` must be printable ASCII characters, not the text `séance`",
    ),
    ("on: san", "on: sen", "f.yaml:20:29: there is no shared storage `sen`; did you mean `san`?"),
    (
        "size: 4 MiB",
        "size: 100 B",
        "f.yaml:20:18: `size` must be a multiple of 512 bytes, and not 0; write `512 B`",
    ),
    ("rate: 200 /s", "rate: 0 /s", "f.yaml:21:22: `rate` must be more than 0"),
    (
        "count: 100}",
        "count: 100, size: 9 KiB}",
        "f.yaml:21:48: `size` must be from 32 B to 1500 B; a request is one packet",
    ),
    (
        "{name: job,",
        "{name: job, host: rack,",
        "f.yaml:22:23: there is no host `rack`; did you mean `rack-1`?",
    ),
    (
        "{name: job, program: integer rounds=1, memory: 16 MiB",
        "{name: job, program: integer rounds=1, memory: 1 GiB",
        "f.yaml:22:52: no host has 1 GiB; the largest host has 256 MiB",
    ),
    (
        "{name: job, program: integer rounds=1, memory: 16 MiB",
        "{name: job, program: integer rounds=1, memory: 32 GiB",
        "f.yaml:22:52: a VM cannot have 32 GiB; write at most `16 GiB`",
    ),
    (
        "memory: 16 MiB, start: 100 ms",
        "memory: 16 MiB, disk: {size: 1 MiB}",
        "f.yaml:25:10: `job` cannot move: its disk is its host's own; "
        "put the disk on shared storage, or write `moves: true` beside its size",
    ),
    (
        "{name: job, program: integer rounds=1, memory: 16 MiB",
        "{name: job, program: integer rounds=1, memory: 1 MiB",
        "f.yaml:22:52: a VM needs 4 MiB to boot; write `16 MiB`",
    ),
    (
        "start: 100 ms",
        "start: 2 s",
        "f.yaml:22:67: the VM starts when the run of 2 s ends; start it earlier",
    ),
    (
        "start: 100 ms",
        "image: none.elf",
        "f.yaml:22:67: there is no file `none.elf`; the path is relative to the scenario's folder",
    ),
    (
        "{interval: 500 ms}",
        "{interval: 500 ms, threshold: 1.5}",
        "f.yaml:23:46: `consolidation.threshold` must be at most 1.0, not `1.5`",
    ),
    (
        "{interval: 500 ms}",
        "{interval: 500 ms, power_off: yes}",
        "f.yaml:23:46: `consolidation.power_off` must be `true` or `false`, not the text `yes`",
    ),
    (
        "{interval: 500 ms}",
        "{interval: 0 s}",
        "f.yaml:23:27: an interval of 0 never ends; write `500 ms`",
    ),
    (
        "{interval: 500 ms}",
        "3",
        "f.yaml:23:16: `consolidation` must be a mapping of keys to values, not the number `3`",
    ),
    ("to: rack-1", "to: rack-7", "f.yaml:25:19: there is no host `rack-7`; did you mean `rack-1`?"),
    ("vm: job", "vm: jobs", "f.yaml:25:10: there is no VM `jobs`; did you mean `job`?"),
    ("at: 1 s", "at: 3 s", "f.yaml:25:31: the move would begin after the run's end"),
    (
        "requests_served, at_least: 10",
        "request_served, at_least: 10",
        "f.yaml:27:14: a VM has no metric `request_served`; did you mean `requests_served`?",
    ),
    (
        "vm.web-0.requests_served",
        "vm.web.requests_served",
        "f.yaml:27:14: there is no VM `web`; did you mean `web-1`?",
    ),
    (
        "vm.web-0.requests_served",
        "requests_served",
        "f.yaml:27:14: `requests_served` is not a metric; "
        "begin with `vm.<name>.`, `host.<name>.` or `cluster.`",
    ),
    (
        ", at_least: 10",
        "",
        "f.yaml:27:5: `expect[0]` needs one of `at_least`, `at_most`, `equals`, `between`",
    ),
    (
        "at_least: 10",
        "at_least: [10]",
        "f.yaml:27:50: `expect[0].at_least` must be a number or a text",
    ),
    (
        "at_most: 5 ms",
        "at_most: 5 MB",
        "f.yaml:28:47: `5 MB` is a size, not a duration; "
        f"write a duration such as `500 ms` {UNITS_OF_TIME}",
    ),
    (
        "requests_served, at_least: 10",
        "cycles.gest, at_least: 10",
        "f.yaml:27:14: no cycle has the cause `gest`; did you mean `guest`?",
    ),
    (
        "requests_served, at_least: 10",
        "state, at_least: off",
        "f.yaml:27:40: `state` is a text and has no order; write `equals: ...`",
    ),
    (
        "requests_served, at_least: 10",
        "state, equals: 3",
        "f.yaml:27:38: `state` is a text, and `3` is a number; put it in quotes",
    ),
    (
        "start: 100 ms",
        "technique: paravirtual, paging: nested",
        "f.yaml:22:92: `paravirtual` does not go with `nested` paging; write `direct`, or leave it out",
    ),
    (
        "start: 100 ms",
        "technique: magic",
        "f.yaml:22:71: `magic` is not a value for `vms[1].technique`; allowed: `bare-metal`, "
        "`trap-and-emulate`, `four-rings`, `binary-translation`, `paravirtual`, `hardware-assisted`",
    ),
    (
        "start: 100 ms",
        "technique: hardware-assisted",
        "f.yaml:22:71: `hardware-assisted` needs the hypervisor extension, which `rv64gc` lacks; "
        "the VM may run on host `rack-0`; "
        "choose hardware with `rv64gch`, such as `vt-2008-nehalem`, or another technique",
    ),
    (
        "    hardware: sifive-u54\n",
        "    hardware: sifive-u54\n    isa: rv64gch\n",
        "f.yaml:11:10: `sifive-u54` is `rv64gc` and cannot be `rv64gch`; "
        "allowed: `rv64gc`, `rv64gc-legacy-silent`, `rv64gc-legacy`",
    ),
    (
        "    hardware: sifive-u54\n",
        "    hardware: sifive-u54\n    exit_cycles: 784\n",
        "f.yaml:11:18: without the hypervisor extension there is no world switch; "
        "leave it out, or choose hardware with `rv64gch`",
    ),
    (
        "    hardware: sifive-u54\n",
        "    hardware: vt-2008-nehalem\n    exit_cycles: 1\n",
        "f.yaml:11:18: `hosts[0].exit_cycles` must be at least 2, not `1`",
    ),
    (
        "requests_served, at_least: 10",
        "exits / vm.job.exits, at_least: 5 ms",
        "f.yaml:27:55: `vm.web-0.exits / vm.job.exits` has no unit to write, and `5 ms` is a text; "
        "write a number",
    ),
    (
        "requests_served, at_least: 10",
        "exits/vm.job.exits, at_least: 10",
        "f.yaml:27:14: a VM has no metric `exits/vm.job.exits`; "
        "put a space on both sides of `+`, `-`, `*` and `/`",
    ),
    (
        "name: small\n",
        "name: small\nname: large\n",
        "f.yaml:3:1: the key `name` stands here twice; "
        "remove one; the first is at line 2, column 1",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "problem"), MISTAKES)
def test_a_mistake_is_told_with_its_place(right: str, wrong: str, problem: str) -> None:
    assert VALID.count(right) >= 1

    assert problems_of(VALID.replace(right, wrong, 1)) == [problem]


def test_a_virtio_console_is_named_to_the_kernel_that_comes_with_dcsim() -> None:
    text = VALID.replace("start: 100 ms", "console: virtio, kernel: kernel.tick_ms=5")
    web, job = read_scenario(text.encode(), "f.yaml", Path()).scenario.vms

    assert job.boot_arguments == ("kernel.console=virtio kernel.tick_ms=5 init=integer rounds=1")
    assert web.boot_arguments == "init=server"
    own = job.model_copy(update={"image": "Image"})
    assert own.boot_arguments == "kernel.tick_ms=5 init=integer rounds=1"


FABRICS = [
    (
        "{links: [{between: [rack-0, rack-0], latency: 1 us, bandwidth: 1 Gbit/s}]}",
        [
            "f.yaml:4:17: no path of links leads from `rack-0` to `rack-1`; "
            "add the links that are missing",
            "f.yaml:4:28: the link joins `rack-0` to itself",
        ],
    ),
    (
        "{links: [{between: [rack-0, top], latency: 1 us, bandwidth: 0 bit/s},"
        " {between: [top, rack-1], latency: 1 us, bandwidth: 1 Gbit/s}]}",
        ["f.yaml:4:69: `bandwidth` must be more than 0"],
    ),
    (
        "{links: [{between: [rack-0, rack-1], latency: 1 us, bandwidth: 1 Gbit/s},"
        " {between: [rack-1, rack-0], latency: 1 us, bandwidth: 1 Gbit/s}]}",
        [
            "f.yaml:4:93: `rack-1` and `rack-0` are linked already; "
            "keep one link, with their bandwidth"
        ],
    ),
    (
        "{links: [{between: [rack-0, top], latency: 1 us, bandwidth: 1 Gbit/s}]}",
        [
            "f.yaml:4:17: no path of links leads from `rack-0` to `rack-1`; "
            "add the links that are missing"
        ],
    ),
]


@pytest.mark.parametrize(("fabric", "problems"), FABRICS)
def test_a_fabric_connects_every_host(fabric: str, problems: list[str]) -> None:
    text = VALID.replace("storage:", f"fabric: {fabric}\nstorage:", 1)

    assert problems_of(text) == problems


def test_names_are_unique_once_counts_are_written_out() -> None:
    text = VALID.replace("{name: job,", "{name: web-1,").replace("vm: job", "vm: web-0")

    assert problems_of(text) == [
        "f.yaml:22:12: the name `web-1` is taken by `vms[0]`; choose another"
    ]


def test_shared_storage_has_a_name_of_its_own() -> None:
    text = VALID.replace(
        "    - {name: san,",
        "    - {name: local, latency: 1 us, bandwidth: 1 GB/s}\n    - {name: san,",
    )

    assert problems_of(text) == [
        "f.yaml:6:14: `local` means a host's own disk; choose another name"
    ]


def test_a_scenario_without_hosts_says_so() -> None:
    assert problems_of("dcsim: 1\nname: none\nduration: 1 s\nhosts: []\n") == [
        "f.yaml:4:8: there is no host; add at least one"
    ]


def test_every_problem_is_told_at_once_in_the_files_order() -> None:
    text = (
        VALID.replace("type1", "type3")
        .replace("pcpus: 2", "pcpus: 0")
        .replace("duration: 2 s", "duration: 2 MB\nseed: 1\nseed: 2")
    )

    assert [problem.split(": ")[0] for problem in problems_of(text)] == [
        "f.yaml:3:11",
        "f.yaml:5:1",
        "f.yaml:13:17",
        "f.yaml:14:12",
    ]


@pytest.mark.parametrize("document", ["3", "[1, 2]", "text", "null"])
def test_a_document_that_is_no_mapping_is_told(document: str) -> None:
    (problem,) = problems_of(document)

    assert problem.startswith("f.yaml:1:1: the scenario must be a mapping of keys to values, not ")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"

    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)

    assert str(caught.value) == (
        f"{path}: cannot be read: no such file or directory; check the path"
    )


def test_an_image_larger_than_the_memory_is_told(tmp_path: Path) -> None:
    (tmp_path / "large.img").write_bytes(bytes(16 * 2**20 + 1))
    path = tmp_path / "f.yaml"
    path.write_text(VALID.replace("start: 100 ms", "image: large.img"))

    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)

    (problem,) = caught.value.problems
    assert (problem.place.line, problem.place.column) == (22, 67)
    assert problem.message == "`large.img` has 16,777,217 bytes"
    assert problem.remedy == "it must fit into the VM's memory of 16 MiB"


def test_places_of_the_scenario_can_be_asked_for() -> None:
    file = read_scenario(VALID.encode(), "f.yaml", Path())

    assert str(file.place("expect", 0, "at_least")) == "f.yaml:27:50"
    assert str(file.place("expect", 0, "at_least", key=True)) == "f.yaml:27:40"
    assert str(file.place("hosts", 0)) == "f.yaml:8:5"


def test_spelling_does_not_change_the_digest() -> None:
    other = VALID.replace("2 s", "2000 ms").replace(
        "dcsim: 1\n", "# a comment\ndcsim: 1\nseed: 1\n"
    )

    one, two = (read_scenario(text.encode(), "f", Path()).scenario for text in (VALID, other))

    assert one.digest() == two.digest()
    assert read_scenario(VALID.encode(), "f", Path(), ["seed=2"]).scenario.digest() != one.digest()


def test_the_canonical_text_is_a_scenario_file() -> None:
    scenario = read_scenario(VALID.encode(), "f.yaml", Path()).scenario

    again = read_scenario(scenario.canonical_json().encode(), "f.json", Path()).scenario

    assert again == scenario


def test_a_scenario_crosses_processes(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(VALID)
    scenario = load_scenario(path).scenario

    again = pickle.loads(pickle.dumps(scenario))

    assert again == scenario
    assert again.resolve("a.elf") == tmp_path / "a.elf"
