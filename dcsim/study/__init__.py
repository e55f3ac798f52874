"""Studies: many runs of one scenario, side by side."""

from dcsim.study.grid import Axis, Point, grid, parse_axis, parse_seeds
from dcsim.study.sweep import PointOutcome, run_sweep

__all__ = [
    "Axis",
    "Point",
    "PointOutcome",
    "grid",
    "parse_axis",
    "parse_seeds",
    "run_sweep",
]
