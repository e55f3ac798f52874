"""Speed of the core beside ``qemu-system-riscv64 -icount``: ``python -m tests.bench.compare``.

Both simulators run the same ELF files. Each kernel is built with a small and a large amount of work; the
difference of the two CPU times is the kernel's own, without start-up and firmware. The runs of the two
simulators alternate, and the ratio of a kernel is the median over the rounds, so that a machine whose
speed drifts does not favour either.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dcsim.hardware import load_profile
from tests.bench.build import build
from tests.bench.core_run import PROFILE

QEMU = "qemu-system-riscv64"


@dataclass(frozen=True)
class Kernel:
    """A benchmark kernel: its amounts of work and the least ratio that is asked of the core."""

    name: str
    small: int
    large: int
    least: float
    compute: bool = True
    calls: int = 0
    """Environment calls in one piece of work. They do not retire (unprivileged specification,
    "Environment Call and Breakpoints"), but QEMU counts them; one more ends the user program."""

    def uncounted(self, repeat: int) -> int:
        """Instructions that QEMU counts beyond those that retire."""
        return self.calls * repeat + 1 if self.calls else 0


KERNELS = (
    Kernel("mix", 300, 6000, 0.30),
    Kernel("sort", 1, 20, 0.25),
    Kernel("stream", 10, 250, 0.25),
    Kernel("chase", 1, 430, 0.25),
    Kernel("calls", 10, 260, 0.25),
    Kernel("nbody", 20, 360, 0.25),
    Kernel("alias", 1, 40, 1.0, compute=False),
    Kernel("syscall", 4, 64, 1.0, compute=False, calls=65536),
    Kernel("csr", 10, 130, 1.0, compute=False),
    Kernel("sfence", 1, 21, 1.0, compute=False),
)

LEAST_MEAN = 0.40
"""Least geometric mean over the compute kernels."""


@dataclass(frozen=True)
class Run:
    """One run of an ELF file: CPU seconds of the process and what the guest printed."""

    seconds: float
    instructions: int
    result: int


def core_command(elf: Path) -> list[str]:
    """The command that runs an ELF file on the core."""
    return [sys.executable, "-m", "tests.bench.core_run", str(elf)]


def qemu_command(elf: Path) -> list[str]:
    """The command that runs an ELF file on QEMU with exact instruction counting."""
    options = ["-M", "virt", "-m", "128M", "-nographic", "-icount", "shift=0,sleep=off"]
    return [QEMU, *options, "-kernel", str(elf)]


def measure(command: list[str]) -> Run:
    """Run a command and account its CPU time."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        output = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command} ended with {process.returncode}:\n{output}")
    lines = [line.split() for line in output.splitlines()]
    fields = {line[0]: int(line[1]) for line in lines if line[:1] in (["instructions"], ["result"])}
    return Run(usage.ru_utime + usage.ru_stime, fields["instructions"], fields["result"])


def rates(kernel: Kernel, elfs: tuple[Path, Path]) -> tuple[float, float]:
    """Million instructions per CPU second of the core and of QEMU, measured side by side."""
    rate = []
    runs = [[measure(command(elf)) for command in (core_command, qemu_command)] for elf in elfs]
    for repeat, (core, qemu) in zip((kernel.small, kernel.large), runs, strict=True):
        retired = qemu.instructions - kernel.uncounted(repeat)
        if (core.instructions, core.result) != (retired, qemu.result):
            raise SystemExit(f"{kernel.name}: the core and QEMU disagree: {core} {qemu}")
    work = runs[1][0].instructions - runs[0][0].instructions
    for small, large in zip(*runs, strict=True):
        rate.append(work / (large.seconds - small.seconds) / 1e6)
    return rate[0], rate[1]


def compare(kernel: Kernel, folder: Path, rounds: int) -> float:
    """Print one row and return the median ratio of the core's rate to QEMU's."""
    elfs = (build(kernel.name, kernel.small, folder), build(kernel.name, kernel.large, folder))
    pairs = [rates(kernel, elfs) for _ in range(rounds)]
    core, qemu = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    verdict = "ok" if ratio >= kernel.least else f"below {kernel.least}"
    print(f"{kernel.name:10} {core:9.0f} {qemu:9.0f} {ratio:8.2f}  {verdict}", flush=True)
    return ratio


def main() -> int:
    """Compare all kernels; 1 if one is slower than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kernel")
    parser.add_argument("--only", nargs="*", help="names of the kernels to run")
    arguments = parser.parse_args()
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True)
    print(version.stdout.splitlines()[0])
    tlb = load_profile(PROFILE).machine.dtlb.entries.value
    print(f"the core's hardware profile is {PROFILE}: a modelled data TLB of {tlb} entries")
    print(
        f"{'kernel':10} {'core':>9} {'qemu':>9} {'ratio':>8}  million instructions per CPU second"
    )
    chosen = [k for k in KERNELS if not arguments.only or k.name in arguments.only]
    with tempfile.TemporaryDirectory() as folder:
        ratios = [compare(kernel, Path(folder), arguments.rounds) for kernel in chosen]
    compute = [r for k, r in zip(chosen, ratios, strict=True) if k.compute]
    mean = statistics.geometric_mean(compute) if compute else float("inf")
    print(f"geometric mean of the compute kernels {mean:.2f}, at least {LEAST_MEAN}")
    low = [k.name for k, r in zip(chosen, ratios, strict=True) if r < k.least]
    return int(bool(low) or mean < LEAST_MEAN)


if __name__ == "__main__":
    sys.exit(main())
