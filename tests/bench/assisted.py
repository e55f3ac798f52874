"""What hardware assistance costs the simulator: ``python -m tests.bench.assisted``.

The compute kernels run on bare metal and as guests of the hypervisor extension with nested paging, side
by side on the same hardware profile. Their instructions are the same; what is compared is how many of
them the core executes in a CPU second.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench.build import build
from tests.bench.compare import KERNELS, Kernel, core_command, measure

LEAST = 0.9
"""Least ratio, geometric mean over the compute kernels."""


def ratio(kernel: Kernel, folder: Path) -> float:
    """Return the rate of one kernel under assistance in units of its rate on bare metal."""
    elfs = (build(kernel.name, kernel.small, folder), build(kernel.name, kernel.large, folder))
    runs = [
        [measure([*core_command(elf), technique]) for elf in elfs]
        for technique in ("bare-metal", "hardware-assisted")
    ]
    if [run.result for run in runs[0]] != [run.result for run in runs[1]]:
        raise SystemExit(f"{kernel.name}: the results differ: {runs}")
    bare, assisted = (
        (large.instructions - small.instructions) / (large.seconds - small.seconds)
        for small, large in runs
    )
    return assisted / bare


def main() -> int:
    """Print a row for each compute kernel; 1 if assistance costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kernel")
    rounds = parser.parse_args().rounds
    ratios = []
    print("instructions per CPU second as a guest with nested paging, bare metal = 1")
    with tempfile.TemporaryDirectory() as folder:
        for kernel in (kernel for kernel in KERNELS if kernel.compute):
            ratios.append(statistics.median(ratio(kernel, Path(folder)) for _ in range(rounds)))
            print(f"{kernel.name:10} {ratios[-1]:8.2f}", flush=True)
    mean = statistics.geometric_mean(ratios)
    print(f"geometric mean {mean:.2f}, at least {LEAST}")
    return int(mean < LEAST)


if __name__ == "__main__":
    sys.exit(main())
