"""Hypervisors: how VMs share a host.

Two types, which differ in structure: :class:`Type1` owns the machine (credit scheduler, own
drivers), :class:`Type2` is a set of processes on a host operating system (fair scheduler, page
cache, exits that cross to a process).
"""

from dcsim.hypervisor.constants import constants
from dcsim.hypervisor.credit import CreditScheduler
from dcsim.hypervisor.driver_domain import DOMAIN_DISK_BYTES, DriverDomain
from dcsim.hypervisor.fair import FairScheduler
from dcsim.hypervisor.host_devices import DeviceKind, device_misfit
from dcsim.hypervisor.host_thread import NICE_WEIGHTS, HostProcess, ServiceThread
from dcsim.hypervisor.hosted_network import NetworkPath
from dcsim.hypervisor.hypervisor import Hypervisor
from dcsim.hypervisor.paths import RING, SWAP, TYPE1, TYPE2, HostPaths
from dcsim.hypervisor.process import LinuxProgram
from dcsim.hypervisor.real_time import RealTimeScheduler, demand
from dcsim.hypervisor.recursion import demonstrate_recursion
from dcsim.hypervisor.scheduler import Choice, Reservation, Schedulable, Scheduler
from dcsim.hypervisor.schedulers import (
    default_scheduler,
    make_scheduler,
    scheduler_kind,
    scheduler_names,
)
from dcsim.hypervisor.technique import (
    PAGINGS,
    TECHNIQUES,
    Misfit,
    PagingName,
    Technique,
    TechniqueName,
    default_paging,
    misfit,
    paging_misfit,
    told_mode,
    translation_misfit,
    vcpus_misfit,
)
from dcsim.hypervisor.type1 import IoName, Type1
from dcsim.hypervisor.type2 import Type2
from dcsim.hypervisor.vcpu import VirtualCpu
from dcsim.hypervisor.virtual_disk import CacheMode, DiskFormat, FileDisk
from dcsim.hypervisor.virtual_machine import MOST_VCPUS, Storage, VirtualMachine, VmConfig

__all__ = [
    "DOMAIN_DISK_BYTES",
    "MOST_VCPUS",
    "NICE_WEIGHTS",
    "PAGINGS",
    "RING",
    "SWAP",
    "TECHNIQUES",
    "TYPE1",
    "TYPE2",
    "CacheMode",
    "Choice",
    "CreditScheduler",
    "DeviceKind",
    "DiskFormat",
    "DriverDomain",
    "FairScheduler",
    "FileDisk",
    "HostPaths",
    "HostProcess",
    "Hypervisor",
    "IoName",
    "LinuxProgram",
    "Misfit",
    "NetworkPath",
    "PagingName",
    "RealTimeScheduler",
    "Reservation",
    "Schedulable",
    "Scheduler",
    "ServiceThread",
    "Storage",
    "Technique",
    "TechniqueName",
    "Type1",
    "Type2",
    "VirtualCpu",
    "VirtualMachine",
    "VmConfig",
    "constants",
    "default_paging",
    "default_scheduler",
    "demand",
    "demonstrate_recursion",
    "device_misfit",
    "make_scheduler",
    "misfit",
    "paging_misfit",
    "scheduler_kind",
    "scheduler_names",
    "told_mode",
    "translation_misfit",
    "vcpus_misfit",
]
