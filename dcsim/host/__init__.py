"""What a hypervisor runs on: processors, memory, a disk, power, and the seam to the machine."""

from dcsim.host.conductor import Channel, Conductor, Processor, Supervisor
from dcsim.host.disk import Disk, transfer_ns
from dcsim.host.host import Host, HostConfig
from dcsim.host.machine import DiskContent, Exit, Machine, PathStep, SavedVm
from dcsim.host.page_cache import CACHE_PAGE_BYTES, PageCache, Touched
from dcsim.host.power import PowerMeter, PowerSegment, PowerState

__all__ = [
    "CACHE_PAGE_BYTES",
    "Channel",
    "Conductor",
    "Disk",
    "DiskContent",
    "Exit",
    "Host",
    "HostConfig",
    "Machine",
    "PageCache",
    "PathStep",
    "PowerMeter",
    "PowerSegment",
    "PowerState",
    "Processor",
    "SavedVm",
    "Supervisor",
    "Touched",
    "transfer_ns",
]
