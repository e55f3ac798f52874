"""What a policy sees: a picture of the cluster at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["ClusterView", "HostView", "VmView"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VmView:
    """A VM."""

    name: str
    memory_bytes: int
    """What a host has to promise it, the monitor's part included."""
    cpu: Fraction = Fraction(0)
    """Processors that it kept busy over the last interval."""
    movable: bool = True
    """Whether it can leave its host: nothing ties it to the host's own disk, and it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """A host."""

    name: str
    on: bool
    """Whether it can run VMs now."""
    pcpus: int
    free_bytes: int
    """Memory that is promised to nobody."""
    utilisation: Fraction = Fraction(0)
    """Share of its processors' time that was busy over the last interval."""
    vms: tuple[VmView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """All hosts, in the scenario's order."""

    hosts: tuple[HostView, ...]
