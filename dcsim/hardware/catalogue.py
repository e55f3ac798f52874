"""The profiles, power curves and disks that come with dcsim: one YAML file each, found by name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import TypeAdapter

from dcsim.errors import UnknownNameError
from dcsim.hardware.disk import DiskProfile, FlashDiskProfile, RotatingDiskProfile
from dcsim.hardware.power import PowerCurve
from dcsim.hardware.profile import HardwareProfile

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = [
    "disk_profile_names",
    "load_disk_profile",
    "load_power_curve",
    "load_profile",
    "power_curve_names",
    "profile_names",
]

_DISK: TypeAdapter[RotatingDiskProfile | FlashDiskProfile] = TypeAdapter(DiskProfile)


def _folder(name: str) -> Traversable:
    return files("dcsim.hardware") / name


@cache
def _names(folder: str) -> tuple[str, ...]:
    found = (entry.name for entry in _folder(folder).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


def _read(folder: str, kind: str, name: str) -> dict[str, Any]:
    """Return the content of a file of the catalogue, with its own name filled in."""
    if name not in _names(folder):
        raise UnknownNameError(kind, name, _names(folder))
    text = (_folder(folder) / f"{name}.yaml").read_text(encoding="utf-8")
    return {"name": name, **yaml.safe_load(text)}


def profile_names() -> tuple[str, ...]:
    """Return the names of all hardware profiles, in alphabetical order."""
    return _names("profiles")


def power_curve_names() -> tuple[str, ...]:
    """Return the names of all power curves, in alphabetical order."""
    return _names("power")


def disk_profile_names() -> tuple[str, ...]:
    """Return the names of all disk profiles, in alphabetical order."""
    return _names("disks")


@cache
def load_profile(name: str) -> HardwareProfile:
    """Return a hardware profile.

    Raises
    ------
    UnknownNameError
        When there is none of that name.
    """
    return HardwareProfile.model_validate(_read("profiles", "hardware profile", name))


@cache
def load_power_curve(name: str) -> PowerCurve:
    """Return a power curve.

    Raises
    ------
    UnknownNameError
        When there is none of that name.
    """
    return PowerCurve.model_validate(_read("power", "power curve", name))


@cache
def load_disk_profile(name: str) -> RotatingDiskProfile | FlashDiskProfile:
    """Return a disk profile.

    Raises
    ------
    UnknownNameError
        When there is none of that name.
    """
    return _DISK.validate_python(_read("disks", "disk profile", name))
