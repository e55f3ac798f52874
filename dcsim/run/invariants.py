"""What must hold in a model at its end, whatever the scenario: nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcsim.run.build import Model

__all__ = ["check_model"]


def check_model(model: Model) -> None:
    """Count blocks and requests of every host again.

    Raises
    ------
    InvariantError
        When a block or a request is lost, or counts twice.
    """
    for name, hypervisor in model.cluster.hypervisors.items():
        hypervisor.host.disk.check(name)
        if hypervisor.host.store is not None:
            hypervisor.host.store.check(name)
