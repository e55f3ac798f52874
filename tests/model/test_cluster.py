"""The cluster: placement, migration, consolidation, power, on doubles of machines."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from dcsim.datacentre import Cluster, Consolidation, Fabric, SharedStorage, Topology, star
from dcsim.errors import InvariantError, MigrationError, PlacementError
from dcsim.hypervisor import Hypervisor, Type1, Type2
from dcsim.policy import ConsolidationSettings, consolidation_policy, placement_policy
from dcsim.sim import Environment

MEGABYTE = 1 << 20
GIGABIT = 10**9
COMPUTE: list[tuple[Any, ...]] = [("run", 10**12)]
STATE_BYTES = 100 * 4096 + 512
TRANSFER_NS = STATE_BYTES * 8 + 10_000
"""At 1 Gbit/s, over two links of 5 us."""
DISK_BLOCKS = 7
DISK_NS = DISK_BLOCKS * (4096 + 8) * 8
"""The same for the blocks of a disk, each with its number."""


class Site:
    """Hosts on a switch, with their hypervisors and a cluster."""

    def __init__(
        self,
        make_rig: Callable[..., Any],
        make_vm: Callable[..., Any],
        hosts: dict[str, type[Hypervisor]],
        **settings: Any,
    ) -> None:
        self.environment = Environment()
        self.make_vm = make_vm
        memory = settings.get("memory_bytes", 64 * MEGABYTE)
        self.rigs = {
            name: make_rig(
                [],
                name=name,
                environment=self.environment,
                memory_bytes=memory,
                pcpus=settings.get("pcpus", 1),
            )
            for name in hosts
        }
        self.hypervisors = {name: kind(self.rigs[name].host) for name, kind in hosts.items()}
        topology = Topology(star(hosts, 5_000, GIGABIT), list(hosts))
        self.fabric = Fabric(self.environment, topology)
        placement = placement_policy(settings.get("placement", "first-fit"))
        self.cluster = Cluster(self.environment, self.fabric, self.hypervisors, placement)
        self.vms: list[Any] = []

    def vm(
        self,
        script: list[tuple[Any, ...]],
        host: str | None = None,
        start_ns: int = 0,
        **config: Any,
    ) -> Any:
        rig = next(iter(self.rigs.values()))
        vm = self.make_vm(rig, len(self.vms), **config)
        self.vms.append(vm)
        for each in self.rigs.values():  # whichever host it starts on has its script
            each.machine.named[vm.name] = list(script)
        self.cluster.add(vm, start_ns, host)
        return vm

    def run(self, until_ns: int) -> None:
        self.environment.run(until=until_ns)

    def where(self) -> list[str]:
        return [vm.hypervisor.host.name if vm.hypervisor else "" for vm in self.vms]

    def happened(self) -> list[str]:
        return [f"{event.kind} {event.subject}" for event in self.cluster.events]


@pytest.fixture
def make_site(make_rig: Callable[..., Any], make_vm: Callable[..., Any]) -> Callable[..., Site]:
    """Return a function that makes a site."""

    def make(hosts: dict[str, type[Hypervisor]], **settings: Any) -> Site:
        return Site(make_rig, make_vm, hosts, **settings)

    return make


def test_vms_are_placed_first_fit_by_memory(make_site: Callable[..., Site]) -> None:
    site = make_site({"a": Type1, "b": Type1}, memory_bytes=10 * MEGABYTE)
    for _ in range(3):
        site.vm(COMPUTE, memory_bytes=4 * MEGABYTE)
    site.run(1000)
    assert site.where() == ["a", "a", "b"]


def test_a_vm_that_fits_nowhere_ends_the_run(make_site: Callable[..., Site]) -> None:
    site = make_site({"a": Type1}, memory_bytes=10 * MEGABYTE)
    site.vm(COMPUTE, memory_bytes=11 * MEGABYTE)
    with pytest.raises(PlacementError, match="no host can take vm-0"):
        site.run(1000)


def test_a_vm_starts_when_and_where_it_is_told(make_site: Callable[..., Site]) -> None:
    site = make_site({"a": Type1, "b": Type2})
    vm = site.vm(COMPUTE, host="b", start_ns=5_000)
    site.run(1_000_000)
    assert (vm.started_ns, site.where()) == (5_000, ["b"])


@pytest.mark.parametrize("source", [Type1, Type2])
@pytest.mark.parametrize("destination", [Type1, Type2])
def test_a_move_takes_what_the_state_takes_on_the_link(
    make_site: Callable[..., Site], source: type, destination: type
) -> None:
    site = make_site({"a": source, "b": destination})
    vm = site.vm(COMPUTE)
    site.cluster.move_at("vm-0", "b", 1_000_000)
    site.run(50_000_000)
    (report,) = site.cluster.migrations
    assert report.stopped_ns == 1_000_000
    assert report.resumed_ns == 1_000_000 + TRANSFER_NS
    assert report.source_digest == report.destination_digest
    assert report.transferred_bytes == STATE_BYTES
    assert site.where() == ["b"]
    # It computed all the time but for the move and the software of two hosts.
    ran_ns = site.rigs["b"].machine.vms[vm.number].ran_ns
    assert ran_ns == pytest.approx(50_000_000 - TRANSFER_NS, abs=5_000)
    assert vm.vcpus[0].time_ns("paused", 50_000_000) == pytest.approx(TRANSFER_NS, abs=1_000)


def test_a_move_waits_for_the_disk(make_site: Callable[..., Site]) -> None:
    """A request under way is completed on the source, where its interrupt belongs."""
    site = make_site({"a": Type1, "b": Type1})
    array = SharedStorage(site.environment, "san", latency_ns=10**6, bits_per_second=8 * GIGABIT)
    script: list[tuple[Any, ...]] = [("run", 1000), ("read", 4096), ("wait",), ("off", 0)]
    site.vm(script, disk_bytes=MEGABYTE, storage=array)
    site.cluster.move_at("vm-0", "b", 500_000)
    site.run(50_000_000)
    (report,) = site.cluster.migrations
    assert report.resumed_ns > 10**6 + TRANSFER_NS
    assert site.vms[0].state == "off"
    assert site.vms[0].last_host == "b"


def test_a_move_from_type_2_brings_the_page_cache_to_the_storage(
    make_site: Callable[..., Site],
) -> None:
    site = make_site({"a": Type2, "b": Type1})
    array = SharedStorage(site.environment, "san", latency_ns=10**6, bits_per_second=8 * GIGABIT)
    site.vm([("write", 8192), ("wait",), ("run", 10**10)], disk_bytes=MEGABYTE, storage=array)
    site.cluster.move_at("vm-0", "b", 500_000)
    site.run(50_000_000)
    (report,) = site.cluster.migrations
    assert array.moved["write_bytes"] == 8192
    assert report.resumed_ns == 500_000 + 10**6 + 8192 + TRANSFER_NS


@pytest.fixture
def local_disk(double_disk: Callable[..., Any]) -> dict[str, Any]:
    """Return the configuration of a VM whose disk is its host's own and moves with it."""
    return {"disk_bytes": MEGABYTE, "disk_moves": True, "disk": double_disk(DISK_BLOCKS)}


@pytest.mark.parametrize("source", [Type1, Type2])
@pytest.mark.parametrize("destination", [Type1, Type2])
def test_a_local_disk_crosses_the_link_with_the_state(
    make_site: Callable[..., Site], local_disk: dict[str, Any], source: type, destination: type
) -> None:
    site = make_site({"a": source, "b": destination})
    site.vm(COMPUTE, host="a", **local_disk)
    site.cluster.move_at("vm-0", "b", 1_000_000)
    site.run(50_000_000)
    (report,) = site.cluster.migrations
    assert report.disk_bytes == DISK_BLOCKS * 4096
    assert report.transferred_bytes == STATE_BYTES + DISK_BLOCKS * (4096 + 8)
    assert report.resumed_ns - report.stopped_ns == TRANSFER_NS + DISK_NS
    assert site.vms[0].lateness_ns == 0


def test_a_disk_on_shared_storage_stays_there(
    make_site: Callable[..., Site], local_disk: dict[str, Any]
) -> None:
    site = make_site({"a": Type1, "b": Type1})
    array = SharedStorage(site.environment, "san", latency_ns=10**6, bits_per_second=8 * GIGABIT)
    site.vm(COMPUTE, **local_disk, storage=array)
    site.cluster.move_at("vm-0", "b", 1_000_000)
    site.run(50_000_000)
    (report,) = site.cluster.migrations
    assert (report.disk_bytes, report.transferred_bytes) == (0, STATE_BYTES)


def test_a_disk_that_moved_is_served_by_the_destination(
    make_site: Callable[..., Site], local_disk: dict[str, Any]
) -> None:
    site = make_site({"a": Type1, "b": Type1})
    read: list[tuple[Any, ...]] = [("read", 4096), ("wait",)]
    site.vm([*read, ("run", 2_000_000), *read, *read, ("off", 0)], **local_disk)
    site.cluster.move_at("vm-0", "b", 1_000_000)
    site.run(50_000_000)
    assert site.vms[0].state == "off"
    assert [rig.host.disk.moved["read"] for rig in site.rigs.values()] == [1, 2]


def test_the_page_cache_forgets_a_disk_that_moved(
    make_site: Callable[..., Site], local_disk: dict[str, Any]
) -> None:
    """Its dirty pages reach the source's disk first; when it comes back, a read misses."""
    site = make_site({"a": Type2, "b": Type1})
    written = [("write", 8192), ("wait",), ("run", 20_000_000)]
    site.vm([*written, ("read", 8192), ("wait",), ("off", 0)], host="a", **local_disk)
    site.cluster.move_at("vm-0", "b", 500_000)
    site.cluster.move_at("vm-0", "a", 10_000_000)
    site.run(100_000_000)
    out, back = site.cluster.migrations
    # 80 us and 8192 bytes at 4 Gbit/s: the source's own disk.
    assert out.resumed_ns == 500_000 + 80_000 + 8192 * 2 + TRANSFER_NS + DISK_NS
    assert back.resumed_ns == 10_000_000 + TRANSFER_NS + DISK_NS
    assert site.vms[0].state == "off"
    moved = [rig.host.disk.moved.as_dict() for rig in site.rigs.values()]
    assert moved == [{"write": 1, "write_bytes": 8192, "read": 1, "read_bytes": 8192}, {}]


def test_a_disk_that_arrives_different_ends_the_run(
    make_site: Callable[..., Site], local_disk: dict[str, Any]
) -> None:
    site = make_site({"a": Type1, "b": Type1})
    vm = site.vm(COMPUTE, **local_disk)
    site.cluster.move_at("vm-0", "b", 1_000_000)
    site.environment.at(2_000_000, lambda: setattr(vm.disk, "content", "another"), reach=vm.scope)
    with pytest.raises(InvariantError, match="the disk of vm-0 arrived different"):
        site.run(50_000_000)


def test_a_sleeper_keeps_its_alarm_across_a_move(make_site: Callable[..., Site]) -> None:
    site = make_site({"a": Type1, "b": Type1})
    vm = site.vm([("sleep", 20_000_000), ("off", 0)])
    site.cluster.move_at("vm-0", "b", 1_000_000)
    site.run(50_000_000)
    assert vm.state == "off"
    assert vm.ended_ns == pytest.approx(20_000_000, abs=5_000)


def test_an_alarm_that_rang_during_a_move_is_heard_after_it(
    make_site: Callable[..., Site],
) -> None:
    site = make_site({"a": Type1, "b": Type1})
    vm = site.vm([("sleep", 2_000_000), ("off", 0)])
    site.cluster.move_at("vm-0", "b", 1_000_000)
    site.run(50_000_000)
    assert vm.ended_ns == pytest.approx(1_000_000 + TRANSFER_NS, abs=5_000)


def test_a_packet_that_comes_during_a_move_is_delivered_after_it(
    make_site: Callable[..., Site],
) -> None:
    site = make_site({"a": Type1, "b": Type1})
    vm = site.vm([("wait",), ("run", 10**9)])
    site.cluster.move_at("vm-0", "b", 1_000_000)
    site.environment.at(2_000_000, lambda: vm.nic.arrive(b"x"), reach=vm.scope)
    site.run(50_000_000)
    assert site.rigs["b"].machine.vms[vm.number].frames == [(1_000_000 + TRANSFER_NS, b"x")]


def test_the_destination_runs_on_during_a_move_and_nothing_is_late(
    make_site: Callable[..., Site],
) -> None:
    site = make_site({"a": Type1, "b": Type1})
    site.vm(COMPUTE, host="a")
    other = site.vm(COMPUTE, host="b")
    site.cluster.move_at("vm-0", "b", 1_000_000)
    site.run(50_000_000)
    assert site.where() == ["b", "b"]
    assert [vm.lateness_ns for vm in site.vms] == [0, 0]
    assert other.vcpus[0].time_ns("runnable", 50_000_000) > 0


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"disk_bytes": MEGABYTE}, "its disk is on the host"),
        ({"memory_bytes": 40 * MEGABYTE}, "lacks the memory"),
    ],
)
def test_a_move_that_cannot_be_made_says_why(
    make_site: Callable[..., Site], config: dict[str, Any], reason: str
) -> None:
    site = make_site({"a": Type1, "b": Type1})
    site.vm(COMPUTE, host="a", **config)
    site.vm(COMPUTE, host="b", memory_bytes=40 * MEGABYTE)
    site.cluster.move_at("vm-0", "b", 1_000_000)
    with pytest.raises(MigrationError, match=reason):
        site.run(50_000_000)


def test_a_vm_that_ends_while_it_is_to_move_does_not_arrive(
    make_site: Callable[..., Site],
) -> None:
    """Its processor is beyond the clock, in an exit that ends it, when the move begins."""
    site = make_site({"a": Type1, "b": Type1})
    vm = site.vm([("run", 999_000), ("off", 0)])
    site.cluster.move_at("vm-0", "b", 999_000 + 20)
    site.run(50_000_000)
    assert vm.state == "off"
    assert site.cluster.migrations == []
    assert site.hypervisors["b"].host.free_bytes == 64 * MEGABYTE


def underload(*, interval_ns: int = 10_000_000, power_off: bool = True) -> Consolidation:
    return Consolidation(
        name="underload",
        policy=consolidation_policy("underload"),
        settings=ConsolidationSettings(threshold=Fraction(3, 10)),
        interval_ns=interval_ns,
        power_off=power_off,
    )


NAPS: list[tuple[Any, ...]] = [("run", 100_000), ("sleep", 1_000_000)] * 10_000


def test_an_idle_host_is_emptied_and_switched_off(make_site: Callable[..., Site]) -> None:
    site = make_site({"a": Type1, "b": Type1, "c": Type2}, placement="spread")
    for _ in range(3):
        site.vm(NAPS)
    site.cluster.consolidate(underload())
    site.run(200_000_000)
    assert len(set(site.where())) == 1
    assert site.cluster.usage[0].used == 3
    assert site.cluster.usage[-1].used == 1
    assert site.cluster.usage[-1].powered == 1
    off = [rig for rig in site.rigs.values() if rig.host.power.state == "off"]
    assert len(off) == 2
    assert sum(event.startswith("migration ") for event in site.happened()) == 2


@pytest.mark.parametrize("moves", [True, False])
def test_a_host_with_a_local_disk_is_emptied_when_the_disk_moves(
    make_site: Callable[..., Site], local_disk: dict[str, Any], moves: bool
) -> None:
    site = make_site({"a": Type1, "b": Type2}, placement="spread")
    for host in ("a", "b"):
        site.vm(NAPS, host=host, **{**local_disk, "disk_moves": moves})
    site.cluster.consolidate(underload())
    site.run(200_000_000)
    assert [move.disk_bytes for move in site.cluster.migrations] == [DISK_BLOCKS * 4096] * moves
    assert len(set(site.where())) == 2 - moves


def test_a_state_that_arrives_different_is_no_refusal(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Consolidation passes over a move that cannot be made, not over one that went wrong."""
    site = make_site({"a": Type1, "b": Type1}, placement="spread")
    site.vm(NAPS)
    site.vm(NAPS)
    for rig in site.rigs.values():
        restore = rig.machine.restore_vm

        def damage(config: str, state: Any, disk: Any = None, restore: Any = restore) -> int:
            state.vm.ran_ns += 1
            return int(restore(config, state, disk))

        monkeypatch.setattr(rig.machine, "restore_vm", damage)
    site.cluster.consolidate(underload())
    with pytest.raises(InvariantError, match="arrived different"):
        site.run(200_000_000)


def test_a_plan_of_moves_to_several_busy_hosts_is_never_late(
    make_site: Callable[..., Site],
) -> None:
    """Disk requests end, and so transfers begin, when no event told the destinations."""
    hosts = {"b": Type1, "c": Type2, "a": Type1}
    site = make_site(hosts, memory_bytes=12 * MEGABYTE, pcpus=2)
    array = SharedStorage(site.environment, "san", latency_ns=10**6, bits_per_second=8 * GIGABIT)
    reader: list[tuple[Any, ...]] = [("sleep", 900_000), ("read", 4096), ("wait",)] * 1000
    readers = [
        site.vm(reader, "a", memory_bytes=2 * MEGABYTE, disk_bytes=MEGABYTE, storage=array)
        for _ in range(4)
    ]
    for host in ("b", "c"):
        site.vm(COMPUTE, host=host, memory_bytes=4 * MEGABYTE)
    site.cluster.consolidate(underload())
    site.run(200_000_000)
    assert len({vm.hypervisor.host.name for vm in readers}) == 2
    assert site.rigs["a"].host.power.state == "off"
    assert [vm.lateness_ns for vm in site.vms] == [0] * 6


def test_hosts_stay_on_when_they_are_to(make_site: Callable[..., Site]) -> None:
    site = make_site({"a": Type1, "b": Type1}, placement="spread")
    site.vm(NAPS)
    site.vm(NAPS)
    site.cluster.consolidate(underload(power_off=False))
    site.run(200_000_000)
    assert site.cluster.usage[-1].used == 1
    assert site.cluster.usage[-1].powered == 2


def test_a_busy_host_is_left_alone(make_site: Callable[..., Site]) -> None:
    site = make_site({"a": Type1, "b": Type1}, placement="spread")
    site.vm(COMPUTE)
    site.vm(COMPUTE)
    site.cluster.consolidate(underload())
    site.run(100_000_000)
    assert site.cluster.migrations == []


def test_a_host_that_is_off_is_switched_on_for_a_vm_that_fits_nowhere_else(
    make_site: Callable[..., Site],
) -> None:
    site = make_site({"a": Type1, "b": Type1}, placement="spread", memory_bytes=20 * MEGABYTE)
    site.vm(NAPS, memory_bytes=4 * MEGABYTE)
    site.vm(NAPS, memory_bytes=4 * MEGABYTE)
    late = site.vm(NAPS, memory_bytes=12 * MEGABYTE, start_ns=100_000_000)
    again = site.vm(NAPS, memory_bytes=4 * MEGABYTE, start_ns=110_000_000, host="a")
    site.cluster.consolidate(underload(interval_ns=50_000_000))
    site.run(400_000_000)
    assert site.where()[:2] == ["b", "b"]
    start_ns = site.rigs["a"].host.config.curve.start_ns.value
    assert late.started_ns == again.started_ns == 100_000_000 + start_ns
    assert site.happened().count("host-starting a") == 1


def test_the_cluster_knows_when_all_vms_are_over(make_site: Callable[..., Site]) -> None:
    site = make_site({"a": Type1, "b": Type1}, placement="spread")
    site.vm([("run", 1000), ("off", 0)])
    site.vm([("run", 5000), ("fault", "oops")])
    site.environment.run(until=site.cluster.all_ended)
    assert site.environment.now == pytest.approx(5000, abs=100)
    assert site.happened()[2:] == ["vm-off vm-0", "vm-failed vm-1"]
