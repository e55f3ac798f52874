"""Short forms of figures for tables; files keep the exact ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantiphy import Quantity

from dcsim.units import BYTES

if TYPE_CHECKING:
    from dcsim.results.metrics import Value

__all__ = ["count", "duration", "energy", "figure", "share", "size"]

NOTHING = "-"


def count(value: Value) -> str:
    """Return a number with three digits and an SI prefix from 10,000 on: ``12.3 M``."""
    if value is None or isinstance(value, str):
        return value or NOTHING
    if abs(value) < 10_000:
        return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
    return str(Quantity(value).render(prec=2))


def duration(value: Value) -> str:
    """Return nanoseconds in a unit that fits: ``1.25 ms``."""
    if not isinstance(value, int):
        return NOTHING
    return str(Quantity(value / 10**9, "s").render(prec=2)) if value else "0"


def size(value: Value) -> str:
    """Return bytes in a binary unit with one decimal: ``12.5 MiB``."""
    if not isinstance(value, int):
        return NOTHING
    unit, worth = next(
        ((unit, worth) for unit, worth in BYTES.forms if value >= worth), BYTES.forms[-1]
    )
    return f"{value / worth:.1f} {unit}" if worth > 1 else f"{value} {unit}"


def share(value: Value) -> str:
    """Return a share in percent with one decimal."""
    return f"{value:.1%}" if isinstance(value, int | float) else NOTHING


def energy(value: Value) -> str:
    """Return millijoules in a unit that fits: ``1.25 kJ``."""
    return str(Quantity(value / 1000, "J").render(prec=2)) if isinstance(value, int) else NOTHING


def figure(value: Value, unit: str) -> str:
    """Return a metric's value by its unit."""
    shown = _BY_UNIT.get(unit)
    return shown(value) if shown is not None else count(value)


_BY_UNIT = {"ns": duration, "bytes": size, "share": share, "mJ": energy}
