"""Named points of observation.

A component asks for its probe once, when it is built, and holds None when nobody listens: an
unobserved run pays one comparison with None at each point and builds no record.

::

    self._on_exit = environment_probes.bind("host.exit")
    ...
    if self._on_exit is not None:
        self._on_exit(now_ns, host.name, exit.kind)

Listeners are therefore attached before the model is built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Probe", "Probes"]

Probe = Callable[..., Any]
"""What a component calls at its point of observation."""


class Probes:
    """Who listens to what."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Probe]] = {}

    def listen(self, name: str, listener: Probe) -> None:
        """Call ``listener`` with the record of each event of the probe ``name``."""
        self._listeners.setdefault(name, []).append(listener)

    def bind(self, name: str) -> Probe | None:
        """Return what to call at the probe ``name``; None while nobody listens."""
        listeners = tuple(self._listeners.get(name, ()))
        if not listeners:
            return None
        if len(listeners) == 1:
            return listeners[0]

        def tell_all(*record: object) -> None:
            for listener in listeners:
                listener(*record)

        return tell_all
