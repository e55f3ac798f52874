"""How a host overcommits its memory."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.hypervisor.memory.settings import MemorySettings, SharingSettings
from dcsim.scenario.model import Model
from dcsim.units import Bytes, Duration

__all__ = ["Overcommit", "Sharing"]

_SETTINGS = MemorySettings()
_SHARING = SharingSettings()


class Sharing(Model):
    """How a host looks for pages with the same content, which then share a frame."""

    scanner: Literal["random", "ksm"] = "random"
    """`random`: so many pages a second, in random order; `ksm`: batches of pages in order, with a
    sleep between them, as Linux does."""
    pages_per_vm: Annotated[int, Field(ge=1, le=10_000_000)] = _SHARING.pages_per_vm
    """With `random`: pages of each VM a second, at most."""
    pages_per_host: Annotated[int, Field(ge=1, le=10_000_000)] = _SHARING.pages_per_host
    """With `random`: pages of all VMs a second, at most."""
    pages: Annotated[int, Field(ge=1, le=1_000_000)] = _SHARING.pages
    """With `ksm`: pages of a batch."""
    sleep_ns: Duration = Field(default=_SHARING.sleep_ns, alias="sleep")
    """With `ksm`: time from one batch to the next."""


class Overcommit(Model):
    """How a host promises its VMs more memory than it has, and what it does when that runs short.

    With it a VM is promised its reservation, not its size.
    """

    states: Literal["classic", "sliding", "bsd"] = _SETTINGS.states
    """When memory counts as scarce: `classic`, at 6, 4, 2 and 1 % free; `sliding`, the same of a
    part that shrinks as memory grows; `bsd`, paging from 5 % until 7 %."""
    tax: Annotated[float, Field(ge=0.0, le=0.99, allow_inf_nan=False)] = float(_SETTINGS.tax)
    """Tax rate on idle memory: 0 lets shares alone decide."""
    interval_ns: Duration = Field(default=_SETTINGS.interval_ns, alias="interval")
    """How often the host looks at its memory and decides."""
    sample_pages: Annotated[int, Field(ge=1, le=100_000)] = _SETTINGS.sample_pages
    """Random pages of each VM whose use is watched, to estimate how much it uses."""
    sample_period_ns: Duration = Field(default=_SETTINGS.sample_period_ns, alias="sample_period")
    """For how long, in the VM's own time."""
    swap_bytes: Bytes = Field(default=_SETTINGS.swap_bytes, alias="swap")
    """Space for pages of VMs on the host's disk; without it the host does not swap."""
    compressed_bytes: Bytes = Field(default=_SETTINGS.compressed_bytes, alias="compressed")
    """Memory that may hold compressed pages of VMs, before any goes to the disk."""
    sharing: Sharing | None = None
    """How pages with the same content are found; none are shared when left out."""
