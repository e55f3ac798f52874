"""Snapshots of virtual disks at fixed times."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dcsim.scenario.model import Model, Name
from dcsim.units import Duration

__all__ = ["Snapshot"]


class Snapshot(Model):
    """Something that is done with a snapshot of a VM's disk, which is a file."""

    vm: Name
    """Whose disk."""
    name: Name
    """What the snapshot is called."""
    at_ns: Duration = Field(alias="at")
    """When."""
    action: Literal["take", "revert", "merge"] = "take"
    """`take`: keep the disk as it is; `revert`: go back to that, once the VM is over; `merge`: give
    the snapshot up, for which what was written since is copied."""
