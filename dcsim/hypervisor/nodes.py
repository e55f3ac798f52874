"""Which node of its host a VM's memory comes from, and which processors are near it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["Home", "Nodes"]


@dataclass(frozen=True, slots=True)
class Home:
    """Where a VM belongs."""

    node: int | None
    """Whose frames it is given first; None for those of all nodes in turn."""
    processors: frozenset[int] | None
    """Those that are near its memory; None when all are."""


NOWHERE = Home(None, None)


class Nodes:
    """Gives each VM of a host a home.

    The home is the node on which the least memory is promised to VMs, of those whose processors the
    VM may use; the first of equals.

    Parameters
    ----------
    nodes
        How many nodes the host has.
    processors
        How many processors; the first ones belong to the first node.
    memory
        ``home``: a VM is given frames of its home first; ``interleave``: its pages are dealt to all
        nodes in turn, and none is its home.
    """

    def __init__(
        self, nodes: int, processors: int, memory: Literal["home", "interleave"] = "home"
    ) -> None:
        of = [processor * nodes // processors for processor in range(processors)]
        self.processors = [
            frozenset(each for each in range(processors) if of[each] == node)
            for node in range(nodes)
        ]
        self.memory = memory
        self._promised: list[dict[str, int]] = [{} for _ in range(nodes)]

    def settle(self, vm: VirtualMachine) -> Home:
        """Give a VM a home."""
        if len(self.processors) == 1 or self.memory == "interleave":
            return NOWHERE
        pin = frozenset(vm.config.pin)
        allowed = [
            node for node, near in enumerate(self.processors) if not pin or not pin.isdisjoint(near)
        ]
        node = min(allowed, key=lambda each: (sum(self._promised[each].values()), each))
        self._promised[node][vm.name] = vm.config.memory_bytes
        return Home(node, self.processors[node])

    def leave(self, vm: VirtualMachine) -> None:
        """Forget where a VM belonged."""
        for promised in self._promised:
            promised.pop(vm.name, None)
