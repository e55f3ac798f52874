"""Run one bare-metal ELF on the core and print its console: ``python -m tests.bench.core_run FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

from dcsim._core import Machine, PageStore
from dcsim.hardware import load_profile

PROFILE = "vt-2017-skylake"
"""A part whose modelled TLB has a second level, as machines have on which such loads run. QEMU models
no TLB: on a part with 32 entries the chase over 256 pages would measure walks, which QEMU never does."""

MEMORY_BYTES = 128 << 20
STEP_NS = 10**9


def main() -> None:
    """Boot the ELF file named on the command line and run it to its power-off."""
    kernel = Path(sys.argv[1]).read_bytes()
    store = PageStore(limit_bytes=4 * MEMORY_BYTES)
    hardware = load_profile(PROFILE).machine_json()
    machine = Machine(store, hardware=hardware, pcpus=1, memory_bytes=MEMORY_BYTES)
    config = f'{{"name": "bench", "technique": "bare-metal", "memory_bytes": {MEMORY_BYTES}}}'
    vm = machine.create_vm(config, kernel, None)
    machine.load(0, vm, 0)
    exit_ = machine.run(STEP_NS)
    while exit_.kind == "until":
        exit_ = machine.run(exit_.time_ns + STEP_NS)
    sys.stdout.write(machine.console_output(vm).decode())
    sys.exit(0 if exit_.kind == "shutdown" else f"ended with {exit_.kind} at {exit_.time_ns} ns")


if __name__ == "__main__":
    main()
