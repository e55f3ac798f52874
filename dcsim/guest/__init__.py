"""The guest: a small RISC-V kernel, its programs and the image that holds them all; and a monitor.

The C sources are in ``kernel/``, ``programs/``, ``library/`` and ``common/``; ``images/kernel.elf``
is what :mod:`dcsim.guest.build` makes of them. ``monitor/`` is a hypervisor that runs that kernel:
``images/monitor.elf``. ``linux/`` has programs for Linux, which need no kernel of dcsim's:
``images/linux/programs``. The README beside this file tells how to add a program.
"""

from dcsim.guest.images import (
    Program,
    boot_arguments,
    kernel_image,
    linux_folder,
    monitor_image,
    programs,
)

__all__ = [
    "Program",
    "boot_arguments",
    "kernel_image",
    "linux_folder",
    "monitor_image",
    "programs",
]
