"""The model of a hardware profile, and the text in which the machine world reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from dcsim.hardware.figure import Closed, Cycles, Figure, LedgerEntry, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ClassCycles", "DataCacheShape", "HardwareProfile", "MachineTiming", "TlbShape"]

Count = Annotated[int, Field(ge=1, le=1 << 40)]


class ClassCycles(Closed):
    """What one instruction of each class costs, apart from what it waits for in the MMU."""

    alu: Cycles
    multiply: Cycles
    divide: Cycles
    load: Cycles
    store: Cycles
    branch: Cycles
    jump: Cycles
    atomic: Cycles
    csr: Cycles
    fence: Cycles
    system: Cycles
    float_add: Cycles
    float_multiply: Cycles
    float_divide: Cycles
    float_sqrt: Cycles
    float_fma: Cycles
    float_move: Cycles
    float_convert: Cycles


class TlbShape(Closed):
    """A set-associative translation look-aside buffer."""

    entries: Figure[Count]
    ways: Figure[Count]

    @model_validator(mode="after")
    def _whole_sets(self) -> TlbShape:
        entries, ways = self.entries.value, self.ways.value
        sets, rest = divmod(entries, ways)
        if rest or sets & (sets - 1):
            raise ValueError(f"{entries} entries in {ways} ways are not a power of two of sets")
        return self


class DataCacheShape(Closed):
    """A data cache whose misses cost extra cycles."""

    bytes: Figure[Count]
    line_bytes: Figure[Count]
    ways: Figure[Count]
    miss_cycles: Cycles


class MachineTiming(Closed):
    """Everything that the machine world knows about time."""

    hz: Figure[Annotated[int, Field(ge=1_000_000, le=100_000_000_000)]]
    timebase_hz: Figure[Annotated[int, Field(ge=1_000, le=1_000_000_000)]]
    class_cycles: ClassCycles
    trap_cycles: Cycles
    return_cycles: Cycles
    world_switch_cycles: Cycles
    world_return_cycles: Cycles
    walk_reference_cycles: Cycles
    itlb: TlbShape
    dtlb: TlbShape
    device_access_cycles: Cycles
    misaligned_cycles: Cycles
    ipi_cycles: Cycles
    data_cache: DataCacheShape | None
    isa: Figure[Literal["rv64gc", "rv64gch", "rv64gc-legacy-silent", "rv64gc-legacy"]]
    second_stage: Figure[bool]
    """Whether the second stage of translation is there, where the instruction set has one."""


class HardwareProfile(Closed):
    """A processor: its name, what it stands for, and its timing."""

    name: Text
    title: Text
    description: Text
    machine: MachineTiming

    def machine_json(self) -> str:
        """Return the timing as the machine world reads it: the values, without their sources."""
        return json.dumps(_values(self.machine), separators=(",", ":"))

    def ipi_ns(self) -> int:
        """Return how long an inter-processor interrupt takes, in nanoseconds, rounded up."""
        machine = self.machine
        return -(-machine.ipi_cycles.value * 10**9 // machine.hz.value)

    def ledger(self) -> Iterator[LedgerEntry]:
        """Yield every numeric figure with its source."""
        yield from _entries(f"hardware.{self.name}", self.machine)


def _values(part: object) -> object:
    """Return a model with each figure replaced by its value."""
    if isinstance(part, Figure):
        return part.value
    if isinstance(part, Closed):
        return {key: _values(getattr(part, key)) for key in type(part).model_fields}
    return part


def _entries(name: str, part: object) -> Iterator[LedgerEntry]:
    """Yield the numeric figures below a part of a model, with dotted names."""
    if isinstance(part, Figure):
        if isinstance(part.value, int) and not isinstance(part.value, bool):
            yield LedgerEntry(name, part.value, _unit(name), part.kind, part.origin())
    elif isinstance(part, Closed):
        for key in type(part).model_fields:
            yield from _entries(f"{name}.{key}", getattr(part, key))


def _unit(name: str) -> str:
    """Return the unit that a figure's name implies."""
    last = name.rsplit(".", maxsplit=1)[-1]
    if last.endswith("hz"):
        return "Hz"
    if last.endswith("bytes"):
        return "bytes"
    if last in {"entries", "ways"}:
        return ""
    return "cycles"
