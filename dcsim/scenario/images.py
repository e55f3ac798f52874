"""Looks whether a guest image can be loaded, so that its place in the scenario can be told.

The machine world's own loader is asked: a VM is made of the image as a run makes it, and thrown
away. Nothing executes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dcsim.errors import GuestImageError
from dcsim.hardware import load_profile, profile_names
from dcsim.host.world import CoreWorld

if TYPE_CHECKING:
    from pathlib import Path

    from dcsim.scenario.vms import Vm

__all__ = ["image_problem"]

_ROOM_BYTES = 64 * 2**20
"""For what the host needs beside the guest's memory."""


def image_problem(path: Path, vm: Vm) -> str:
    """Return why an image cannot be loaded into a VM; empty when it can be."""
    memory_bytes = 2 * vm.memory_bytes + _ROOM_BYTES
    world = CoreWorld(memory_bytes)
    machine = world.machine(load_profile(profile_names()[0]), 1, memory_bytes)
    # The loader is the same under every technique, and not every processor takes every technique.
    technique = "trap-and-emulate"
    config = {"name": vm.name, "technique": technique, "memory_bytes": vm.memory_bytes}
    try:
        machine.create_vm(json.dumps(config), path.read_bytes(), None)
    except (GuestImageError, OSError) as error:
        return str(error)
    return ""
