"""The command line: one file per command, each a few lines of the public Python API.

Data goes to stdout, everything else to stderr. Exit codes: 0 all is well, 1 an expectation
failed, 2 usage or an invalid scenario, 3 the simulation failed, 130 interrupted.
"""

from dcsim.cli.main import main

__all__ = ["main"]
