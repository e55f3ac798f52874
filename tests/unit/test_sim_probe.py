"""Probes cost nothing while nobody listens."""

from dcsim.sim import Probes


def test_a_probe_without_a_listener_is_none() -> None:
    assert Probes().bind("host.exit") is None


def test_one_listener_is_called_directly() -> None:
    probes, seen = Probes(), []
    probes.listen("host.exit", seen.append)
    assert probes.bind("host.exit") == seen.append


def test_all_listeners_hear_in_order() -> None:
    probes, seen = Probes(), []
    probes.listen("x", lambda value: seen.append(("a", value)))
    probes.listen("x", lambda value: seen.append(("b", value)))
    probe = probes.bind("x")
    assert probe is not None
    probe(1)
    assert seen == [("a", 1), ("b", 1)]
