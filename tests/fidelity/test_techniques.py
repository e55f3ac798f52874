"""Every program under every technique, way of paging and instruction set that go together.

The cells of the matrix are generated from the table of techniques; none is chosen by hand. On the
legacy instruction sets trap-and-emulate goes wrong, and how it does is asserted too.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pytest

from dcsim.hardware import load_profile
from dcsim.hardware.profile import IsaName
from dcsim.hypervisor import TECHNIQUES, misfit
from dcsim.hypervisor.technique import PagingName, TechniqueName
from tests.fidelity.cases import CASES, Case
from tests.fidelity.direct import Guest
from tests.fidelity.outcome import Outcome

PROCESSORS: dict[IsaName, str] = {
    "rv64gc": "sifive-u54",
    "rv64gch": "vt-2008-nehalem",
    "rv64gc-legacy-silent": "sifive-u54",
    "rv64gc-legacy": "sifive-u54",
}
"""An instruction set and a processor that has it or more."""


class Cell(NamedTuple):
    """A way to run a guest."""

    technique: TechniqueName
    paging: PagingName
    isa: IsaName
    translate_user: bool = False

    @property
    def name(self) -> str:
        suffix = ["translate-user"] if self.translate_user else []
        return "-".join([self.technique, self.paging, self.isa, *suffix])

    @property
    def is_trapped_legacy(self) -> bool:
        """Whether it relies on traps that the instruction set does not make."""
        return self.technique == "trap-and-emulate" and self.isa.startswith("rv64gc-legacy")

    def boot(self, case: Case) -> Guest:
        profile = PROCESSORS[self.isa]
        guest = Guest(
            case,
            self.technique,
            paging=self.paging,
            translate_user=self.translate_user,
            isa=self.isa,
            profile=profile,
        )
        return guest.boot()

    def run(self, case: Case) -> Outcome:
        """Run a program to its end; check what every cell has to keep besides."""
        guest = self.boot(case)
        outcome = guest.run_to_end()
        guest.check_accounts()
        return outcome


def cells() -> list[Cell]:
    every = [
        Cell(technique, paging, isa, translate_user)
        for technique, about in TECHNIQUES.items()
        for paging in about.pagings
        for isa in PROCESSORS
        for translate_user in ([False, True] if about.translates else [False])
    ]
    fits = [
        cell
        for cell in every
        if misfit(
            cell.technique, cell.paging, load_profile(PROCESSORS[cell.isa]).with_isa(cell.isa)
        )
        is None
    ]
    return [cell for cell in fits if cell.technique != "bare-metal"]


@cache
def reference(name: str, isa: IsaName) -> Outcome:
    """Return what a program leaves on a bare machine with the same instruction set."""
    [case] = [case for case in CASES if case.name == name]
    return Cell("bare-metal", "none", isa).run(case)


def is_misled(case: Case, cell: Cell) -> bool:
    """Tell whether a program of user mode reads what the instruction set does not hide: it sees
    the monitor's, unless its code is translated as well."""
    is_shown = cell.isa == "rv64gc-legacy" and not cell.translate_user
    return case.name == "privread" and is_shown


@pytest.mark.parametrize(
    "cell", [cell for cell in cells() if not cell.is_trapped_legacy], ids=lambda cell: cell.name
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_outcome_is_that_of_bare_metal(case: Case, cell: Cell) -> None:
    expected = reference(case.name, cell.isa)
    if is_misled(case, cell):
        assert cell.run(case).lines != expected.lines
    else:
        assert cell.run(case) == expected


@pytest.mark.parametrize(
    "cell", [cell for cell in cells() if cell.is_trapped_legacy], ids=lambda cell: cell.name
)
def test_trapping_goes_wrong_where_instructions_do_not_trap(cell: Cell) -> None:
    """The kernel closes its interrupts, the instruction is dropped, and the kernel notices."""
    guest = cell.boot(CASES[0]).run()
    assert guest.status == 255
    assert b"assertion failed: interrupts are off" in guest.console
