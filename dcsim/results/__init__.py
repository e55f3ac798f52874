"""Results: the records of a run, its metrics, the directory they are kept in."""

from dcsim.results.directory import (
    check_free,
    is_complete,
    read_manifest,
    read_summary,
    read_table,
    write_run,
)
from dcsim.results.dump import write_dump
from dcsim.results.expectations import Outcome, check_expectations
from dcsim.results.manifest import image_digests
from dcsim.results.memory import HostMemory, HostMemorySample, VmMemorySample
from dcsim.results.metrics import Summary, summarise
from dcsim.results.records import (
    BalloonRecord,
    Constant,
    DirtySample,
    DiskLayerRecord,
    EventRecord,
    HostDiskRecord,
    HostRecord,
    HostSample,
    HostsUsedSample,
    LegRecord,
    MigrationRecord,
    PathRecord,
    RequestRecord,
    RunResult,
    ThreadRecord,
    VmRecord,
)

__all__ = [
    "BalloonRecord",
    "Constant",
    "DirtySample",
    "DiskLayerRecord",
    "EventRecord",
    "HostDiskRecord",
    "HostMemory",
    "HostMemorySample",
    "HostRecord",
    "HostSample",
    "HostsUsedSample",
    "LegRecord",
    "MigrationRecord",
    "Outcome",
    "PathRecord",
    "RequestRecord",
    "RunResult",
    "Summary",
    "ThreadRecord",
    "VmMemorySample",
    "VmRecord",
    "check_expectations",
    "check_free",
    "image_digests",
    "is_complete",
    "read_manifest",
    "read_summary",
    "read_table",
    "summarise",
    "write_dump",
    "write_run",
]
