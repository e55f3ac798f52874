"""The ways to virtualise a CPU and its memory, and what each needs of the processor.

One table: the scenario's checks, the command line's choices and the reference page are made of it.
The machine world refuses what does not fit as well; here it is told before anything runs, at the
place in the scenario that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dcsim.hardware import HardwareProfile

__all__ = [
    "PAGINGS",
    "TECHNIQUES",
    "Misfit",
    "PagingName",
    "Technique",
    "TechniqueName",
    "default_paging",
    "misfit",
    "paging_misfit",
    "told_mode",
    "translation_misfit",
    "vcpus_misfit",
]

TechniqueName = Literal[
    "bare-metal",
    "trap-and-emulate",
    "four-rings",
    "binary-translation",
    "paravirtual",
    "hardware-assisted",
]
PagingName = Literal["none", "shadow-tlb", "shadow-traced", "nested", "direct"]


@dataclass(frozen=True, slots=True)
class Technique:
    """A way to virtualise a CPU."""

    meaning: str
    pagings: tuple[PagingName, ...]
    """What it goes with; the first is its own when a VM does not say."""
    needs: Literal["", "traps in S", "the hypervisor extension"] = ""
    """What the processor must have."""
    several_vcpus: tuple[PagingName, ...] = ()
    """The pagings with which its VMs can have several vCPUs."""
    translates: bool = False
    """Whether it rewrites the guest kernel's code, and can rewrite user code as well."""


_SHADOWS: tuple[PagingName, ...] = ("shadow-tlb", "shadow-traced")

TECHNIQUES: dict[TechniqueName, Technique] = {
    "bare-metal": Technique(
        "no monitor: the guest owns the machine", ("none",), several_vcpus=("none",)
    ),
    "trap-and-emulate": Technique(
        "the guest kernel runs in U; what is sensitive traps and is emulated",
        _SHADOWS,
        several_vcpus=_SHADOWS,
    ),
    "four-rings": Technique(
        "the guest kernel runs in S under a monitor in M, with TVM, TW and TSR set",
        _SHADOWS,
        needs="traps in S",
        several_vcpus=_SHADOWS,
    ),
    "binary-translation": Technique(
        "guest kernel code is rewritten into code that is safe to run in U",
        _SHADOWS,
        translates=True,
    ),
    "paravirtual": Technique(
        "the guest kernel knows its monitor and calls it; it runs in S, or in U where the processor"
        " has no traps in S",
        ("direct",),
        several_vcpus=("direct",),
    ),
    "hardware-assisted": Technique(
        "the guest runs in VS and VU of the hypervisor extension",
        ("nested", "shadow-traced"),
        needs="the hypervisor extension",
        several_vcpus=("nested", "shadow-traced"),
    ),
}

PAGINGS: dict[PagingName, str] = {
    "none": "the guest's own page tables, on bare metal",
    "shadow-tlb": "shadow tables as a virtual TLB, refilled after `sfence.vma`",
    "shadow-traced": "shadow tables that follow the guest's, whose pages are write-protected",
    "nested": "a second stage of translation, walked by the hardware",
    "direct": "the guest's own tables, whose changes the monitor validates",
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a combination cannot be."""

    key: Literal["technique", "paging", "translate_user", "vcpus"]
    """Which of a VM's keys is to be changed."""
    message: str
    remedy: str


def default_paging(technique: TechniqueName) -> PagingName:
    """Return the paging of a technique when a VM does not choose one."""
    return TECHNIQUES[technique].pagings[0]


def paging_misfit(technique: TechniqueName, paging: PagingName) -> Misfit | None:
    """Tell why a technique does not go with a paging, whatever the processor; None when it does."""
    pagings = TECHNIQUES[technique].pagings
    if paging in pagings:
        return None
    message = f"`{technique}` does not go with `{paging}` paging"
    return Misfit("paging", message, f"write {_listed(pagings)}, or leave it out")


def translation_misfit(technique: TechniqueName, *, translate_user: bool) -> Misfit | None:
    """Tell why a technique cannot translate user code, when that is asked for; None when it can."""
    if not translate_user or TECHNIQUES[technique].translates:
        return None
    able = tuple(name for name, about in TECHNIQUES.items() if about.translates)
    message = f"`{technique}` translates no code"
    return Misfit("translate_user", message, f"write `technique: {able[0]}`, or leave it out")


def vcpus_misfit(technique: TechniqueName, paging: PagingName, vcpus: int) -> Misfit | None:
    """Tell why a technique cannot run a VM with so many vCPUs; None when it can."""
    able = TECHNIQUES[technique].several_vcpus
    if vcpus == 1 or paging in able:
        return None
    message = f"`{technique}` with `{paging}` paging runs one vCPU only"
    if able:
        return Misfit("vcpus", message, f"write `paging: {able[0]}`, or `vcpus: 1`")
    others = tuple(
        name for name, about in TECHNIQUES.items() if about.several_vcpus and name != "bare-metal"
    )
    return Misfit("vcpus", message, f"write `technique: {others[0]}`, or `vcpus: 1`")


def misfit(
    technique: TechniqueName, paging: PagingName, processor: HardwareProfile
) -> Misfit | None:
    """Tell why a technique with a paging does not go with a processor; None when it does."""
    isa = processor.machine.isa.value
    needs = TECHNIQUES[technique].needs
    if needs == "traps in S" and isa.startswith("rv64gc-legacy"):
        message = f"`{technique}` needs TVM, TW and TSR, which `{isa}` has hard-wired to 0"
        remedy = "write `binary-translation`, or choose another `isa`"
        return Misfit("technique", message, remedy)
    if needs == "the hypervisor extension" and isa != "rv64gch":
        message = f"`{technique}` needs the hypervisor extension, which `{isa}` lacks"
        remedy = "choose hardware with `rv64gch`, such as `vt-2008-nehalem`, or another technique"
        return Misfit("technique", message, remedy)
    if paging == "nested" and not processor.machine.second_stage.value:
        message = f"`{processor.name}` has no second stage of translation"
        remedy = "write `paging: shadow-traced`, or choose hardware that has one"
        return Misfit("paging", message, remedy)
    return None


def told_mode(technique: TechniqueName, processor: HardwareProfile) -> Literal["S", "U"] | None:
    """Return the mode that a guest kernel is told it runs in; None when it is not told.

    A kernel that was told settles there for good: it cannot move to where it would be another.
    """
    if technique != "paravirtual":
        return None
    return "U" if processor.machine.isa.value.startswith("rv64gc-legacy") else "S"


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(f"`{name}`" for name in names)
