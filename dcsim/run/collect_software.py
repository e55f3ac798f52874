"""Turns what a host's own software did into records."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from dcsim.results import LegRecord, PathRecord, ThreadRecord

if TYPE_CHECKING:
    from dcsim.hypervisor import Hypervisor

__all__ = ["Software", "software_of"]


class Software(TypedDict):
    """The part of a host's record that is about its software."""

    paths: tuple[PathRecord, ...]
    legs: tuple[LegRecord, ...]
    threads: tuple[ThreadRecord, ...]


def software_of(hypervisor: Hypervisor, ended_ns: int) -> Software:
    """Return what a host's software did in a run that is over."""
    return Software(
        paths=tuple(
            PathRecord(
                path=row.path,
                gone=row.times_gone,
                step=row.step,
                primitive=row.primitive,
                times=row.times,
                cycles=row.cycles,
            )
            for row in hypervisor.book.rows()
        ),
        legs=tuple(
            LegRecord(
                journey=row.journey,
                journeys=row.journeys,
                leg=row.leg,
                times=row.times,
                time_ns=row.time_ns,
            )
            for row in hypervisor.journeys.rows()
        ),
        threads=tuple(
            ThreadRecord(
                name=thread.name,
                run_ns=thread.time_ns("running", ended_ns),
                wait_ns=thread.time_ns("runnable", ended_ns),
                cycles=thread.cycles.as_dict(),
            )
            for thread in hypervisor.threads
        ),
    )
