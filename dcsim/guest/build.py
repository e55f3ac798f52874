"""Build the guest kernel, its programs and the program list: ``python -m dcsim.guest.build``.

The compiler is the PyPI package ``ziglang``, so the same command gives the same bytes on every
machine: no system compiler, no absolute path and no time stamp reaches the image, and every list of
files is sorted. ``tests/guest/test_rebuild.py`` holds this.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPILER_VERSION = "0.17.1"
"""The release of ``ziglang`` that the committed image was built with; another gives other bytes."""

SOURCES = Path(__file__).parent
IMAGES = SOURCES / "images"

_TARGET = [
    *("-target", "riscv64-freestanding-none"),
    *("-mcpu=generic_rv64+m+a+f+d+c+zicsr+zifencei", "-mcmodel=medany"),
]
_LANGUAGE = [
    *("-std=c17", "-O2", "-ffreestanding", "-fno-builtin", "-fno-sanitize=all", "-g0"),
    *("-fno-stack-protector", "-fomit-frame-pointer", "-fno-unwind-tables", "-fno-pic"),
    *("-fno-asynchronous-unwind-tables", "-fno-ident", "-ffile-prefix-map=.=."),
    *("-ffunction-sections", "-fdata-sections"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"),
]
# The kernel must not touch floating-point registers: they belong to the processes.
_KERNEL = ["-mabi=lp64", "-Icommon", "-Ikernel"]
# Of the kernel's headers the monitor uses the one that names the machine's registers.
_MONITOR = ["-mabi=lp64", "-Icommon", "-Ikernel"]
_PROGRAM = ["-mabi=lp64d", "-ffp-contract=off", "-Icommon", "-Ilibrary"]
_LINUX = [
    *("-target", "riscv64-linux-musl", "-D_GNU_SOURCE", "-g0", "-fno-sanitize=all"),
    *("-fno-ident", "-ffile-prefix-map=.=.", "-ffunction-sections", "-fdata-sections"),
    *("-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Wno-unused-result"),
    *("-Wno-unused-parameter", "-Wno-format", "-Wno-nullability-completeness"),
]
_LINUX_LINK = [
    *("-static", "-s", "-Wl,--build-id=none", "-Wl,-z,max-page-size=4096", "-Wl,--gc-sections"),
]
_LINUX_FILES = {
    "programs": (".c", "cc", ["-std=gnu17", "-O2"]),
    # The library of C++ is large: size matters more than speed.
    "programs-of-c++": (".cpp", "c++", ["-std=c++20", "-Os"]),
}
"""The files that programs for Linux share, by the language that they are written in."""
_LINK = [
    *("-nostdlib", "-static", "-Wl,--build-id=none", "-Wl,--strip-all", "-Wl,--gc-sections"),
    *("-Wl,-z,max-page-size=4096", "-Wl,--no-dynamic-linker"),
]


def build(output: Path) -> None:
    """Build everything into a folder.

    Parameters
    ----------
    output
        Receives ``kernel.elf``, ``monitor.elf``, ``programs.json`` and the folder ``linux``.

    Raises
    ------
    subprocess.CalledProcessError
        When the compiler refuses a source; it has said why on stderr.
    """
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        library = _compile(_sources("library", "common"), work / "library", _PROGRAM)
        programs = [
            _build_program(source, library, work)
            for source in _sources("programs", suffixes=[".c"])
        ]
        _build_kernel(programs, work, work / "kernel.elf")
        _build_monitor(work, work / "monitor.elf")
        _build_linux_programs(work, output / "linux")
        for name in ("kernel.elf", "monitor.elf"):
            shutil.copyfile(work / name, output / name)
    (output / "programs.json").write_text(json.dumps(_program_list(), indent=2) + "\n")


def _sources(*folders: str, suffixes: Sequence[str] = (".c", ".S")) -> list[Path]:
    """Return the sources in the folders, relative to ``SOURCES`` and sorted."""
    return [
        path.relative_to(SOURCES)
        for folder in folders
        for path in sorted((SOURCES / folder).iterdir())
        if path.suffix in suffixes
    ]


def _compiler(*arguments: str | Path, language: str = "cc") -> None:
    """Run the compiler in the source folder, so that all source paths it sees are relative."""
    command = [sys.executable, "-m", "ziglang", language, *map(str, arguments)]
    subprocess.run(command, cwd=SOURCES, check=True)


def _compile(sources: Sequence[Path], folder: Path, flags: Sequence[str]) -> list[Path]:
    """Compile each source to an object file in `folder`; return those in the same order."""
    folder.mkdir()
    objects = [folder / f"{source.name}.o" for source in sources]
    for source, target in zip(sources, objects, strict=True):
        _compiler(*_TARGET, *_LANGUAGE, *flags, "-c", source, "-o", target)
    return objects


def _build_program(source: Path, library: Sequence[Path], work: Path) -> Path:
    """Compile and link one program; return its ELF file."""
    target = work / f"{source.stem}.elf"
    objects = _compile([source], work / source.stem, _PROGRAM)
    script = "-Wl,-T,library/program.ld,-e,start"
    _compiler(*_TARGET, "-mabi=lp64d", *_LINK, script, *objects, *library, "-o", target)
    return target


def _build_kernel(programs: Sequence[Path], work: Path, target: Path) -> None:
    """Compile and link the kernel around the programs' ELF files."""
    table = work / "program_table.S"
    table.write_text(_program_table(programs))
    objects = _compile(_sources("kernel", "common"), work / "kernel", _KERNEL)
    table_object = work / "program_table.o"
    _compiler(*_TARGET, "-mabi=lp64", f"-I{work}", "-c", table, "-o", table_object)
    script = "-Wl,-T,kernel/image.ld,-e,entry_physical"
    _compiler(*_TARGET, "-mabi=lp64", *_LINK, script, *objects, table_object, "-o", target)


def _build_monitor(work: Path, target: Path) -> None:
    """Compile and link the monitor around the kernel in the folder `work`.

    The compiler keeps what it made, and does not see that a file has changed which assembly
    includes as bytes: only a folder that is new each time makes it look again.
    """
    flags = [*_MONITOR, f"-I{work}"]
    objects = _compile(_sources("monitor", "common"), work / "monitor", flags)
    script = "-Wl,-T,monitor/image.ld,-e,boot"
    _compiler(*_TARGET, "-mabi=lp64", *_LINK, script, *objects, "-o", target)


def _build_linux_programs(work: Path, output: Path) -> None:
    """Compile and link the programs for Linux, which share few files: the first argument chooses.

    Each of them is a program of its own, but for the name of its ``main``.
    """
    output.mkdir(exist_ok=True)
    for name, (suffix, language, standard) in _LINUX_FILES.items():
        folder = work / name
        folder.mkdir()
        sources = _sources("linux", suffixes=[suffix])
        flags = [*_LINUX, *standard]
        objects = []
        for source in sources:
            objects.append(folder / f"{source.name}.o")
            renamed = f"-Dmain=main_of_{source.stem}"
            _compiler(*flags, renamed, "-c", source, "-o", objects[-1], language=language)
        chooser = folder / f"chooser{suffix}"
        chooser.write_text(_chooser([source.stem for source in sources]))
        program = folder / name
        _compiler(*flags, *_LINUX_LINK, chooser, *objects, "-lm", "-o", program, language=language)
        shutil.copy(program, output / name)


def _chooser(names: Sequence[str]) -> str:
    """Return C source, which is C++ too, for a ``main`` that calls the one of its argument."""
    declared = [f"int main_of_{name}(int, char **);" for name in names]
    called = [
        f'    if (argc > 1 && !strcmp(argv[1], "{name}")) '
        f"return main_of_{name}(argc - 1, argv + 1);"
        for name in names
    ]
    return "\n".join(
        [
            "#include <string.h>",
            *declared,
            "int main(int argc, char **argv) {",
            *called,
            "    return 127;",
            "}",
            "",
        ]
    )


def _program_table(programs: Sequence[Path]) -> str:
    """Return assembly source for the table that ``kernel/program.h`` describes."""
    lines = [".section .rodata", ".balign 8", ".globl program_table", "program_table:"]
    for program in programs:
        name = program.stem
        lines += [f'1: .ascii "{name}"', f"    .zero 16 - {len(name)}"]
        lines += [f"    .dword image_{name}, end_{name} - image_{name}"]
    lines += [".globl program_count", f"program_count: .dword {len(programs)}"]
    for program in programs:
        name = program.stem
        lines += [".balign 16", f'image_{name}: .incbin "{program.name}"', f"end_{name}:"]
    return "\n".join(lines) + "\n"


def _program_list() -> dict[str, str]:
    """Return every program with its help: the first comment line of its source."""
    return {
        source.stem: (SOURCES / source).read_text().splitlines()[0].removeprefix("// ")
        for source in _sources("programs", suffixes=[".c"])
    }


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
