"""What the machine world counted for a VM, added over the machines that it was on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Totals"]


_PEAKS = frozenset({"lateness_ns", "monitor_frames", "pages_touched", "shadow_frames"})
"""Counters of which the largest counts: the same page is touched again on the next machine."""


class Totals:
    """Sums of counters: numbers, and maps from names to numbers; of some, the largest.

    A machine's counters are cumulative while a VM is on it. :meth:`absorb` takes them over when the
    VM leaves; :meth:`with_current` adds those of the machine it is on now.
    """

    def __init__(self) -> None:
        self._past: dict[str, Any] = {}

    def absorb(self, counters: Mapping[str, Any]) -> None:
        """Add a machine's last counters."""
        self._past = self.with_current(counters)

    def with_current(self, counters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the sums with a machine's present counters."""
        return {
            name: _combine(name, self._past.get(name), counters.get(name))
            for name in sorted({*self._past, *counters})
        }


def _combine(name: str, one: Any, other: Any) -> Any:  # noqa: ANN401 - number or map of numbers
    """Combine two numbers, or two maps name by name; nothing counts as nothing."""
    if one is None or other is None:
        return one if other is None else other
    if isinstance(one, int):
        return max(one, other) if name in _PEAKS else one + other
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
