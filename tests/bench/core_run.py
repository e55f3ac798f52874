"""Run one bare-metal ELF on the core and print its console.

``python -m tests.bench.core_run FILE [TECHNIQUE]``; on bare metal when no technique is named.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dcsim._core import Machine, PageStore
from dcsim.hardware import load_profile

PROFILE = "vt-2017-skylake"
"""A part whose modelled TLB has a second level, as machines have on which such loads run. QEMU models
no TLB: on a part with 32 entries the chase over 256 pages would measure walks, which QEMU never does."""

MEMORY_BYTES = 128 << 20
HOST_BYTES = 8 << 20
"""Memory of the host beyond the guest's, for a monitor's tables."""
STEP_NS = 10**9


def main() -> None:
    """Boot the ELF file named on the command line and run it to its power-off."""
    file, technique = [*sys.argv[1:], "bare-metal"][:2]
    kernel = Path(file).read_bytes()
    store = PageStore(limit_bytes=4 * MEMORY_BYTES)
    hardware = load_profile(PROFILE).machine_json()
    memory_bytes = MEMORY_BYTES + HOST_BYTES
    machine = Machine(store, hardware=hardware, pcpus=1, memory_bytes=memory_bytes)
    config = {"name": "bench", "technique": technique, "memory_bytes": MEMORY_BYTES}
    vm = machine.create_vm(json.dumps(config), kernel, None)
    machine.load(0, vm, 0, 0)
    exit_ = machine.run(STEP_NS)
    while exit_.kind == "until":
        exit_ = machine.run(exit_.time_ns + STEP_NS)
    sys.stdout.write(machine.console_output(vm).decode())
    sys.exit(0 if exit_.kind == "shutdown" else f"ended with {exit_.kind} at {exit_.time_ns} ns")


if __name__ == "__main__":
    main()
