"""What fails at fixed times, and what is done about VMs that failed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.model import Model, Name
from dcsim.units import Duration

__all__ = ["Fault", "Restart", "Watchdog"]


class Fault(Model):
    """Something that fails. A guest that misbehaves is a VM with such a program: `misbehave`."""

    at_ns: Duration = Field(alias="at")
    """When."""
    kind: Literal["vmm-crash", "host-crash", "driver-domain-crash"]
    """`vmm-crash`: the process of a VM on a type 2 hypervisor dies, and its VM with it;
    `host-crash`: a host loses power, and all VMs on it; `driver-domain-crash`: the VM that drives a
    host's devices fails, and those that it serves wait for it."""
    subject: Name
    """The full name of the VM, of the host, or of the driver domain: `<host>-driver`."""
    down_ns: Duration | None = Field(default=None, alias="down")
    """Of a host or a driver domain: after how long it is started again; never when left out."""


class Restart(Model):
    """Whether a VM that is over is powered on again."""

    policy: Literal["never", "on-failure", "always"] = "on-failure"
    """`on-failure`: when it failed, or powered off with a status other than 0."""
    delay_ns: Duration = Field(default=10_000_000, alias="delay")
    """How long after its end."""
    limit: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """How often at most."""


class Watchdog(Model):
    """Gives a VM up whose guest no longer takes its timer."""

    timeout_ns: Duration = Field(alias="timeout")
    """For how long a timer that is due may wait while the VM has a processor."""
