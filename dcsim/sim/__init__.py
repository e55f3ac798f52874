"""The simulation kernel of the model world: SimPy with a clock of whole nanoseconds.

A thin layer in front of SimPy, which stays the vocabulary of processes and events:

- :class:`Environment`: the clock is an ``int`` of nanoseconds, floats are refused; it answers when
  the next event *that can reach a given part of the model* is due;
- :class:`Timer`: a callback at a time, which can be cancelled at no cost;
- :class:`Streams`: named random streams, each a function of the seed and its own name only;
- :class:`Probes`: named points of observation that cost nothing while nobody listens;
- :class:`Level`, :class:`Tally`, :class:`Counter`: exact statistics in integers.

Events are processed in the order (time, priority, serial number): nothing else decides.
"""

from dcsim.sim.environment import LAST, NORMAL, NOWHERE, URGENT, Environment, Scope
from dcsim.sim.probe import Probe, Probes
from dcsim.sim.statistics import Counter, Level, Tally
from dcsim.sim.streams import Stream, Streams
from dcsim.sim.timer import Timer

__all__ = [
    "LAST",
    "NORMAL",
    "NOWHERE",
    "URGENT",
    "Counter",
    "Environment",
    "Level",
    "Probe",
    "Probes",
    "Scope",
    "Stream",
    "Streams",
    "Tally",
    "Timer",
]
