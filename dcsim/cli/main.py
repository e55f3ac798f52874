"""The group of commands, and the one place where an exception becomes an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING

import click

import dcsim
from dcsim.cli.output import show_error
from dcsim.errors import DcsimError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["commands", "main", "run_command"]

FAILED = 3
INTERRUPTED = 130
_COMMANDS = ("run", "sweep", "boot", "exec", "classify", "validate", "schema", "doctor")
_MODULES = {"exec": "execute"}
"""The modules of commands whose name means something else in Python."""


class _Commands(click.Group):
    """The commands, each imported when it is used: ``dcsim doctor`` works where others cannot."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's protocol
        """Return the names of all commands, the most used first."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by its name."""
        if cmd_name not in _COMMANDS:
            return None
        name = _MODULES.get(cmd_name, cmd_name)
        command = getattr(import_module(f"dcsim.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(dcsim.__version__, message="%(prog)s %(version)s")
def commands() -> None:
    """Simulate a virtualised data centre whose VMs execute real RISC-V instructions.

    \b
    Exit codes: 0 all is well, 1 an expectation failed, 2 usage or an invalid
    scenario, 3 the simulation failed, 130 interrupted.

    \b
    Examples:
      dcsim run scenarios/quickstart.yaml
      dcsim boot "integer rounds=10"
      dcsim exec --sample primes 1000
      dcsim validate my.yaml
    """


def main() -> None:
    """Run the command line and end the process."""
    try:
        status = run_command(sys.argv[1:])
    except Exception:
        # Python's own exit code would be that of a failed expectation.
        traceback.print_exc()
        click.echo("error: this is a bug in dcsim", err=True)
        status = FAILED
    sys.exit(status)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments
        What stands after ``dcsim``.
    """
    try:
        status = commands.main(list(arguments), prog_name="dcsim", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain again as it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except DcsimError as error:
        show_error(error)
        return error.exit_code
    return status if isinstance(status, int) else 0
