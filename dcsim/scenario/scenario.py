"""The scenario: everything that a run depends on, but the version of dcsim."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import Field, PrivateAttr

from dcsim.scenario.expect import Expectation
from dcsim.scenario.faults import Fault
from dcsim.scenario.host_software import service_name
from dcsim.scenario.hosts import Fabric, Host, Storage
from dcsim.scenario.model import Items, Model, Name
from dcsim.scenario.policies import Consolidation, Migration, Placement
from dcsim.scenario.snapshots import Snapshot
from dcsim.scenario.vms import Vm
from dcsim.units import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Scenario"]

_Counted = TypeVar("_Counted", Host, Vm)


class Scenario(Model):
    """One simulated data centre, its load, and what is expected of it."""

    dcsim: Literal[1]
    """Version of this format."""
    name: Name
    """A name for reports and result directories."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Every random stream is derived from this number and the stream's name."""
    duration_ns: Duration = Field(alias="duration")
    """Simulated time from the start to the end of the run."""
    fabric: Fabric = Fabric()
    """The network between the hosts."""
    storage: Storage = Storage()
    """Storage outside the hosts."""
    hosts: Items[Host]
    """The physical machines; at least one."""
    vms: Items[Vm] = ()
    """The virtual machines."""
    placement: Placement = Placement()
    """On which host a VM without `host` starts."""
    consolidation: Consolidation | None = None
    """No consolidation when left out."""
    migrations: Items[Migration] = ()
    """Moves at fixed times."""
    faults: Items[Fault] = ()
    """What fails at fixed times."""
    snapshots: Items[Snapshot] = ()
    """What is done with snapshots of disks at fixed times."""
    expect: Items[Expectation] = ()
    """What the result must be."""

    _folder: Path = PrivateAttr(default_factory=Path)

    def each_host(self) -> Iterator[Host]:
        """Yield every host with its full name and no `count`, in the file's order."""
        for host in self.hosts:
            yield from _spread(host)

    def each_vm(self) -> Iterator[Vm]:
        """Yield every VM with its full name and no `count`, in the file's order."""
        for vm in self.vms:
            yield from _spread(vm)

    def services(self) -> Iterator[str]:
        """Yield the names of the VMs that belong to hosts: their driver domains."""
        for host in self.each_host():
            if host.io == "driver-domain":
                yield service_name(host.name)

    def resolve(self, path: str) -> Path:
        """Return where a file named in the scenario is: relative to the scenario's own folder."""
        return self._folder / path

    def with_folder(self, folder: Path) -> Scenario:
        """Return a copy whose file names are relative to a folder."""
        copy = self.model_copy()
        copy._folder = folder  # noqa: SLF001 - its own class
        return copy

    def canonical_json(self) -> str:
        """Return the one text that all spellings of this scenario share.

        Keys are in the models' order, defaults are written out, quantities are in shortest form.
        """
        return self.model_dump_json(by_alias=True)

    def digest(self) -> str:
        """Return the SHA-256 of the canonical text, in hexadecimal."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


def _spread(group: _Counted) -> Iterator[_Counted]:
    """Yield the members of a group, each under its full name."""
    if group.count is None:
        yield group
        return
    for index in range(group.count):
        yield group.model_copy(update={"name": f"{group.name}-{index}", "count": None})
