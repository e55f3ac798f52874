"""What a hypervisor runs on: processors, memory, a disk, power, and the seam to the machine."""

from dcsim.host.conductor import Channel, Conductor, Processor, Supervisor
from dcsim.host.disk import Disk, DiskModel, transfer_ns
from dcsim.host.file_store import BLOCK_BYTES, DiskFile, FileStore
from dcsim.host.flash_disk import FlashDisk
from dcsim.host.free_runs import FreeRuns, Run
from dcsim.host.host import DISK_BYTES, Host, HostConfig
from dcsim.host.machine import DiskContent, Exit, Machine, PathStep, SavedVm
from dcsim.host.page_cache import CACHE_PAGE_BYTES, PageCache
from dcsim.host.partitions import (
    ALIGNMENT_BYTES,
    MOST_PARTITIONS,
    Partition,
    PartitionUse,
    divide,
)
from dcsim.host.power import PowerMeter, PowerSegment, PowerState
from dcsim.host.rotating_disk import RotatingDisk, ServiceOrder

__all__ = [
    "ALIGNMENT_BYTES",
    "BLOCK_BYTES",
    "CACHE_PAGE_BYTES",
    "DISK_BYTES",
    "MOST_PARTITIONS",
    "Channel",
    "Conductor",
    "Disk",
    "DiskContent",
    "DiskFile",
    "DiskModel",
    "Exit",
    "FileStore",
    "FlashDisk",
    "FreeRuns",
    "Host",
    "HostConfig",
    "Machine",
    "PageCache",
    "Partition",
    "PartitionUse",
    "PathStep",
    "PowerMeter",
    "PowerSegment",
    "PowerState",
    "Processor",
    "RotatingDisk",
    "Run",
    "SavedVm",
    "ServiceOrder",
    "Supervisor",
    "divide",
    "transfer_ns",
]
