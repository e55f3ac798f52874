"""Build the benchmark kernels with the guest compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

KERNELS = Path(__file__).parent / "kernels"

FLAGS = (
    "-target",
    "riscv64-freestanding-none",
    "-mcpu=baseline_rv64",
    "-mcmodel=medany",
    "-O2",
    "-ffreestanding",
    "-nostdlib",
    "-fno-sanitize=all",
    "-Wl,--build-id=none",
)


def build(kernel: str, repeat: int, folder: Path) -> Path:
    """Compile one kernel.

    Parameters
    ----------
    kernel : str
        The name of a C file in ``kernels/``, without its ending.
    repeat : int
        How often the kernel does its work.
    folder : Path
        Where the ELF file goes.

    Returns
    -------
    Path
        The ELF file.

    Raises
    ------
    subprocess.CalledProcessError
        If the compiler refuses the source.
    """
    output = folder / f"{kernel}-{repeat}.elf"
    sources = ["start.S", "harness.c", f"{kernel}.c"]
    compiler = [sys.executable, "-m", "ziglang", "cc", *FLAGS, f"-DREPEAT={repeat}"]
    subprocess.run(
        [*compiler, "-T", "link.ld", *sources, "-o", str(output)], cwd=KERNELS, check=True
    )
    return output
