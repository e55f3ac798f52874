"""dcsim: a virtualised data centre in which every VM executes real RISC-V instructions.

The public names are those of the subpackages: :mod:`dcsim.scenario` reads a scenario,
:mod:`dcsim.run` runs it, :mod:`dcsim.results` keeps and reads what came out.

::

    from dcsim.run import run_scenario
    from dcsim.scenario import load_scenario

    result = run_scenario(load_scenario("scenarios/quickstart.yaml").scenario)
"""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("dcsim")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"
