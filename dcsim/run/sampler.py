"""Samples what a running model writes to memory, and holds it to its invariants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.results import DirtySample
from dcsim.run.invariants import check_model

if TYPE_CHECKING:
    from dcsim.run.build import Model

__all__ = ["DIRTY_INTERVAL_NS", "Sampler"]

DIRTY_INTERVAL_NS = 100_000_000
"""How often the pages that each VM wrote are counted."""


class Sampler:
    """Counts, at regular times, the pages that each VM wrote, and checks that nothing is lost.

    Parameters
    ----------
    model
        What to watch; from its start.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.dirty: dict[str, list[DirtySample]] = {name: [] for name in model.cluster.vms}
        self._again()

    def _again(self) -> None:
        self._model.environment.after(DIRTY_INTERVAL_NS, self._tick)

    def _tick(self) -> None:
        self.sample()
        check_model(self._model, recount=False)
        self._again()

    def sample(self) -> None:
        """Count now."""
        now_ns = self._model.environment.now
        for name, vm in self._model.cluster.vms.items():
            if vm.hypervisor is not None:
                self._add(
                    name, DirtySample(time_ns=now_ns, pages=vm.hypervisor.take_dirty_pages(vm))
                )
            elif vm.dirty_carried:
                self._add(name, DirtySample(time_ns=now_ns, pages=vm.dirty_carried))
                vm.dirty_carried = 0

    def _add(self, name: str, sample: DirtySample) -> None:
        samples = self.dirty[name]
        if samples and samples[-1].time_ns == sample.time_ns:
            pages = samples.pop().pages + sample.pages
            sample = DirtySample(time_ns=sample.time_ns, pages=pages)
        samples.append(sample)
