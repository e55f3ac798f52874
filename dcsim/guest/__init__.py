"""The guest: a small RISC-V kernel, its programs and the image that holds them all.

The C sources are in ``kernel/``, ``programs/``, ``library/`` and ``common/``; ``images/kernel.elf``
is what :mod:`dcsim.guest.build` makes of them. The README beside this file tells how to add a
program.
"""

from dcsim.guest.images import Program, boot_arguments, kernel_image, programs

__all__ = ["Program", "boot_arguments", "kernel_image", "programs"]
