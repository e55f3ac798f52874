"""What a guest leaves behind that no machine may change."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fidelity.cases import Case


@dataclass(frozen=True)
class Outcome:
    """Everything that the kernel and its programs printed, and the exit status."""

    lines: tuple[str, ...]
    status: int | None


def outcome(case: Case, console: bytes, status: int | None) -> Outcome:
    """Return what a console shows from the kernel's banner on, but for the size of its memory and
    what monitors beneath it count.

    Lines with clock values, which nothing makes equal, are left out where a case has them.
    """
    lines = console.decode().replace("\r", "").splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith("kernel: ")), len(lines))
    kept = [line for line in lines[start:] if "KiB of memory" not in line]
    assert len(kept) == len(lines) - start - 1, "the kernel tells the size of its memory once"
    kept = [line for line in kept if not line.startswith("result monitor-")]
    if case.tells_time:
        kept = [line for line in kept if not line.startswith("nano ")]
    return Outcome(tuple(kept if case.in_order else sorted(kept)), status)
