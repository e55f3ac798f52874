"""Scenario files that describe disks: what fits is read, what does not is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.scenario import Scenario, read_scenario
from tests.unit.scenario_text import problems_of

HOST = "hardware: sifive-u54, pcpus: 1, memory: 256 MiB, power: dell-r740"
DISKS = f"""\
dcsim: 1
name: disks
duration: 1 s
storage: {{shared: [{{name: san, latency: 1 ms, bandwidth: 1 GB/s}}]}}
hosts:
  - {{name: files, {HOST}, hypervisor: type2, disk: {{profile: hitachi-7k320, order: elevator, capacity: 1 GiB}}}}
  - name: parts
    {HOST.replace(", ", chr(10) + "    ")}
    hypervisor: type1
    disk:
      profile: intel-p3700
      partitions:
        - {{name: one, size: 8 MiB}}
        - {{name: two, size: 8 MiB}}
        - {{name: three, size: 8 MiB}}
        - {{name: rest, size: 1 GiB, use: files}}
vms:
  - {{name: base, program: idle, memory: 8 MiB, host: files, disk: {{size: 8 MiB, format: sparse, cache: writethrough}}}}
  - {{name: over, program: idle, memory: 8 MiB, host: files, start: 1 ms, disk: {{size: 8 MiB, format: overlay, base: base}}}}
  - {{name: raw, program: idle, memory: 8 MiB, host: parts, disk: {{size: 8 MiB, partition: one}}}}
  - {{name: file, program: idle, memory: 8 MiB, host: parts, disk: {{size: 8 MiB, moves: true}}}}
  - {{name: far, program: idle, memory: 8 MiB, disk: {{size: 8 MiB, on: san}}}}
snapshots:
  - {{vm: base, name: s, at: 1 ms}}
  - {{vm: base, name: s, at: 2 ms, action: merge}}
"""
AS_FILES = "as files, a partition holds as many disks as there is room for: leave `partition` out"


def read(text: str) -> Scenario:
    return read_scenario(text.encode(), "f.yaml", Path()).scenario


def test_disks_of_every_kind_can_be_asked_for() -> None:
    scenario = read(DISKS)
    assert [host.disk.holds_bytes for host in scenario.each_host()] == [1 << 30, 800 * 10**9]
    assert read(scenario.canonical_json()) == scenario


CHANGES = [
    ("hitachi-7k320", "hitachi-7k200", "there is no disk profile `hitachi-7k200`; did you mean `hitachi-7k320`?"),
    ("capacity: 1 GiB", "capacity: 1 TiB", "`hitachi-7k320` holds 312500000 KiB; write no more, or leave it out"),
    ("capacity: 1 GiB", "capacity: 1 MiB", "a disk of 1 MiB has no room behind its first MiB; write at least `2 MiB`"),
    ("capacity: 1 GiB", "latency: 1 ms", "the profile `hitachi-7k320` has its own latency; leave out either `latency` or `profile`"),
    ("profile: intel-p3700", "profile: intel-p3700\n      order: elevator", "`intel-p3700` has no arm; leave it out"),
    ("profile: intel-p3700", "order: elevator", "a disk without a profile has no arm; name a profile of a rotating disk"),
    ("name: two", "name: one", "the name `one` is taken; choose another"),
    ("size: 8 MiB}\n        - {name: two", "size: 9001 KiB}\n        - {name: two", "`size` must be a multiple of 4,096 bytes, and not 0; write `9000 KiB`"),
    ("size: 8 MiB}\n        - {name: three", "size: 8 MiB, use: files}\n        - {name: three", "one partition holds the files; make it larger, or write `use: raw`"),
    ("size: 1 GiB, use", "size: 1 TiB, use", "the partition `rest` passes the end of the disk, which holds 781250000 KiB; make one smaller; each begins at a whole MiB, from the first"),
    ("use: files}\n", "use: files}\n        - {name: fifth, size: 8 MiB}\n", f"a master boot record has room for 4 primary partitions, and `fifth` is the fifth; {AS_FILES}"),
    ("partition: one", "partition: five", f"the disk of `parts` has no partition `five`, and no room for more than its 4; {AS_FILES}"),
    ("        - {name: three, size: 8 MiB}\n", "        - {name: thre, size: 8 MiB}\n", None),
    ("partition: one", "partition: rest", "the partition `rest` holds files; leave `partition` out: the disk is then a file in it"),
    ("size: 8 MiB, partition", "size: 9 MiB, partition", "the partition `one` has 8 MiB; make the partition larger, or the disk smaller"),
    ("size: 8 MiB, moves: true", "size: 8 MiB, partition: one", f"the partition `one` of `parts` is the disk of `raw`, and a master boot record has room for 4; {AS_FILES}"),
    ("host: parts, disk: {size: 8 MiB, partition", "disk: {size: 8 MiB, partition", "the host is not said whose partition it is; add `host: ...` to the VM"),
    ("partition: one", "partition: one, moves: true", "the disk cannot cross the network: its partition stays; leave it out"),
    ("partition: one", "partition: one, format: sparse", "`format` is of a disk that is a file, on its host's own; leave it out"),
    ("on: san", "on: san, format: sparse", "`format` is of a disk that is a file, on its host's own; leave it out"),
    ("format: overlay, base: base", "format: overlay", "an overlay stands on a base, and nothing else does; write `format: overlay` and `base: <a VM with a disk>`"),
    ("format: overlay, base: base", "format: overlay, base: bass", "there is no VM `bass` whose disk is a file; did you mean `base`?"),
    ("format: overlay, base: base", "format: overlay, base: raw", "there is no VM `raw` whose disk is a file; allowed: `base`, `over`, `file`"),
    ("start: 1 ms, disk: {size: 8 MiB", "start: 1 ms, disk: {size: 4 MiB", "the disk of `base` has 8 MiB; an overlay has the size of its base"),
    ("start: 1 ms, disk", "disk", "`base` is not over when this VM starts; start this VM later, when the base is written"),
    ("host: files, start", "host: parts, start", "the disk of `base` has to be on the same host; name one `host` for both, and let neither disk move"),
    ("size: 8 MiB, moves: true", "size: 8 MiB, cache: writeback", "the VM may run on `parts`, whose type 1 hypervisor has no page cache; leave it out, or write `cache: none`"),
    ("vm: base, name: s, at: 1 ms", "vm: raw, name: s, at: 1 ms", "the disk of `raw` is no file on its host's disk; only such a disk has snapshots"),
    ("vm: base, name: s, at: 1 ms", "vm: bast, name: s, at: 1 ms", "there is no VM `bast`; did you mean `base`?"),
    ("vm: base, name: s, at: 1 ms", "vm: file, name: s, at: 1 ms", "the disk of `file` moves, and its snapshots would not; leave `moves` out at the disk"),
    ("at: 1 ms}", "at: 3 s}", "that is after the run's end; write an earlier time"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "problem"), CHANGES)
def test_what_does_not_fit_is_told(right: str, wrong: str, problem: str | None) -> None:
    text = DISKS.replace(right, wrong, 1)
    assert text != DISKS
    if problem is None:
        read(text)
        return
    (told,) = problems_of(text)
    place, _, message = told.partition(": ")
    assert message == problem
    line = int(place.split(":")[1])
    assert line > 4


def test_a_group_cannot_share_a_partition() -> None:
    text = DISKS.replace("{name: raw, ", "{name: raw, count: 2, ", 1)
    (told,) = problems_of(text)
    assert "the partition `one` of `parts` is the disk of `raw-0`" in told
