"""``dcsim doctor``: tell what this installation is and whether its parts work together."""

from __future__ import annotations

import platform
import shutil
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

import click
from packaging.requirements import Requirement
from yaml import YAMLError

import dcsim
from dcsim.cli.options import format_option
from dcsim.cli.output import show_json
from dcsim.hardware import load_power_curve, load_profile, power_curve_names, profile_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["doctor"]

Check = tuple[str, bool, str]
"""What was looked at, whether it is right, and what was found or is to be done."""


@click.command()
@format_option
def doctor(output_format: str) -> int:
    """Check this installation; exits with 2 when something is wrong.

    \b
    Example:
      dcsim doctor --format json
    """
    checks = [check for look in _LOOKS for check in look()]
    if output_format == "json":
        show_json([{"name": name, "right": right, "found": found} for name, right, found in checks])
    else:
        for name, right, found in checks:
            click.echo(f"{'ok   ' if right else 'WRONG'} {name}: {found}")
    return 0 if all(right for _, right, _ in checks) else 2


def _look_at_python() -> Iterator[Check]:
    found = f"{platform.python_implementation()} {platform.python_version()}"
    yield "Python", sys.version_info >= (3, 11), found
    yield "dcsim", True, dcsim.__version__


def _look_at_libraries() -> Iterator[Check]:
    try:
        wanted = requires("dcsim") or []
    except PackageNotFoundError:
        yield "package", False, "dcsim is not installed: run `pip install .`"
        return
    for text in wanted:
        requirement = Requirement(text)
        if requirement.marker is None:
            yield _library(requirement)


def _library(requirement: Requirement) -> Check:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return requirement.name, False, f"is not installed; wanted {requirement.specifier}"
    right = requirement.specifier.contains(found, prereleases=True)
    return requirement.name, right, found if right else f"{found}; wanted {requirement.specifier}"


def _look_at_extension() -> Iterator[Check]:
    try:
        world = import_module("dcsim.host.world")
    except ImportError as error:
        yield "machine world", False, f"cannot be imported: {error}; build it with `make run`"
        return
    world.CoreWorld(2**22)
    yield "machine world", True, "is built and answers"


def _look_at_schema() -> Iterator[Check]:
    try:
        schema = import_module("dcsim.scenario.schema")
    except ImportError as error:
        yield "scenario schema", False, f"cannot be imported: {error}"
        return
    right = schema.committed_schema() == schema.schema_text()
    yield "scenario schema", right, "current" if right else "not of this version's models"


def _look_at_hardware() -> Iterator[Check]:
    profiles, curves = profile_names(), power_curve_names()
    try:
        for name in profiles:
            load_profile(name)
        for name in curves:
            load_power_curve(name)
    except (ValueError, YAMLError) as error:
        yield "hardware", False, f"`{name}` cannot be read: {error}"
        return
    found = f"{len(profiles)} profiles and {len(curves)} power curves, all valid"
    yield "hardware", True, found


def _look_at_qemu() -> Iterator[Check]:
    found = shutil.which("qemu-system-riscv64")
    yield "QEMU", True, "is there" if found else "is not there; tests that need it are skipped"


_LOOKS: tuple[Callable[[], Iterator[Check]], ...] = (
    _look_at_python,
    _look_at_libraries,
    _look_at_extension,
    _look_at_schema,
    _look_at_hardware,
    _look_at_qemu,
)
