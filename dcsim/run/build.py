"""Builds the model of a scenario: hosts, hypervisors, network, VMs and what reaches them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from dcsim.datacentre import (
    OUTSIDE,
    Client,
    Cluster,
    Consolidation,
    Fabric,
    FaultSpec,
    LinkSpec,
    RestartRule,
    SharedStorage,
    Sink,
    Topology,
    schedule_fault,
    schedule_snapshot,
    star,
)
from dcsim.errors import GuestImageError
from dcsim.guest import kernel_image, linux_folder
from dcsim.hardware import load_disk_profile, load_power_curve, load_profile
from dcsim.host import Host, HostConfig, Partition
from dcsim.hypervisor import (
    DOMAIN_DISK_BYTES,
    NICE_WEIGHTS,
    Hypervisor,
    LinuxProgram,
    NetworkPath,
    Reservation,
    Type1,
    Type2,
    VirtualMachine,
    VmConfig,
    make_scheduler,
)
from dcsim.policy import ConsolidationSettings, consolidation_policy, placement_policy
from dcsim.run.memory import memory_claim, memory_settings
from dcsim.scenario import DriverDomain, service_name
from dcsim.sim import Environment, Streams
from dcsim.workload import Arrivals, Request, arrival_times

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim import scenario as scenarios
    from dcsim.hardware import HardwareProfile
    from dcsim.host.world import World
    from dcsim.scenario import Scenario

    Cut = Callable[[int, int], int]

__all__ = ["Model", "build"]

FIRST_SERVICE_INDEX = 1 << 24
"""Behind all VMs of a scenario where ties are broken by number."""

_HYPERVISORS: dict[str, type[Type1] | type[Type2]] = {"type1": Type1, "type2": Type2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A scenario as objects that run."""

    scenario: Scenario
    seed: int
    environment: Environment
    cluster: Cluster
    clients: dict[str, Client]
    """By the name of the VM that they ask."""


def build(scenario: Scenario, seed: int, world: World, cut: Cut | None = None) -> Model:
    """Return the model of a scenario, at time 0 with nothing started yet."""
    environment = Environment()
    streams = Streams(seed)
    fabric = Fabric(environment, _topology(scenario))
    watch_skew = any(vm.vcpus > 1 for vm in scenario.vms)
    hypervisors = {
        each.name: _hypervisor(environment, streams, each, world, cut, watch_skew=watch_skew)
        for each in scenario.each_host()
    }
    placement = placement_policy(scenario.placement.policy)
    cluster = Cluster(environment, fabric, hypervisors, placement)
    storages = {
        each.name: SharedStorage(
            environment,
            each.name,
            latency_ns=each.latency_ns,
            bits_per_second=each.bandwidth_bits_per_second,
        )
        for each in scenario.storage.shared
    }
    maker = _VmMaker(scenario, environment, streams, world, storages)
    for number, host in enumerate(scenario.each_host()):
        _host_software(hypervisors[host.name], host, cluster, maker, number)
    clients = {}
    for index, each in enumerate(scenario.each_vm()):
        vm = maker.make(index, each)
        cluster.add(vm, each.start_ns, each.host, _restart(each.restart))
        if each.sink is not None:
            Sink(environment, fabric, vm, each.sink.every)
        if each.requests is not None:
            stream = streams.stream(f"vm.{each.name}.arrivals")
            times = arrival_times(_arrivals(each.requests, each.start_ns), stream)
            client = Client(environment, fabric, vm, times, _template(each.requests))
            clients[each.name] = client
            client.start()
    for move in scenario.migrations:
        cluster.move_at(move.vm, move.to, move.at_ns)
    for fault in scenario.faults:
        spec = FaultSpec(fault.at_ns, fault.kind, fault.subject, fault.down_ns)
        schedule_fault(environment, cluster, spec)
    for snapshot in scenario.snapshots:
        vm, action = cluster.vms[snapshot.vm], snapshot.action
        schedule_snapshot(environment, cluster, vm, action, snapshot.name, snapshot.at_ns)
    if scenario.consolidation is not None:
        cluster.consolidate(_consolidation(scenario.consolidation))
    return Model(
        scenario=scenario, seed=seed, environment=environment, cluster=cluster, clients=clients
    )


def _topology(scenario: Scenario) -> Topology:
    names = [host.name for host in scenario.each_host()]
    owners = [vm.name for vm in scenario.each_vm() if vm.link == "own"]
    fabric = scenario.fabric
    if not fabric.links:
        latency_ns, speed = fabric.switch_latency_ns, fabric.bandwidth_bits_per_second
        links = star(names, latency_ns, speed)
        links += [LinkSpec(owner, OUTSIDE, 2 * latency_ns, speed) for owner in owners]
        return Topology(links, [*names, *owners])
    explicit = [
        LinkSpec(*link.between, link.latency_ns, link.bandwidth_bits_per_second)
        for link in fabric.links
    ]
    return Topology(explicit, [*names, *owners])


def _hypervisor(
    environment: Environment,
    streams: Streams,
    host: scenarios.Host,
    world: World,
    cut: Cut | None,
    *,
    watch_skew: bool,
) -> Hypervisor:
    kind = _HYPERVISORS[host.hypervisor]
    profile = _profile(host)
    config = HostConfig(
        name=host.name,
        profile=profile,
        curve=load_power_curve(host.power),
        pcpus=host.pcpus,
        memory_bytes=host.memory_bytes,
        disk_latency_ns=host.disk.latency_ns,
        disk_bits_per_second=host.disk.bandwidth_bits_per_second,
        disk_profile=load_disk_profile(host.disk.profile) if host.disk.profile else None,
        disk_order=host.disk.order,
        disk_capacity_bytes=host.disk.holds_bytes,
        disk_stream=streams.stream(f"host.{host.name}.disk"),
        partitions=tuple(
            Partition(each.name, each.size_bytes, each.use) for each in host.disk.partitions
        ),
        nodes=1 if host.numa is None else host.numa.nodes,
        memory_policy="home" if host.numa is None else host.numa.memory,
    )
    frames_bytes = host.memory_bytes - kind.system_bytes(host.memory_bytes)
    machine = world.machine(profile, host.pcpus, frames_bytes)
    given = {} if host.scheduler is None else host.scheduler.given
    scheduler = make_scheduler(host.scheduler_name, host.pcpus, given, watch_skew=watch_skew)
    made = Host(environment, config, machine, cut)
    if kind is Type2 and host.network_path is not None:
        network = NetworkPath(**host.network_path.model_dump())
        hypervisor: Hypervisor = Type2(made, scheduler, network)
    else:
        hypervisor = kind(made, scheduler)
    if host.overcommit is not None:
        hypervisor.overcommit(memory_settings(host.overcommit), streams)
    return hypervisor


def _profile(host: scenarios.Host) -> HardwareProfile:
    """Return a host's processors as the scenario has them."""
    profile = load_profile(host.hardware).with_isa(host.isa).with_exit_cycles(host.exit_cycles)
    profile = profile.with_hz(host.clock_hz).without(tuple(host.lacks))
    cache = host.data_cache
    if cache is not None:
        profile = profile.with_data_cache(
            size_bytes=cache.size_bytes,
            line_bytes=cache.line_bytes,
            ways=cache.ways,
            miss_cycles=cache.miss_cycles,
        )
    if host.numa is not None:
        profile = profile.with_nodes(host.numa.nodes, host.numa.remote_cycles)
    return profile


def _host_software(
    hypervisor: Hypervisor, host: scenarios.Host, cluster: Cluster, maker: _VmMaker, number: int
) -> None:
    """Start what a host runs beside the VMs of the scenario."""
    if isinstance(hypervisor, Type1):
        hypervisor.passes_through = host.io == "pass-through"
        if host.io == "driver-domain":
            domain = maker.make_driver_domain(host, number)
            hypervisor.use_driver_domain(domain)
            cluster.add_service(domain, host.name)
        return
    for process in host.processes:
        hypervisor.add_process(
            process.name,
            weight=NICE_WEIGHTS[process.nice],
            burst_ns=process.burst_ns,
            sleep_ns=process.period_ns - process.burst_ns,
        )


class _VmMaker:
    """Makes VMs; reads each image once."""

    def __init__(
        self,
        scenario: Scenario,
        environment: Environment,
        streams: Streams,
        world: World,
        storages: dict[str, SharedStorage],
    ) -> None:
        self._scenario = scenario
        self._environment = environment
        self._streams = streams
        self._world = world
        self._storages = storages
        self._images: dict[str | None, bytes] = {}

    def make(self, index: int, vm: scenarios.Vm) -> VirtualMachine:
        """Return a VM that is not started."""
        config = VmConfig(
            name=vm.name,
            program=vm.program,
            kernel=self._image(vm.image),
            boot_arguments=vm.boot_arguments,
            memory_bytes=vm.memory_bytes,
            vcpus=vm.vcpus,
            technique=vm.technique if vm.kind == "machine" else "process",
            process=self._program(vm),
            paging=vm.paging,
            large_pages=vm.large_pages,
            translate_user=vm.translate_user,
            weight=vm.weight,
            cap_percent=vm.cap,
            pin=vm.pin or (),
            reservation=_reservation(vm.reservation),
            watchdog_ns=vm.watchdog.timeout_ns if vm.watchdog is not None else 0,
            memory_claim=memory_claim(vm),
            **_disk_settings(vm.disk),
            has_network=vm.requests is not None or vm.sink is not None,
            has_own_link=vm.link == "own",
            has_virtio_console=vm.console == "virtio",
            has_balloon=vm.balloon,
            balloon_target_bytes=vm.balloon_target_bytes or 0,
            free_page_reporting=vm.free_page_reporting,
            entropy_seed=self._streams.stream(f"vm.{vm.name}.entropy").below(2**63),
        )
        if vm.disk is None:
            return VirtualMachine(self._environment, config, index)
        disk = self._world.disk(vm.disk.size_bytes)
        storage = self._storages.get(vm.disk.on)
        return VirtualMachine(self._environment, config, index, disk, storage)

    def make_driver_domain(self, host: scenarios.Host, number: int) -> VirtualMachine:
        """Return a host's driver domain, not started; its disk is as large as what it serves."""
        about = host.driver_domain or DriverDomain()
        name = service_name(host.name)
        program = f"driver workers={about.workers}"
        config = VmConfig(
            name=name,
            program=program,
            kernel=self._image(None),
            boot_arguments=f"init={program}",
            memory_bytes=about.memory_bytes,
            technique=about.technique,
            weight=about.weight,
            has_network=True,
            entropy_seed=self._streams.stream(f"vm.{name}.entropy").below(2**63),
        )
        disk = self._world.disk(DOMAIN_DISK_BYTES)
        return VirtualMachine(self._environment, config, FIRST_SERVICE_INDEX + number, disk)

    def _program(self, vm: scenarios.Vm) -> LinuxProgram | None:
        """Return what a process-level VM executes; None for a machine."""
        if vm.kind == "machine":
            return None
        folder = linux_folder() if vm.folder is None else str(self._scenario.resolve(vm.folder))
        return LinuxProgram.of_command(folder, vm.program.split())

    def _image(self, name: str | None) -> bytes:
        """Return the bytes of a kernel image; dcsim's own when it has no name."""
        if name not in self._images:
            self._images[name] = kernel_image() if name is None else self._read(name)
        return self._images[name]

    def _read(self, name: str) -> bytes:
        path = self._scenario.resolve(name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise GuestImageError(f"cannot read the image {path}: {error.strerror}") from error


def _restart(restart: scenarios.Restart | None) -> RestartRule | None:
    """Return when a VM is powered on again; None for never."""
    if restart is None or restart.policy == "never":
        return None
    return RestartRule(
        always=restart.policy == "always", delay_ns=restart.delay_ns, limit=restart.limit
    )


def _disk_settings(disk: scenarios.VirtualDisk | None) -> dict[str, Any]:
    """Return what a VM's configuration says of a disk."""
    if disk is None:
        return {}
    return {
        "disk_bytes": disk.size_bytes,
        "disk_format": disk.format,
        "disk_base": disk.base or "",
        "disk_partition": disk.partition or "",
        "disk_cache": disk.cache,
        "disk_moves": disk.moves,
    }


def _arrivals(requests: scenarios.Requests, start_ns: int) -> Arrivals:
    return Arrivals(
        rate_millihertz=requests.rate_millihertz,
        process=requests.arrival,
        first_ns=start_ns + requests.first_ns,
        count=requests.count,
    )


def _reservation(reservation: scenarios.VmReservation | None) -> Reservation | None:
    if reservation is None:
        return None
    return Reservation(budget_ns=reservation.budget_ns, period_ns=reservation.period_ns)


def _template(requests: scenarios.Requests) -> Request:
    return Request(
        number=0,
        size_bytes=requests.size_bytes,
        compute=requests.compute,
        pages=requests.pages,
        sectors=requests.sectors,
        answer_bytes=requests.answer_bytes,
    )


def _consolidation(consolidation: scenarios.Consolidation) -> Consolidation:
    return Consolidation(
        name=consolidation.policy,
        policy=consolidation_policy(consolidation.policy),
        settings=ConsolidationSettings(
            threshold=Fraction(str(consolidation.threshold)),
            ceiling=Fraction(str(consolidation.ceiling)),
        ),
        interval_ns=consolidation.interval_ns,
        power_off=consolidation.power_off,
    )
