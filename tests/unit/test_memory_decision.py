"""What a host decides about its memory in each state."""

from fractions import Fraction

import pytest

from dcsim.hypervisor.memory.decision import Decision, VmPicture, decide
from dcsim.hypervisor.memory.states import MemoryState, free_memory_states

STATES = {
    state.name: state
    for state in free_memory_states("classic", 10_000, 4096, Fraction(1, 10)).states
}
THREE_QUARTERS = Fraction(3, 4)


def picture(**settings) -> VmPicture:
    usual = {
        "shares": 100,
        "size": 1000,
        "reservation": 0,
        "limit": 1000,
        "resident": 1000,
        "swapped": 0,
        "ballooned": 0,
        "balloon_target": 0,
        "balloons": True,
        "active": Fraction(1),
    }
    return VmPicture(**{**usual, **settings})


def decided(state: MemoryState, free: int, *vms: VmPicture) -> list[Decision]:
    return decide(state, free, 660, vms, THREE_QUARTERS)


def test_nothing_is_taken_in_the_highest_state() -> None:
    found = decided(STATES["high"], 400, picture(), picture())

    assert [(each.balloon, each.swap, each.held) for each in found] == [(0, 0, False)] * 2


def test_balloons_take_what_lacks_to_the_goal() -> None:
    """660 - 360 = 300 pages go, from two equal VMs alike."""
    found = decided(STATES["soft"], 360, picture(), picture())

    assert [(each.balloon, each.swap, each.held) for each in found] == [(150, 0, False)] * 2


def test_what_a_balloon_cannot_is_swapped() -> None:
    """400 pages go, 200 from each.

    One has no working balloon; the other's may be 650 of 1300 pages, though 900 would leave the
    guest with its target of 400, and is 600.
    """
    found = decided(
        STATES["soft"],
        260,
        picture(balloons=False, resident=600, size=600, limit=600),
        picture(size=1000, resident=600, ballooned=600, balloon_target=600),
    )

    assert [(each.target, each.balloon, each.swap) for each in found] == [
        (400, 0, 200),
        (400, 600, 200),
    ]
    most = picture(size=1000, resident=340, ballooned=600, balloon_target=600)
    (alone,) = decided(STATES["soft"], 560, most)
    assert (alone.target, alone.balloon, alone.swap) == (240, 650, 50)


@pytest.mark.parametrize(("state", "held"), [("hard", False), ("low", True)])
def test_paging_is_forced_and_balloons_stay(state: str, held: bool) -> None:
    """500 pages are paged; the balloon that is there goes on to what leaves the guest with 750."""
    found = decided(STATES[state], 160, picture(), picture(ballooned=50, balloon_target=80))

    assert [(each.balloon, each.swap, each.held) for each in found] == [
        (0, 250, held),
        (250, 250, held),
    ]


def test_the_idle_pay_and_the_active_do_not() -> None:
    """At 75 % an idle page costs four: 1600 pages are shared out 4 : 1, so 1280 and 320."""
    found = decided(STATES["soft"], 260, picture(), picture(active=Fraction(0)))

    assert [(each.balloon, each.swap) for each in found] == [(0, 0), (400, 0)]
    assert [each.target for each in found] == [1000, 600]
    held = decided(STATES["low"], 60, picture(), picture(active=Fraction(0)))
    assert [each.held for each in held] == [False, True]


def test_a_reservation_is_never_touched() -> None:
    found = decided(STATES["low"], 0, picture(reservation=900), picture(reservation=1000))

    assert [each.swap for each in found] == [100, 0]
    assert [each.held for each in found] == [True, False]


def test_a_limit_holds_in_every_state() -> None:
    with_balloon = picture(limit=700)
    without = picture(limit=700, balloons=False)

    for state in ("high", "soft"):
        found = decided(STATES[state], 5000, with_balloon, without, picture())
        assert [(each.balloon, each.swap) for each in found] == [(300, 0), (0, 300), (0, 0)]


def test_a_balloon_gives_back_what_its_vm_is_due() -> None:
    """1000 pages are used and 1160 - 660 = 500 more are free; each is due 750 of its 1000.

    With 1660 free it is due all.
    """
    small = picture(resident=500, ballooned=500, balloon_target=500)
    found = decided(STATES["high"], 1160, small, small)

    assert [(each.target, each.balloon) for each in found] == [(750, 250)] * 2
    plenty = decided(STATES["high"], 1660, small, small)
    assert [(each.target, each.balloon) for each in plenty] == [(1000, 0)] * 2


def test_a_balloon_leaves_the_target_whichever_pages_the_guest_gives() -> None:
    """Of 2000 pages 1000 were never touched: to have 850 the guest has to give 1150."""
    halves = picture(size=2000, limit=2000)
    found = decided(STATES["soft"], 360, halves, halves)

    assert [(each.target, each.balloon, each.swap) for each in found] == [(850, 1150, 0)] * 2


def test_untouched_memory_is_wanted_by_nobody() -> None:
    """A VM that touched 100 of its 1000 pages leaves the others to the second."""
    found = decided(STATES["high"], 660, picture(resident=100), picture(resident=900))

    assert [each.target for each in found] == [100, 900]
