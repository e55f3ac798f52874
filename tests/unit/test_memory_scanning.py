"""The scanner's rates and orders."""

from collections import Counter

import pytest

from dcsim.hypervisor.memory.scanning import Pace, RandomOrder
from dcsim.sim import Streams

MS = 10**6


@pytest.mark.parametrize(
    ("vms", "each"),
    [(1, 500), (3, 500), (4, 500), (5, 400), (10, 200), (7, 285)],
)
def test_published_rates(vms: int, each: int) -> None:
    """50 a second of a VM, 200 a second of a host: after 10 s, and in whole pages."""
    pace, total = Pace(), Counter[int]()
    for elapsed_ms in [20] * 400 + [7, 13, 480, 1500]:
        total.update(pace.due(list(range(vms)), elapsed_ms * MS))

    assert total == dict.fromkeys(range(vms), each)


def test_a_vm_that_comes_owes_nothing() -> None:
    pace = Pace(per_vm=100, per_host=1000)
    assert pace.due([], 10**9) == {}
    assert pace.due([1], 5 * MS) == {1: 0}
    assert pace.due([1, 2], 5 * MS) == {1: 1, 2: 0}
    assert pace.due([2], 5 * MS) == {2: 1}
    assert pace.due([1, 2], 5 * MS) == {1: 0, 2: 0}


@pytest.mark.parametrize("pages", [1, 2, 3, 60, 97, 256])
def test_a_pass_visits_every_page_once(pages: int) -> None:
    order = RandomOrder(Streams(1).stream("scan"), pages)
    for _ in range(4):
        assert sorted(order.next() for _ in range(pages)) == list(range(pages))


def test_passes_differ() -> None:
    order = RandomOrder(Streams(1).stream("scan"), 97)
    passes = {tuple(order.next() for _ in range(97)) for _ in range(5)}

    assert len(passes) == 5
