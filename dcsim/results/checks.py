"""Invariants that every result must hold, whatever the scenario was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.errors import InvariantError, SeamError

if TYPE_CHECKING:
    from dcsim.results.records import RunResult, VmRecord

__all__ = ["check_result"]


def check_result(result: RunResult) -> None:
    """Hold a result to its invariants.

    Raises
    ------
    SeamError
        When something arrived in a vCPU's past.
    InvariantError
        When cycles by cause do not add up to a VM's total, or a migration changed a byte.
    """
    for vm in result.vms:
        _check_vm(vm)
    for move in result.migrations:
        if move.source_digest != move.destination_digest:
            message = f"the move of `{move.vm}` at {move.stopped_ns} ns changed its state"
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
