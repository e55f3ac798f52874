"""What fails at fixed times: the process of a VM, a driver domain, a host."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from dcsim.datacentre.cluster import Cluster
    from dcsim.hypervisor import VirtualMachine
    from dcsim.sim import Environment

__all__ = ["FaultKind", "FaultSpec", "schedule_fault"]

FaultKind = Literal["vmm-crash", "host-crash", "driver-domain-crash"]


class FaultSpec(NamedTuple):
    """Something that fails."""

    at_ns: int
    kind: FaultKind
    subject: str
    down_ns: int | None = None
    """After how long a host or a driver domain is started again; never when None."""


def schedule_fault(environment: Environment, cluster: Cluster, fault: FaultSpec) -> None:
    """Have something fail at a time."""
    if fault.kind == "vmm-crash":
        environment.at(fault.at_ns, partial(_crash_vmm, cluster, fault.subject))
    elif fault.kind == "driver-domain-crash":
        environment.at(fault.at_ns, partial(_crash_domain, environment, cluster, fault))
    else:
        cluster.hypervisors[fault.subject].expect_crash()
        environment.at(fault.at_ns, partial(cluster.crash_host, fault.subject, fault.down_ns))


def _crash_vmm(cluster: Cluster, name: str) -> None:
    _kill(cluster, cluster.vms[name], "vmm-crash", "the process of its hypervisor crashed")


def _crash_domain(environment: Environment, cluster: Cluster, fault: FaultSpec) -> None:
    domain = cluster.services[fault.subject]
    killed = _kill(cluster, domain, fault.kind, "the driver domain crashed")
    if killed and fault.down_ns is not None:
        again = partial(cluster.restart_service, domain)
        environment.after(max(1, fault.down_ns), again)


def _kill(cluster: Cluster, vm: VirtualMachine, kind: FaultKind, message: str) -> bool:
    """Have a VM fail; return False when it is on no host."""
    if vm.hypervisor is None:
        cluster.note("fault-skipped", vm.name, f"{kind}: the VM is {vm.state}")
        return False
    cluster.note(kind, vm.name, vm.hypervisor.host.name)
    vm.hypervisor.kill(vm, message)
    return True
