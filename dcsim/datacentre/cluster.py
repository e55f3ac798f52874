"""The cluster: places VMs, consolidates them, switches hosts off and on, and keeps the record.

Decisions are made by policies on a view; this module takes the picture and carries the decision
out. Everything that it plans is an event that reaches every host, so that no machine has run past
it; what it learns from a host at an unplanned moment (a VM powered off) it only writes down.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from dcsim.datacentre.migration import MigrationReport, Plan
from dcsim.errors import MigrationError, PlacementError
from dcsim.policy import ClusterView, ConsolidationSettings, HostView, Move, VmView

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from simpy.events import Event

    from dcsim.datacentre.fabric import Fabric
    from dcsim.host import Host
    from dcsim.hypervisor import Hypervisor, VirtualMachine
    from dcsim.policy import ConsolidationPolicy, PlacementPolicy
    from dcsim.sim import Environment

__all__ = ["Cluster", "ClusterEvent", "Consolidation", "RestartRule", "Usage"]


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """Something worth telling."""

    time_ns: int
    kind: str
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRule:
    """Whether and how a VM that is over is powered on again."""

    always: bool
    """Also when it powered itself off with status 0."""
    delay_ns: int
    limit: int


@dataclass(frozen=True, slots=True)
class Usage:
    """How many hosts were in use from a moment on."""

    time_ns: int
    used: int
    powered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Consolidation:
    """How and how often the cluster consolidates."""

    name: str
    policy: ConsolidationPolicy
    settings: ConsolidationSettings
    interval_ns: int
    power_off: bool


class Cluster:
    """Hosts with their hypervisors, and the VMs.

    Parameters
    ----------
    environment
        The simulation.
    fabric
        The network between the hosts.
    hypervisors
        By host name, in the scenario's order.
    placement
        Where a VM starts that is not told.

    Attributes
    ----------
    events, usage, migrations
        The record.
    all_ended
        Happens when every VM has powered off or failed.
    """

    def __init__(
        self,
        environment: Environment,
        fabric: Fabric,
        hypervisors: Mapping[str, Hypervisor],
        placement: PlacementPolicy,
    ) -> None:
        self._environment = environment
        self._fabric = fabric
        self.hypervisors = dict(hypervisors)
        self._placement = placement
        self.vms: dict[str, VirtualMachine] = {}
        self.services: dict[str, VirtualMachine] = {}
        self.events: list[ClusterEvent] = []
        self.usage: list[Usage] = []
        self.migrations: list[MigrationReport] = []
        self.all_ended = environment.event()
        self._ended = 0
        self._rules: dict[str, RestartRule] = {}
        self._homes: dict[str, str | None] = {}
        self.restarts: dict[str, int] = {}
        self._back: dict[str, Event] = {}
        self._emptied: set[str] = set()
        self._starting: dict[str, Event] = {}
        self._stopping: dict[str, Event] = {}
        self._busy_ns: dict[str, int] = dict.fromkeys(self.hypervisors, 0)
        self._ran_ns: dict[str, int] = {}
        for hypervisor in self.hypervisors.values():
            hypervisor.on_ended = self._on_ended
        self._note_usage()

    # Starting VMs.

    def add(
        self,
        vm: VirtualMachine,
        start_ns: int,
        host: str | None,
        restart: RestartRule | None = None,
    ) -> None:
        """Have a VM start at a time, on a host or wherever the placement policy says."""
        self.vms[vm.name] = vm
        self._homes[vm.name] = host
        if restart is not None:
            self._rules[vm.name] = restart
        self._ran_ns[vm.name] = 0
        self._environment.process(self._start(vm, start_ns, host))

    def add_service(self, vm: VirtualMachine, host: str) -> None:
        """Start a VM that belongs to a host, before all that are added later.

        It is no part of the load, and nobody waits for its end.
        """
        vm.is_service = True
        self.services[vm.name] = vm
        self._environment.process(self._start(vm, 0, host))

    def _start(
        self, vm: VirtualMachine, start_ns: int, host: str | None
    ) -> Generator[Event, object, None]:
        if start_ns:
            yield self._environment.timeout(start_ns)
        name = host if host is not None else self._place(vm)
        hypervisor = self.hypervisors[name]
        hypervisor.expect(vm)
        if not hypervisor.host.is_on:
            yield self._switch_on(hypervisor.host)
        hypervisor.create(vm)
        self._note("vm-started", vm.name, name)
        self._note_usage()

    def _place(self, vm: VirtualMachine) -> str:
        """Return the host for a VM; a host that is off is switched on when no other is left."""
        view = self._view_of(vm, next(iter(self.hypervisors.values())))
        name = self._placement(self._view(0), view)
        if name is not None:
            return name
        for hypervisor in self.hypervisors.values():
            host = hypervisor.host
            if (
                host.power.state in {"off", "starting"}
                and hypervisor.footprint_bytes(vm) <= host.free_bytes
            ):
                return host.name
        raise PlacementError(
            f"no host can take {vm.name}, which needs {view.memory_bytes} bytes of memory"
        )

    # Moving VMs.

    def move_at(self, vm: str, destination: str, at_ns: int) -> None:
        """Have a VM moved at a time; the run fails when it cannot be."""
        self._environment.process(self._scheduled_move(vm, destination, at_ns))

    def _scheduled_move(
        self, vm: str, destination: str, at_ns: int
    ) -> Generator[Event, object, None]:
        if at_ns:
            yield self._environment.timeout(at_ns)
        source = self.vms[vm].hypervisor
        if source is None:
            self._note("migration-skipped", vm, f"the VM is {self.vms[vm].state}")
            return
        plan = Plan(self._fabric, [(source, self.hypervisors[destination])])
        try:
            yield from self._move(plan, vm, destination, "scheduled")
        finally:
            plan.close()

    def _move(
        self, plan: Plan, name: str, destination: str, reason: str
    ) -> Generator[Event, object, None]:
        report = yield from plan.migrate(self.vms[name], self.hypervisors[destination], reason)
        self._note_usage()
        if report is not None:
            self.migrations.append(report)
            self._note("migration", name, f"{report.source} to {report.destination}")

    # Consolidating.

    def consolidate(self, consolidation: Consolidation) -> None:
        """Look at the hosts now and then, and empty those that the policy names."""
        self._environment.process(self._consolidate(consolidation))

    def _consolidate(self, consolidation: Consolidation) -> Generator[Event, object, None]:
        due_ns = consolidation.interval_ns
        looked_ns = 0
        while True:
            yield self._environment.timeout(due_ns - self._environment.now)
            view = self._view(self._environment.now - looked_ns)
            looked_ns = self._environment.now
            moves = consolidation.policy(view, consolidation.settings)
            yield from self._carry_out(moves, consolidation.name)
            if consolidation.power_off:
                self._switch_off_emptied()
            while due_ns <= self._environment.now:
                due_ns += consolidation.interval_ns

    def _carry_out(self, moves: tuple[Move, ...], reason: str) -> Generator[Event, object, None]:
        """Make the moves of a plan; what has changed since it was made is passed over."""
        ways = [
            (self.hypervisors[each.source], self.hypervisors[each.destination]) for each in moves
        ]
        plan = Plan(self._fabric, ways)
        for number, (move, way) in enumerate(zip(moves, ways, strict=True)):
            if number:
                yield self._environment.timeout(plan.latency_ns(*way))
            try:
                yield from self._move(plan, move.vm, move.destination, reason)
            except MigrationError as error:
                self._note("migration-refused", move.vm, str(error))
        plan.close()

    # Power.

    def _switch_off_emptied(self) -> None:
        for name, hypervisor in self.hypervisors.items():
            host = hypervisor.host
            if (
                name in self._emptied
                and host.is_on
                and not host.vms.value
                and not hypervisor.expected
            ):
                stopping = self._environment.process(self._shutting_down(host))
                self._stopping[name] = stopping

    def _shutting_down(self, host: Host) -> Generator[Event, object, None]:
        self._emptied.discard(host.name)
        self._note("host-stopping", host.name)
        yield host.switch_off()
        self._note("host-off", host.name)
        self._note_usage()

    def _switch_on(self, host: Host) -> Event:
        """Return the event of a host being on, which it begins to become unless it does already."""
        ready = self._starting.get(host.name)
        if ready is None or ready.processed:
            ready = self._starting[host.name] = self._environment.process(self._starting_up(host))
        return ready

    def _starting_up(self, host: Host) -> Generator[Event, object, None]:
        stopping = self._stopping.get(host.name)
        if stopping is not None and not stopping.processed:
            yield stopping
        self._note("host-starting", host.name)
        belonging = [each for each in self.services.values() if each.last_host == host.name]
        again = [each for each in belonging if each.hypervisor is None and self._promise(each)]
        ready = host.switch_on()
        self._note_usage()
        yield ready
        self._note("host-on", host.name)
        for service in again:
            self._begin_again(self.hypervisors[host.name], service)

    # The picture that policies see.

    def _view(self, elapsed_ns: int) -> ClusterView:
        return ClusterView(
            hosts=tuple(self._host_view(each, elapsed_ns) for each in self.hypervisors.values())
        )

    def _host_view(self, hypervisor: Hypervisor, elapsed_ns: int) -> HostView:
        host = hypervisor.host
        utilisation = Fraction(0)
        if elapsed_ns:
            busy_ns = host.busy_ns()
            capacity_ns = host.config.pcpus * elapsed_ns
            utilisation = Fraction(busy_ns - self._busy_ns[host.name], capacity_ns)
            self._busy_ns[host.name] = busy_ns
        return HostView(
            name=host.name,
            on=host.is_on,
            pcpus=host.config.pcpus,
            free_bytes=host.free_bytes,
            utilisation=utilisation,
            vms=tuple(
                self._view_of(vm, hypervisor, elapsed_ns)
                for vm in hypervisor.vms.values()
                if not vm.is_service
            ),
        )

    def _view_of(self, vm: VirtualMachine, hypervisor: Hypervisor, elapsed_ns: int = 0) -> VmView:
        cpu = Fraction(0)
        if elapsed_ns:
            ran_ns = vm.time_ns("running", self._environment.now)
            cpu = Fraction(ran_ns - self._ran_ns[vm.name], elapsed_ns)
            self._ran_ns[vm.name] = ran_ns
        return VmView(
            name=vm.name,
            memory_bytes=hypervisor.footprint_bytes(vm),
            cpu=cpu,
            movable=vm.is_movable and vm.state == "running",
        )

    # The record.

    def _on_ended(self, vm: VirtualMachine) -> None:
        detail = vm.message if vm.state == "failed" else f"status {vm.exit_status}"
        self._note(f"vm-{vm.state}", vm.name, detail)
        self._note_usage()
        if vm.is_service:
            return
        if self._is_restarted(vm):
            self._environment.process(self._restart(vm, self._rules[vm.name]))
        else:
            self._end_for_good()

    def _end_for_good(self) -> None:
        self._ended += 1
        if self._ended == len(self.vms):
            self.all_ended.succeed()

    # Failures.

    def crash_host(self, name: str, down_ns: int | None) -> None:
        """Have a host lose power, and come back after a time."""
        hypervisor = self.hypervisors[name]
        if not hypervisor.host.is_on:
            self._note(
                "fault-skipped", name, f"host-crash: the host is {hypervisor.host.power.state}"
            )
            return
        self._note("host-crash", name)
        if down_ns is not None:
            self._back[name] = self._environment.process(self._come_back(hypervisor.host, down_ns))
        hypervisor.crash(f"its host `{name}` crashed", self._note_usage)

    def _come_back(self, host: Host, down_ns: int) -> Generator[Event, object, None]:
        """Switch a host on again that lost power."""
        yield self._environment.timeout(max(1, down_ns))
        del self._back[host.name]
        if not host.is_on:  # a VM that was to start there may have had it switched on
            yield self._switch_on(host)

    def restart_service(self, service: VirtualMachine) -> None:
        """Start a VM that belongs to a host again, unless the host does that itself."""
        hypervisor = self.hypervisors[service.last_host]
        if service.hypervisor is None and hypervisor.host.is_on and self._promise(service):
            self._begin_again(hypervisor, service)

    def _promise(self, service: VirtualMachine) -> bool:
        """Promise memory to a VM that is to start again; return False when there is too little."""
        hypervisor = self.hypervisors[service.last_host]
        if hypervisor.footprint_bytes(service) > hypervisor.host.free_bytes:
            self._note("restart-refused", service.name, "its host has no memory left for it")
            return False
        hypervisor.expect(service)
        return True

    def _begin_again(self, hypervisor: Hypervisor, vm: VirtualMachine) -> None:
        """Power a VM on again that is expected."""
        hypervisor.create(vm)
        self._note("vm-restarted", vm.name, hypervisor.host.name)

    def _is_restarted(self, vm: VirtualMachine) -> bool:
        rule = self._rules.get(vm.name)
        if rule is None or self.restarts.get(vm.name, 0) >= rule.limit:
            return False
        return rule.always or vm.state == "failed" or vm.exit_status != 0

    def _restart(self, vm: VirtualMachine, rule: RestartRule) -> Generator[Event, object, None]:
        """Power a VM on again, where it can be."""
        yield self._environment.timeout(max(1, rule.delay_ns))
        while (name := self._home_of(vm)) is None and vm.last_host in self._back:
            yield self._back[vm.last_host]
        if name is None:
            self._note("restart-refused", vm.name, "no host that is on can take it")
            self._end_for_good()
            return
        self.restarts[vm.name] = self.restarts.get(vm.name, 0) + 1
        hypervisor = self.hypervisors[name]
        hypervisor.expect(vm)
        if not hypervisor.host.is_on:
            yield self._switch_on(hypervisor.host)
        self._begin_again(hypervisor, vm)
        self._note_usage()

    def _home_of(self, vm: VirtualMachine) -> str | None:
        """Return where a VM can be powered on again: a disk or a link keeps it at its host."""
        tied = (vm.config.disk_bytes > 0 and vm.storage is None) or vm.config.has_own_link
        wanted = vm.last_host if tied else self._homes[vm.name]
        if wanted is not None:
            hypervisor = self.hypervisors[wanted]
            comes = hypervisor.host.is_on or hypervisor.host.power.state == "starting"
            if comes and hypervisor.footprint_bytes(vm) <= hypervisor.host.free_bytes:
                return wanted
        if tied:
            return None
        view = self._view_of(vm, next(iter(self.hypervisors.values())))
        return self._placement(self._view(0), view)

    def note(self, kind: str, subject: str, detail: str = "") -> None:
        """Note something that was done from outside."""
        self._note(kind, subject, detail)

    def _note(self, kind: str, subject: str, detail: str = "") -> None:
        self.events.append(ClusterEvent(self._environment.now, kind, subject, detail))

    def _note_usage(self) -> None:
        hosts = [hypervisor.host for hypervisor in self.hypervisors.values()]
        self._emptied.update(host.name for host in hosts if host.vms.maximum and not host.vms.value)
        usage = Usage(
            self._environment.now,
            used=sum(host.vms.value > 0 for host in hosts),
            powered=sum(host.power.state != "off" for host in hosts),
        )
        if self.usage and self.usage[-1].time_ns == usage.time_ns:
            self.usage.pop()
        if not self.usage or (self.usage[-1].used, self.usage[-1].powered) != (
            usage.used,
            usage.powered,
        ):
            self.usage.append(usage)
