"""Techniques and pagings: which go together, and what they need of the processor."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from dcsim.hardware import IsaName, load_profile
from dcsim.hypervisor import (
    PAGINGS,
    TECHNIQUES,
    PagingName,
    TechniqueName,
    default_paging,
    misfit,
    paging_misfit,
)

# What goes together, written down here a second time.
PAIRS = {
    ("bare-metal", "none"),
    ("trap-and-emulate", "shadow-tlb"),
    ("trap-and-emulate", "shadow-traced"),
    ("four-rings", "shadow-tlb"),
    ("four-rings", "shadow-traced"),
    ("binary-translation", "shadow-tlb"),
    ("binary-translation", "shadow-traced"),
    ("paravirtual", "direct"),
    ("hardware-assisted", "nested"),
    ("hardware-assisted", "shadow-traced"),
}


@pytest.mark.parametrize(
    ("technique", "paging"), list(product(get_args(TechniqueName), get_args(PagingName)))
)
def test_a_technique_goes_with_its_pagings_only(
    technique: TechniqueName, paging: PagingName
) -> None:
    found = paging_misfit(technique, paging)
    assert (found is None) == ((technique, paging) in PAIRS)
    if found is not None:
        assert found.key == "paging"
        assert default_paging(technique) in found.remedy


def test_the_tables_name_everything() -> None:
    assert tuple(TECHNIQUES) == get_args(TechniqueName)
    assert tuple(PAGINGS) == get_args(PagingName)


@pytest.mark.parametrize("isa", get_args(IsaName))
@pytest.mark.parametrize("technique", get_args(TechniqueName))
def test_a_technique_takes_the_processors_that_have_what_it_needs(
    technique: TechniqueName, isa: IsaName
) -> None:
    processor = load_profile("vt-2008-nehalem").with_isa(isa)
    found = misfit(technique, default_paging(technique), processor)
    refused = {
        "four-rings": {"rv64gc-legacy-silent", "rv64gc-legacy"},
        "hardware-assisted": {"rv64gc", "rv64gc-legacy-silent", "rv64gc-legacy"},
    }
    assert (found is not None) == (isa in refused.get(technique, set()))
    if found is not None:
        assert found.key == "technique"
        assert isa in found.message


def test_nested_paging_needs_a_second_stage() -> None:
    prescott = load_profile("vt-2005-prescott")
    found = misfit("hardware-assisted", "nested", prescott)
    assert found is not None
    assert (found.key, found.remedy.split(",")[0]) == ("paging", "write `paging: shadow-traced`")
    assert misfit("hardware-assisted", "shadow-traced", prescott) is None
