"""Free-memory states: thresholds, every transition, hysteresis."""

from fractions import Fraction
from itertools import product

import pytest

from dcsim.hypervisor.memory.states import FreeMemoryStates, free_memory_states, minimum_free_bytes
from dcsim.sim import Streams

GIB = 2**30
FRAME = 4096
MARGIN = Fraction(1, 10)


def classic(frames: int = 10_000) -> FreeMemoryStates:
    return free_memory_states("classic", frames, FRAME, MARGIN)


def names(states: FreeMemoryStates, frees: list[int]) -> list[str]:
    return [states.observe(free).name for free in frees]


# Of 10,000 frames: high 600, soft 400, hard 200, low 100, and on the way up 60 more.
# Starting points: how to come to each state from the highest.
COME_TO = {"high": [10_000], "soft": [399], "hard": [199], "low": [99]}
THEN = {
    # free: the state after it, from each state in the order high, soft, hard, low
    600: ("high", "soft", "soft", "soft"),
    659: ("high", "soft", "soft", "soft"),
    660: ("high", "high", "high", "high"),
    459: ("high", "soft", "hard", "hard"),
    460: ("high", "soft", "soft", "soft"),
    400: ("high", "soft", "hard", "hard"),
    399: ("soft", "soft", "hard", "hard"),
    260: ("soft", "soft", "hard", "hard"),
    259: ("soft", "soft", "hard", "low"),
    200: ("soft", "soft", "hard", "low"),
    199: ("hard", "hard", "hard", "low"),
    100: ("hard", "hard", "hard", "low"),
    99: ("low", "low", "low", "low"),
    0: ("low", "low", "low", "low"),
}


@pytest.mark.parametrize(("free", "start"), list(product(THEN, COME_TO)))
def test_every_transition(free: int, start: str) -> None:
    states = classic()
    assert names(states, COME_TO[start])[-1] == start

    assert states.observe(free).name == THEN[free][list(COME_TO).index(start)]


def test_a_host_that_reclaims_stops_beyond_the_highest_threshold() -> None:
    states = classic()

    assert names(states, [400, 399, 500, 659, states.goal - 1, states.goal]) == [
        "high", "soft", "soft", "soft", "soft", "high",
    ]  # fmt: skip
    assert states.goal == 660


def test_what_each_state_permits() -> None:
    found = {each.name: (each.balloons, each.pages, each.blocks) for each in classic().states}

    assert found == {
        "high": (False, "never", False),
        "soft": (True, "where-impossible", False),
        "hard": (False, "forced", False),
        "low": (False, "forced", True),
    }


def test_bsd_starts_below_five_percent_and_stops_at_seven() -> None:
    states = free_memory_states("bsd", 10_000, FRAME, MARGIN)

    found = names(states, [500, 499, 600, 699, 700, 500])
    assert found == ["high", "hard", "hard", "hard", "high", "high"]
    assert not any(state.balloons for state in states.states)


@pytest.mark.parametrize(
    ("memory_gib", "mebibytes"),
    [
        (1, Fraction(6144, 100)),
        (4, Fraction(24576, 100)),
        (12, Fraction(24576 + 32768, 100)),
        (28, Fraction(24576 + 32768 + 32768, 100)),
        (100, Fraction(24576 + 32768 + 32768 + 72 * 1024, 100)),
    ],
)
def test_the_sliding_minimum(memory_gib: int, mebibytes: Fraction) -> None:
    assert minimum_free_bytes(memory_gib * GIB) == mebibytes * 2**20


def test_sliding_states_are_parts_of_the_minimum() -> None:
    # 4 GiB are 1,048,576 frames; 6 % of them are 62,914.56.
    states = free_memory_states("sliding", 4 * GIB // FRAME, FRAME, Fraction(0))

    assert [state.name for state in states.states] == ["high", "clear", "soft", "hard", "low"]
    assert states.goal == 251_659
    assert names(states, [62_915, 62_914, 40_266, 40_265, 20_133, 20_132, 10_067, 10_066]) == [
        "high", "clear", "clear", "soft", "soft", "hard", "hard", "low",
    ]  # fmt: skip


def by_the_text(thresholds: list[int], margin: int, place: int, free: int) -> int:
    """Return the next state as the paper says it, in the plainest way.

    "A transition to a lower reclamation state occurs when the amount of free memory drops below
    the lower threshold"; "back to the next higher state only after significantly exceeding the
    higher threshold".
    """
    lower = [at for at in range(len(thresholds)) if at > place and free < thresholds[at]]
    if lower:
        return max(lower)
    if place > 0 and free - thresholds[place - 1] >= margin:
        return by_the_text(thresholds, margin, place - 1, free)
    return place


@pytest.mark.parametrize("seed", range(20))
def test_random_walks(seed: int) -> None:
    stream = Streams(seed).stream("walk")
    frames = 1000 + stream.below(100_000)
    thresholds = [-(-frames * percent // 100) for percent in (6, 4, 2, 1)]
    margin = -(-thresholds[0] // 10)
    states = classic(frames)
    place, free = 0, frames
    for _ in range(500):
        step = stream.below(frames // 25 + 1)
        free = free - step if stream.below(2) else free + step
        free = min(frames // 8, max(0, free))
        place = by_the_text(thresholds, margin, place, free)
        assert states.observe(free) is states.states[place]


def test_a_host_knows_below_what_the_next_state_begins() -> None:
    states, found = classic(), []
    for free in (10_000, 399, 199, 99):
        states.observe(free)
        found.append(states.next_lower)

    assert found == [400, 200, 100, 0]
