"""The model of a hardware profile, and the text in which the machine world reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict, get_args

from pydantic import Field, model_validator

from dcsim.errors import UnknownNameError
from dcsim.hardware.figure import Closed, Cycles, Figure, Kind, LedgerEntry, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ClassCycles",
    "DataCacheShape",
    "HardwareProfile",
    "IsaName",
    "MachineTiming",
    "MissingName",
    "TlbShape",
]

IsaName = Literal["rv64gch", "rv64gc", "rv64gc-legacy-silent", "rv64gc-legacy"]
"""From the richest to the poorest: a processor may always do without what it has."""

MissingName = Literal["a", "b", "c", "d", "f"]
"""Extensions that a processor can be without: atomics, bits, short instructions, and double or all
floating point."""

Count = Annotated[int, Field(ge=1, le=1 << 40)]
Hertz = Annotated[int, Field(ge=1_000_000, le=100_000_000_000)]
Nodes = Annotated[int, Field(ge=1, le=64)]


class _Asked(TypedDict):
    kind: Kind
    note: str


_ASKED: _Asked = {"kind": "assumption", "note": "asked for by the scenario"}


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


class NumaShape(Closed):
    """Nodes: a data-cache miss that goes to another node's memory costs extra cycles."""

    nodes: Figure[Nodes]
    remote_cycles: Cycles


class MachineTiming(Closed):
    """Everything that the machine world knows about time."""

    hz: Figure[Hertz]
    timebase_hz: Figure[Annotated[int, Field(ge=1_000, le=1_000_000_000)]]
    class_cycles: ClassCycles
    trap_cycles: Cycles
    """A trap that leaves V as it is."""
    return_cycles: Cycles
    """A return that leaves V as it is."""
    world_switch_cycles: Cycles
    """A trap out of a guest of the hypervisor extension, in place of `trap_cycles`."""
    world_return_cycles: Cycles
    """A return into such a guest, in place of `return_cycles`."""
    walk_reference_cycles: Cycles
    itlb: TlbShape
    dtlb: TlbShape
    device_access_cycles: Cycles
    misaligned_cycles: Cycles
    ipi_cycles: Cycles
    data_cache: DataCacheShape | None
    numa: NumaShape | None = None
    isa: Figure[IsaName]
    lacks: tuple[MissingName, ...] = ()
    """Extensions of `isa` that it does not have."""
    second_stage: Figure[bool]
    """Whether `hgatp` takes other modes than Bare."""


class HardwareProfile(Closed):
    """A processor: its name, what it stands for, and its timing."""

    name: Text
    title: Text
    description: Text
    machine: MachineTiming

    def machine_json(self) -> str:
        """Return the timing as the machine world reads it: the values, without their sources."""
        return json.dumps(_values(self.machine), separators=(",", ":"))

    @property
    def permitted_isas(self) -> tuple[IsaName, ...]:
        """The instruction sets that a machine of this kind can be given: its own, or less."""
        every: tuple[IsaName, ...] = get_args(IsaName)
        return every[every.index(self.machine.isa.value) :]

    def with_isa(self, isa: IsaName | None) -> HardwareProfile:
        """Return the same processor with another instruction set; the same one for None.

        Raises
        ------
        UnknownNameError
            When the processor has not what that asks for.
        """
        if isa is None:
            return self
        if isa not in self.permitted_isas:
            raise UnknownNameError(f"instruction set of {self.name}", isa, self.permitted_isas)
        return self._with(isa=Figure[IsaName](value=isa, **_ASKED))

    def without(self, extensions: tuple[MissingName, ...]) -> HardwareProfile:
        """Return the same processor, on which the instructions of some extensions are illegal."""
        return self._with(lacks=extensions)

    def with_exit_cycles(self, cycles: int | None) -> HardwareProfile:
        """Return the same processor with another round trip of exit and entry; the same for None.

        Parameters
        ----------
        cycles
            Of a world switch and its return together; they are split in the profile's ratio.
        """
        if cycles is None:
            return self
        machine = self.machine
        out, back = machine.world_switch_cycles.value, machine.world_return_cycles.value
        out = min(max((2 * cycles * out + out + back) // (2 * (out + back)), 1), cycles - 1)
        back = cycles - out
        return self._with(
            world_switch_cycles=Cycles(value=out, **_ASKED),
            world_return_cycles=Cycles(value=back, **_ASKED),
        )

    def with_hz(self, hz: int | None) -> HardwareProfile:
        """Return the same processor at another clock; the same for None.

        What takes cycles takes as many, so everything in it is slower or faster by the same factor.
        """
        if hz is None:
            return self
        return self._with(hz=Figure[Hertz](value=hz, **_ASKED))

    def with_data_cache(
        self, *, size_bytes: int, line_bytes: int, ways: int, miss_cycles: int
    ) -> HardwareProfile:
        """Return the same processor with a model of a data cache of this shape."""
        shape = DataCacheShape(
            bytes=Figure[Count](value=size_bytes, **_ASKED),
            line_bytes=Figure[Count](value=line_bytes, **_ASKED),
            ways=Figure[Count](value=ways, **_ASKED),
            miss_cycles=Cycles(value=miss_cycles, **_ASKED),
        )
        return self._with(data_cache=shape)

    def with_nodes(self, nodes: int, remote_cycles: int) -> HardwareProfile:
        """Return a machine of such processors in nodes."""
        count = Figure[Nodes](value=nodes, **_ASKED)
        cycles = Cycles(value=remote_cycles, **_ASKED)
        return self._with(numa=NumaShape(nodes=count, remote_cycles=cycles))

    def _with(self, **changes: object) -> HardwareProfile:
        return self.model_copy(update={"machine": self.machine.model_copy(update=changes)})

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
