"""What must hold in a model at any time, whatever the scenario: nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.errors import InvariantError
from dcsim.hypervisor import ServiceThread, Type1

if TYPE_CHECKING:
    from dcsim.hypervisor import Hypervisor
    from dcsim.run.build import Model

__all__ = ["check_model"]


def check_model(model: Model, *, recount: bool = True) -> None:
    """Count frames, blocks, requests and jobs of every host and VM again.

    Parameters
    ----------
    model
        The model.
    recount
        Look at every single block of the hosts' disks, too, and not only at sums.

    Raises
    ------
    InvariantError
        When one is lost, or counts twice.
    """
    for name, hypervisor in model.cluster.hypervisors.items():
        _check_memory(model, hypervisor)
        hypervisor.host.disk.check(name)
        if hypervisor.host.store is not None:
            hypervisor.host.store.check_sums(name)
            if recount:
                hypervisor.host.store.check(name)
        for thread in hypervisor.threads:
            if isinstance(thread, ServiceThread):
                thread.check()
        if isinstance(hypervisor, Type1) and hypervisor.driver_domain is not None:
            hypervisor.driver_domain.check()
    for vm in (*model.cluster.vms.values(), *model.cluster.services.values()):
        vm.check()
        vm.nic.check()


def _check_memory(model: Model, hypervisor: Hypervisor) -> None:
    """Hold a host to promising memory to no VM that is elsewhere, and frames to being free."""
    host = hypervisor.host
    host.check_frames()
    here = {*hypervisor.expected, *(vm.name for vm in hypervisor.vms.values())}
    leaked = [name for name in host.holders if name in model.cluster.vms and name not in here]
    if leaked:
        raise InvariantError(f"`{host.name}` promises memory to `{leaked[0]}`, which is not on it")
    used = host.machine.frames - host.machine.free_frames
    if used and not hypervisor.vms:
        raise InvariantError(f"`{host.name}` has no VM, and {used} of its frames are not free")
