"""Time that processors idle beside vCPUs that wait."""

from __future__ import annotations

from dcsim.hypervisor.fragmentation import Fragmentation


def test_idle_processors_count_as_far_as_somebody_waits() -> None:
    """10 ns with 2 idle and 1 waiting, 5 ns with nobody waiting, 20 ns with 1 idle and 3 waiting."""
    fragmentation = Fragmentation()
    fragmentation.note(100, idle=2, waiting=1)
    fragmentation.note(110, idle=2, waiting=0)
    fragmentation.note(115, idle=1, waiting=3)

    assert fragmentation.until_ns(135) == 10 + 0 + 20
