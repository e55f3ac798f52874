"""Hosts whose VMs follow scripts, under any scheduler, and closed forms of what they should get."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from dcsim.hypervisor import Type1, make_scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dcsim.hypervisor import VirtualMachine

SECOND_NS = 10**9
COMPUTE: list[tuple[Any, ...]] = [("run", 10**12)]
ALL = ("credit", "fair", "eevdf", "round-robin", "real-time")
WEIGHTED = ("credit", "fair", "eevdf")


class Watched(Type1):
    """A hypervisor that looks, whenever all is decided, whether a processor idles beside work."""

    def dispatch(self) -> None:
        """Dispatch, and look."""
        super().dispatch()
        for slot in self._slots:
            if slot.vcpu is None and not slot.processor.exiting:
                here = slot.processor.index
                for vm in self.vms.values():
                    vcpu = vm.vcpus[0]
                    free = vcpu.affinity is None or here in vcpu.affinity
                    limited = vcpu.cap_percent or vcpu.reservation
                    assert limited or not free or vcpu.state != "runnable", (
                        f"processor {here} idles while {vm.name} waits at {self.environment.now} ns"
                    )


class SchedulerRun:
    """Runs VMs under a scheduler.

    Attributes
    ----------
    scheduler
        Of the last run.
    """

    def __init__(self, make_rig: Callable[..., Any], make_vm: Callable[..., Any]) -> None:
        self._make_rig = make_rig
        self._make_vm = make_vm
        self.scheduler: Any = None

    def __call__(
        self,
        policy: str,
        settings: Sequence[dict[str, Any]],
        *,
        scripts: Sequence[list[tuple[Any, ...]]] | None = None,
        pcpus: int = 1,
        duration_ns: int = 3 * SECOND_NS,
        **given: object,
    ) -> list[VirtualMachine]:
        """Return the VMs after a run; by default they compute without end."""
        scripts = scripts or [COMPUTE for _ in settings]
        rig = self._make_rig([list(script) for script in scripts], pcpus=pcpus)
        self.scheduler = make_scheduler(policy, pcpus, given)
        hypervisor = Watched(rig.host, self.scheduler)
        vms = [self._make_vm(rig, index, **each) for index, each in enumerate(settings)]
        for vm in vms:
            hypervisor.expect(vm)
            hypervisor.create(vm)
        rig.environment.run(until=duration_ns)
        return vms


def shares(vms: Sequence[VirtualMachine], duration_ns: int = 3 * SECOND_NS) -> list[float]:
    """Return what part of one processor each VM had."""
    return [vm.vcpus[0].time_ns("running", duration_ns) / duration_ns for vm in vms]


def entitled(settings: Sequence[dict[str, int]], processors: int) -> list[float]:
    """Return the shares that weights and caps entitle computing VMs to.

    Whoever would have more than its cap, or than one processor, has exactly that; the others share
    the rest by their weights, again and again until nobody has more than it can use.
    """
    limits = [Fraction(each.get("cap_percent", 0) or 100, 100) for each in settings]
    weights = [Fraction(each.get("weight", 256)) for each in settings]
    shares = [Fraction(0)] * len(settings)
    open_, left = set(range(len(settings))), Fraction(processors)
    while open_:
        total = sum(weights[each] for each in open_)
        full = {each for each in open_ if left * weights[each] / total >= limits[each]}
        for each in full or open_:
            shares[each] = limits[each] if full else left * weights[each] / total
        left -= sum(shares[each] for each in full)
        open_ -= full or open_
    return [float(share) for share in shares]
