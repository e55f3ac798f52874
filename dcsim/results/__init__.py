"""Results: the records of a run, its metrics, the directory they are kept in."""

from dcsim.results.records import (
    Constant,
    DirtySample,
    EventRecord,
    HostRecord,
    HostSample,
    HostsUsedSample,
    MigrationRecord,
    RequestRecord,
    RunResult,
    VmRecord,
)

__all__ = [
    "Constant",
    "DirtySample",
    "EventRecord",
    "HostRecord",
    "HostSample",
    "HostsUsedSample",
    "MigrationRecord",
    "RequestRecord",
    "RunResult",
    "VmRecord",
]
