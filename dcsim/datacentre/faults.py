"""What fails at fixed times: the process of a VM, a host."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from dcsim.datacentre.cluster import Cluster
    from dcsim.sim import Environment

__all__ = ["FaultKind", "FaultSpec", "schedule_fault"]

FaultKind = Literal["vmm-crash", "host-crash"]


class FaultSpec(NamedTuple):
    """Something that fails."""

    at_ns: int
    kind: FaultKind
    subject: str
    down_ns: int | None = None
    """After how long a host is switched on again; never when None."""


def schedule_fault(environment: Environment, cluster: Cluster, fault: FaultSpec) -> None:
    """Have something fail at a time."""
    if fault.kind == "vmm-crash":
        environment.at(fault.at_ns, partial(_crash_vmm, cluster, fault.subject))
    else:
        cluster.hypervisors[fault.subject].expect_crash()
        environment.at(fault.at_ns, partial(cluster.crash_host, fault.subject, fault.down_ns))


def _crash_vmm(cluster: Cluster, name: str) -> None:
    vm = cluster.vms[name]
    if vm.hypervisor is None:
        cluster.note("fault-skipped", name, f"vmm-crash: the VM is {vm.state}")
        return
    cluster.note("vmm-crash", name, vm.hypervisor.host.name)
    vm.hypervisor.kill(vm, "the process of its hypervisor crashed")
