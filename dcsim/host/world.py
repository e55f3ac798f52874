"""The machine world's objects that a run is built from: a page store, machines, disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dcsim import _core

if TYPE_CHECKING:
    from dcsim.hardware import HardwareProfile
    from dcsim.host.machine import Machine

__all__ = ["CoreWorld", "World"]


class World(Protocol):
    """What makes machines and disks."""

    def machine(self, profile: HardwareProfile, pcpus: int, memory_bytes: int) -> Machine:
        """Return a host's machine."""

    def disk(self, size_bytes: int) -> Any:  # noqa: ANN401 - the machine world's own
        """Return an empty disk."""


class CoreWorld:
    """The machine world that executes: :mod:`dcsim._core`.

    All machines share one page store, between which VMs move.

    Parameters
    ----------
    limit_bytes
        The most memory of the simulating machine that all pages together may take.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._store = _core.PageStore(limit_bytes)

    @property
    def used_bytes(self) -> int:
        """What all pages together take of the simulating machine's memory."""
        return self._store.used_bytes

    def machine(self, profile: HardwareProfile, pcpus: int, memory_bytes: int) -> Machine:
        """Return a host's machine."""
        return _core.Machine(
            self._store,
            hardware=profile.machine_json(),
            pcpus=pcpus,
            memory_bytes=memory_bytes,
        )

    def disk(self, size_bytes: int) -> Any:  # noqa: ANN401
        """Return an empty disk."""
        return _core.DiskImage(size_bytes)
