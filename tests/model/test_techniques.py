"""The table of techniques is that of the machine world: what it offers runs, what it lacks does not."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

import pytest

from dcsim import _core
from dcsim.errors import DcsimError
from dcsim.guest import kernel_image
from dcsim.hardware import load_profile
from dcsim.hypervisor import (
    PAGINGS,
    TECHNIQUES,
    default_paging,
    misfit,
    paging_misfit,
    translation_misfit,
)

if TYPE_CHECKING:
    from dcsim.hypervisor.technique import TechniqueName

MIB = 1 << 20
PROCESSORS = {
    "in order": load_profile("sifive-u54"),
    "silent": load_profile("sifive-u54").with_isa("rv64gc-legacy-silent"),
    "legacy": load_profile("sifive-u54").with_isa("rv64gc-legacy"),
    "without a second stage": load_profile("vt-2005-prescott"),
    "with both stages": load_profile("vt-2008-nehalem"),
}


def _is_made(technique: str, paging: str, processor: str, *, translate_user: bool = False) -> bool:
    hardware = PROCESSORS[processor].machine_json()
    machine = _core.Machine(
        _core.PageStore(64 * MIB), hardware=hardware, pcpus=1, memory_bytes=32 * MIB
    )
    config = {
        "name": "x",
        "technique": technique,
        "paging": paging,
        "translate_user": translate_user,
        "memory_bytes": 8 * MIB,
    }
    try:
        machine.create_vm(json.dumps({**config, "bootargs": "init=idle"}), kernel_image(), None)
    except DcsimError:
        return False
    return True


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize(("technique", "paging"), list(product(TECHNIQUES, PAGINGS)))
def test_what_fits_is_what_the_machine_world_makes(
    technique: str, paging: str, processor: str
) -> None:
    fits = (
        paging_misfit(technique, paging) is None
        and misfit(technique, paging, PROCESSORS[processor]) is None
    )
    assert _is_made(technique, paging, processor) == fits


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_user_code_is_translated_where_the_machine_world_translates(
    technique: TechniqueName,
) -> None:
    fits = translation_misfit(technique, translate_user=True) is None
    paging = default_paging(technique)
    processor = "with both stages"
    assert _is_made(technique, paging, processor)
    assert _is_made(technique, paging, processor, translate_user=True) == fits
