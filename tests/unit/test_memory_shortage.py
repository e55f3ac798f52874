"""Who waits for frames, and when they may try again."""

from types import SimpleNamespace
from typing import Any

import pytest

from dcsim.errors import DeadlockError
from dcsim.hypervisor.memory.shortage import Shortage


def vcpu(name: str, *, state: str = "running", stalls: int = 0) -> Any:
    config = SimpleNamespace(has_network=False)
    vm = SimpleNamespace(name=name, outstanding=0, config=config)
    return SimpleNamespace(vm=vm, state=state, stalls=stalls, wake_timer=None)


def test_one_that_found_too_few_tries_again_with_more() -> None:
    shortage, waiting = Shortage("host", reserve=5), vcpu("a", stalls=1)
    shortage.note(waiting, 9)

    assert shortage.relieved(9) == []
    assert shortage.relieved(10) == [waiting]
    assert not shortage.is_there


def test_the_reserve_is_never_given() -> None:
    shortage, waiting = Shortage("host", reserve=5), vcpu("a", stalls=1)
    shortage.note(waiting, 0)

    assert [shortage.relieved(free) for free in (1, 5)] == [[], []]
    assert shortage.relieved(6) == [waiting]


def test_a_vm_that_ends_waits_no_longer() -> None:
    shortage, waiting = Shortage("host", reserve=0), vcpu("a", stalls=1)
    shortage.note(waiting, 0)
    shortage.forget(waiting.vm)

    assert not shortage.is_there


def test_it_is_no_deadlock_while_another_may_give_memory_back() -> None:
    shortage, waiting = Shortage("host", reserve=3), vcpu("a", stalls=1)
    shortage.note(waiting, 3)
    shortage.check_deadlock([waiting, vcpu("b")], 3, "no page can go")

    sleeping = vcpu("b", state="blocked")
    with pytest.raises(DeadlockError) as caught:
        shortage.check_deadlock([waiting, sleeping], 3, "no page can go")
    assert str(caught.value) == (
        "a waits for a frame of host; host has 3 free frames, of which 3 are reserved, and no page"
        " can go"
    )
    sleeping.wake_timer = object()
    shortage.check_deadlock([waiting, sleeping], 3, "no page can go")
