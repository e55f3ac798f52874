"""Hardware profiles, power curves and disks, every figure with its source.

A *profile* says how long things take on a processor; the machine world reads nothing else. A
*power curve* says how many watts a server draws at each utilisation, a *disk profile* how long a
disk takes. All are YAML files in this package, in which each figure stands beside where it comes
from; what nobody has published is labelled an assumption and is listed in every result that rests
on it.
"""

from dcsim.hardware.catalogue import (
    disk_profile_names,
    load_disk_profile,
    load_power_curve,
    load_profile,
    power_curve_names,
    profile_names,
)
from dcsim.hardware.disk import FlashDiskProfile, Latency, RotatingDiskProfile
from dcsim.hardware.figure import Figure, LedgerEntry
from dcsim.hardware.power import PowerCurve
from dcsim.hardware.profile import HardwareProfile, IsaName, MissingName

__all__ = [
    "Figure",
    "FlashDiskProfile",
    "HardwareProfile",
    "IsaName",
    "Latency",
    "LedgerEntry",
    "MissingName",
    "PowerCurve",
    "RotatingDiskProfile",
    "disk_profile_names",
    "load_disk_profile",
    "load_power_curve",
    "load_profile",
    "power_curve_names",
    "profile_names",
]
