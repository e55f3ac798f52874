"""Turns a model that has run into records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dcsim.hypervisor.balloon import PAGE_BYTES
from dcsim.results import (
    BalloonRecord,
    DirtySample,
    EventRecord,
    HostRecord,
    HostSample,
    HostsUsedSample,
    MigrationRecord,
    RequestRecord,
    RunResult,
    VmRecord,
)
from dcsim.run.collect_disks import disk_bytes_of, disk_layers, host_disk
from dcsim.run.collect_software import software_of
from dcsim.run.ledger import ledger
from dcsim.run.memory import host_memory, vm_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.datacentre import Client, MigrationReport
    from dcsim.hypervisor import Hypervisor, VirtualMachine
    from dcsim.run.build import Model
    from dcsim.run.sampler import Sampler

__all__ = ["collect"]

_FRAME_BYTES = 4096
_PICOJOULES_PER_MILLIJOULE = 10**9


def collect(model: Model, sampler: Sampler) -> RunResult:
    """Return the result of a model that has run."""
    sampler.sample()
    ended_ns = model.environment.now
    cluster = model.cluster
    return RunResult(
        scenario=model.scenario,
        seed=model.seed,
        ended_ns=ended_ns,
        vms=tuple(
            replace(
                _vm(vm, tuple(sampler.dirty[name]), model.clients.get(name), ended_ns),
                restarts=cluster.restarts.get(name, 0),
            )
            for name, vm in cluster.vms.items()
        )
        + tuple(_vm(vm, (), None, ended_ns) for vm in cluster.services.values()),
        hosts=tuple(_host(each, ended_ns) for each in cluster.hypervisors.values()),
        hosts_used=tuple(
            HostsUsedSample(time_ns=each.time_ns, used=each.used, powered=each.powered)
            for each in cluster.usage
        ),
        disk_layers=tuple(
            layer for each in cluster.hypervisors.values() for layer in disk_layers(each)
        ),
        migrations=tuple(_migration(each) for each in cluster.migrations),
        events=tuple(
            EventRecord(
                time_ns=each.time_ns, kind=each.kind, subject=each.subject, detail=each.detail
            )
            for each in cluster.events
        ),
        ledger=tuple(ledger(model.scenario)),
    )


def _vm(
    vm: VirtualMachine, dirty: tuple[DirtySample, ...], client: Client | None, ended_ns: int
) -> VmRecord:
    hypervisor = vm.hypervisor
    if hypervisor is not None:
        hypervisor.collect_console(vm)
        hypervisor.note_skew(vm)
    counters = vm.totals.with_current({}) if hypervisor is None else hypervisor.counters(vm)
    over_ns = ended_ns if vm.ended_ns is None else vm.ended_ns
    config = vm.config
    state = "running" if vm.state == "moving" else vm.state
    return VmRecord(
        name=vm.name,
        is_service=vm.is_service,
        program=config.program,
        technique=config.technique,
        paging=config.paging_name,
        memory_bytes=config.memory_bytes,
        host=vm.last_host,
        state=state,
        exit_status=vm.exit_status,
        started_ns=vm.started_ns,
        ended_ns=vm.ended_ns,
        instructions_direct=counters.get("instructions_direct", 0),
        instructions_emulated=counters.get("instructions_emulated", 0),
        instructions_translated=counters.get("instructions_translated", 0),
        instructions_hart=counters.get("instructions_hart", counters.get("instructions_direct", 0)),
        total_cycles=counters.get("total_cycles", 0),
        cycles=counters.get("cycles_by_cause", {}),
        exits=counters.get("exits", {}),
        emulated=counters.get("emulated", {}),
        emulated_cycles=counters.get("emulated_cycles", {}),
        pages_touched=counters.get("pages_touched", 0),
        dirty=dirty,
        run_ns=vm.time_ns("running", over_ns),
        steal_ns=vm.time_ns("runnable", over_ns),
        halted_ns=vm.time_ns("blocked", over_ns),
        wakeups=sum(vcpu.wakeups for vcpu in vm.vcpus),
        skew_max_ns=vm.skew_max_ns,
        wake_wait_ns=sum(vcpu.wake_wait_ns for vcpu in vm.vcpus),
        data_cache_misses=counters.get("data_cache_misses", 0),
        data_cache_refills=counters.get("data_cache_refills", 0),
        data_cache_cycles=counters.get("data_cache_cycles", 0),
        remote_misses=counters.get("remote_misses", 0),
        stalled_ns=vm.time_ns("stalled", over_ns),
        memory=vm_memory(vm.memory_samples),
        lateness_ns=max(vm.lateness_ns, counters.get("lateness_ns", 0)),
        disk_reads=vm.disk_counts["reads"],
        disk_writes=vm.disk_counts["writes"],
        disk_bytes=vm.disk_counts["bytes"],
        disk_flushes=vm.disk_counts["flushes"],
        disk_errors=vm.disk_counts["errors"],
        disk_wait_ns=vm.disk_wait_ns,
        link_wait_ns=vm.link_wait_ns,
        disk_allocated_bytes=disk_bytes_of(vm),
        packets_received=vm.nic.counts["received"],
        packets_sent=vm.nic.counts["sent"],
        balloon=_balloon(vm),
        requests=tuple(_requests(client, ended_ns)),
        console=bytes(vm.console),
        console_bytes=vm.console.written_bytes,
        message=vm.message,
    )


def _balloon(vm: VirtualMachine) -> BalloonRecord | None:
    balloon = vm.balloon
    if balloon is None:
        return None
    if vm.hypervisor is not None:
        balloon.look(vm.hypervisor)
    return BalloonRecord(
        target_bytes=balloon.known("target") * PAGE_BYTES,
        held_bytes=balloon.known("actual") * PAGE_BYTES,
        inflated_bytes=balloon.known("inflated") * PAGE_BYTES,
        deflated_bytes=balloon.known("deflated") * PAGE_BYTES,
        reported_bytes=balloon.known("reported") * PAGE_BYTES,
        freed_bytes=balloon.freed * PAGE_BYTES,
        refused=balloon.refuses,
        guest_free_bytes=balloon.told("free_bytes"),
        guest_swap_in_bytes=balloon.told("swap_in_bytes"),
        guest_swap_out_bytes=balloon.told("swap_out_bytes"),
        guest_major_faults=balloon.told("major_faults"),
    )


def _requests(client: Client | None, ended_ns: int) -> Iterator[RequestRecord]:
    if client is None:
        return
    for request in client.requests:
        answered_ns = request.answered_ns
        # An answer that a host path carries beyond the end of the run has not left the VM yet.
        if answered_ns is not None and answered_ns > ended_ns:
            answered_ns = None
        yield RequestRecord(
            number=request.number,
            arrived_ns=request.arrived_ns,
            answered_ns=answered_ns,
            dropped=request.dropped,
        )


def _host(hypervisor: Hypervisor, ended_ns: int) -> HostRecord:
    host = hypervisor.host
    config = host.config
    system_bytes = type(hypervisor).system_bytes(config.memory_bytes)
    return HostRecord(
        name=host.name,
        hardware=config.profile.name,
        isa=config.profile.machine.isa.value,
        hypervisor=hypervisor.kind,
        pcpus=config.pcpus,
        memory_bytes=config.memory_bytes,
        busy_ns=host.power.busy_ns(),
        fragmented_ns=hypervisor.fragmentation.until_ns(ended_ns),
        powered_ns=host.power.powered_ns(ended_ns),
        energy_millijoules=int(host.power.energy_picojoules(ended_ns) / _PICOJOULES_PER_MILLIJOULE),
        state=host.power.state,
        vms=host.vms.value,
        memory_peak_bytes=hypervisor.peak_frames * _FRAME_BYTES + system_bytes,
        disk=host_disk(hypervisor, ended_ns),
        samples=tuple(_samples(hypervisor, ended_ns)),
        memory=host_memory(hypervisor.memory),
        hz=config.profile.machine.hz.value,
        **software_of(hypervisor, ended_ns),
    )


def _samples(hypervisor: Hypervisor, ended_ns: int) -> Iterator[HostSample]:
    """Yield a host's segments, those that only repeat the one before left out."""
    host = hypervisor.host
    last = None
    for part in host.power.segments(ended_ns):
        sample = HostSample(
            time_ns=part.start_ns,
            state=part.state,
            utilisation=float(part.utilisation),
            power_milliwatts=round(part.milliwatts),
            vms=host.vms.at(part.start_ns),
        )
        known = (sample.state, sample.utilisation, sample.power_milliwatts, sample.vms)
        if known != last:
            yield sample
        last = known


def _migration(report: MigrationReport) -> MigrationRecord:
    return MigrationRecord(
        vm=report.vm,
        source=report.source,
        destination=report.destination,
        reason=report.reason,
        requested_ns=report.requested_ns,
        stopped_ns=report.stopped_ns,
        resumed_ns=report.resumed_ns,
        memory_pages=report.memory_pages,
        zero_pages=report.zero_pages,
        device_bytes=report.device_bytes,
        disk_bytes=report.disk_bytes,
        transferred_bytes=report.transferred_bytes,
        source_digest=report.source_digest,
        destination_digest=report.destination_digest,
    )
