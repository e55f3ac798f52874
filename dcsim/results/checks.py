"""Invariants that every result must hold, whatever the scenario was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.errors import InvariantError, SeamError

if TYPE_CHECKING:
    from dcsim.results.records import HostRecord, RunResult, VmRecord

__all__ = ["check_result"]


def check_result(result: RunResult) -> None:
    """Hold a result to its invariants.

    Raises
    ------
    SeamError
        When something arrived in a vCPU's past.
    InvariantError
        When cycles by cause do not add up to a VM's total, blocks of a disk do not add up to it, a
        request was lost, or a migration changed a byte.
    """
    for vm in result.vms:
        _check_vm(vm)
    for host in result.hosts:
        _check_disk(host)
    for move in result.migrations:
        if move.source_digest != move.destination_digest:
            message = f"the move of `{move.vm}` at {move.stopped_ns} ns changed its state"
            raise InvariantError(message)


def _check_disk(host: HostRecord) -> None:
    """Hold the blocks of a host's disk to their number, and its requests to theirs."""
    disk = host.disk
    used = disk.files_bytes + disk.record_bytes
    if used + disk.free_bytes != disk.files_capacity_bytes:
        message = (
            f"the disk of `{host.name}` has {disk.files_capacity_bytes:,} bytes for files, of "
            f"which {used:,} are used and {disk.free_bytes:,} free"
        )
        raise InvariantError(message)
    asked, answered = disk.reads + disk.writes, len(disk.responses_ns)
    if asked != answered + disk.under_way:
        message = (
            f"the disk of `{host.name}` was asked {asked:,} times and answered {answered:,}, "
            f"with {disk.under_way:,} under way"
        )
        raise InvariantError(message)


def _check_vm(vm: VmRecord) -> None:
    total = sum(vm.cycles.values())
    if total != vm.total_cycles:
        message = (
            f"the cycles of `{vm.name}` by cause add up to {total:,}, "
            f"and its pCPUs counted {vm.total_cycles:,}"
        )
        raise InvariantError(message)
    if vm.lateness_ns != 0:
        message = f"something arrived {vm.lateness_ns:,} ns in the past of `{vm.name}`"
        raise SeamError(message)
