"""What decides during the run: placement, consolidation, and moves at fixed times."""

from __future__ import annotations

from pydantic import Field

from dcsim.scenario.model import Fraction, Model, Name
from dcsim.units import Duration

__all__ = ["Consolidation", "Migration", "Placement"]


class Placement(Model):
    """On which host a VM without `host` starts."""

    policy: str = "first-fit"
    """A placement policy's name."""


class Consolidation(Model):
    """When hosts are emptied and powered off."""

    policy: str = "underload"
    """A consolidation policy's name."""
    threshold: Fraction = 0.3
    """A host whose CPU utilisation over the last interval is below this is a candidate."""
    ceiling: Fraction = 0.8
    """No host is made busier than this by a move."""
    interval_ns: Duration = Field(alias="interval")
    """Time between two looks at the hosts."""
    power_off: bool = True
    """Power off a host that was emptied."""


class Migration(Model):
    """A stop-and-copy move at a fixed time, for maintenance and for tests."""

    vm: Name
    """The VM's full name, such as `web-0`."""
    to: Name
    """The destination host's full name."""
    at_ns: Duration = Field(alias="at")
    """When the move starts."""
