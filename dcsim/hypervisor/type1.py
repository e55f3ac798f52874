"""A type-1 hypervisor: it owns the machine, schedules vCPUs itself and drives the devices."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dcsim.hypervisor.credit import CreditScheduler
from dcsim.hypervisor.hypervisor import Hypervisor, Slot, field
from dcsim.hypervisor.paths import TYPE1

if TYPE_CHECKING:
    from dcsim.host import Exit, Host
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["Type1"]


class Type1(Hypervisor):
    """Credit scheduler, own drivers.

    Parameters
    ----------
    host
        What it runs on.
    """

    kind = "type1"

    def __init__(self, host: Host) -> None:
        super().__init__(host, CreditScheduler(host.config.pcpus), TYPE1)

    def _on_io(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Translate the request and hand it to the device."""
        self._count_io(vm, exit_)
        size_bytes = field(exit_.bytes)
        steps = self._paths.disk_submit(size_bytes, 0)
        at_ns = self._conductor.charge(slot.processor, "disk_submit", steps)
        submit = partial(
            self.storage_of(vm).submit,
            size_bytes,
            write=bool(exit_.write),
            done=partial(self._complete, vm, field(exit_.tag)),
            reach=vm.scope,
        )
        self.environment.at(at_ns, submit, reach=vm.scope)
