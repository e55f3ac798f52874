"""Which devices of a host its software can drive.

A type 2 hypervisor uses its host's drivers, and a host operating system has one for any device. A
type 1 hypervisor that drives devices itself needs a driver of its own for each, and has a few. A
guest that is given a device needs the driver instead, and the guest kernel that comes with dcsim
has those of standard virtual devices only. In every case but the last the guest sees the same
standard virtual device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dcsim.hypervisor.type1 import IoName

__all__ = ["GUEST_DRIVERS", "OWN_DRIVERS", "DeviceKind", "device_misfit"]

DeviceKind = Literal["disk", "nic"]

OWN_DRIVERS: dict[DeviceKind, tuple[str, ...]] = {
    "disk": ("ahci", "nvme", "virtio-blk"),
    "nic": ("e1000", "ixgbe", "virtio-net"),
}
"""The models that the type 1 hypervisor has drivers for."""

GUEST_DRIVERS: dict[DeviceKind, tuple[str, ...]] = {"disk": ("virtio-blk",), "nic": ("virtio-net",)}
"""The models that the guest kernel has drivers for."""


def device_misfit(kind: DeviceKind, model: str, io: IoName) -> tuple[str, str] | None:
    """Tell why a type 1 hypervisor cannot use a device, and the remedy; None when it can."""
    if io == "driver-domain":
        return None
    drivers = OWN_DRIVERS if io == "own-drivers" else GUEST_DRIVERS
    if model in drivers[kind]:
        return None
    who = "the type 1 hypervisor has" if io == "own-drivers" else "the guests have"
    known = ", ".join(f"`{name}`" for name in drivers[kind])
    message = f"{who} no driver for the {kind} model `{model}`, only for {known}"
    return message, "use `io: driver-domain` or `hypervisor: type2`"
