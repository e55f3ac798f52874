"""A guest on one pCPU of a machine world, with the little that it needs around it.

Disk requests take a fixed time, and a line is typed whenever the guest waits for one. What the
guest sees depends on its own doing only, so two of these that start alike stay alike.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from typing import Any

from dcsim import _core
from dcsim.guest import kernel_image
from dcsim.hardware import IsaName, load_profile
from tests.fidelity.cases import MIB, Case
from tests.fidelity.outcome import Outcome, outcome

STORE_BYTES = 1 << 30
DISK_LATENCY_NS = 80_000
LIMIT_NS = 20_000_000_000
PROFILE = "sifive-u54"

Cut = Callable[[int, int], int]


class Guest:
    """One VM and its host.

    Parameters
    ----------
    case
        What it runs.
    technique
        How the guest is run.
    paging
        How addresses are translated; the technique's own way when None.
    translate_user
        Whether user code is translated, too.
    isa
        An instruction set of the hardware's other than its own.
    cut
        Given now and a limit, returns an earlier limit for a run.
    fail_every
        Every so many-th frame allocation fails once.
    store
        Where pages lie; its own when None.
    profile
        The hardware.
    bootargs
        Instead of the case's own.
    image
        What it boots.
    """

    def __init__(
        self,
        case: Case,
        technique: str,
        *,
        paging: str | None = None,
        translate_user: bool = False,
        isa: IsaName | None = None,
        cut: Cut | None = None,
        fail_every: int = 0,
        store: _core.PageStore | None = None,
        profile: str = PROFILE,
        bootargs: str | None = None,
        image: bytes | None = None,
    ) -> None:
        self.case = case
        self.image = image or kernel_image()
        self.technique = technique
        self.store = store or _core.PageStore(STORE_BYTES)
        self.paging = paging
        self.translate_user = translate_user
        self.profile = load_profile(profile).with_isa(isa)
        self.machine = _core.Machine(
            self.store,
            hardware=self.profile.machine_json(),
            pcpus=1,
            memory_bytes=(case.memory_mib + 16) * MIB,
        )
        self.machine.fail_frame_allocations(fail_every)
        self.bootargs = bootargs or case.boot_arguments
        self.disk = _core.DiskImage(case.disk_mib * MIB) if case.disk_mib else None
        self.vm = -1
        self.now_ns = 0
        self.status: int | None = None
        self.console = bytearray()
        self.exits: list[tuple[Any, ...]] = []
        self.refusals = 0
        self._cut = cut
        self._typed = list(case.typed)
        self._requests: list[tuple[int, int]] = []

    # Its life.

    def boot(self) -> Guest:
        """Put the guest's vCPU before the kernel's first instruction."""
        self.vm = self.machine.create_vm(self.config, self.image, self.disk)
        self.machine.load(0, self.vm, 0, 0)
        return self

    def go_on(self, other: Guest, state: _core.VmState) -> Guest:
        """Continue where another guest was saved."""
        self.disk = other.disk.clone() if other.disk is not None else None
        self.now_ns = other.now_ns
        self._typed = list(other._typed)
        self.vm = self.machine.restore_vm(self.config, state, self.disk)
        self.machine.load(0, self.vm, 0, self.now_ns)
        return self

    def run(self, until_ns: int = LIMIT_NS) -> Guest:
        """Run to the guest's end or to a time."""
        while self.status is None and self.now_ns < until_ns:
            due_ns = self._requests[0][0] if self._requests else until_ns
            self._advance(min(due_ns, until_ns))
            while self._requests and self._requests[0][0] <= self.now_ns:
                self._complete()
        assert self.status is not None or until_ns < LIMIT_NS, "the guest waits for ever"
        return self

    def run_to_end(self) -> Outcome:
        """Run to the guest's end; return what it leaves behind."""
        self.run()
        return outcome(self.case, bytes(self.console), self.status)

    def save(self) -> _core.VmState:
        """Take the guest off its pCPU, let its disk come to rest, and return its state."""
        while not self.machine.settled(self.vm, 0):
            self._advance(self.machine.local_time_ns(0) + 1)
        if self.machine.loaded(0) is not None:
            self.machine.unload(0)
        while self._requests:
            self.now_ns = max(self.now_ns, self._requests[0][0])
            self._complete()
        assert self.machine.in_flight(self.vm) == 0
        self._collect()
        return self.machine.save_vm(self.vm)

    @property
    def config(self) -> str:
        config = {
            "name": "guest",
            "technique": self.technique,
            "memory_bytes": self.case.memory_mib * MIB,
            "bootargs": self.bootargs,
            "translate_user": self.translate_user,
        }
        return json.dumps(config if self.paging is None else {**config, "paging": self.paging})

    @property
    def counters(self) -> dict[str, Any]:
        return self.machine.counters(self.vm)

    def check_accounts(self) -> None:
        """Assert that every cycle of the pCPU has one cause, and every instruction one way."""
        counters = self.counters
        assert sum(counters["cycles_by_cause"].values()) == counters["total_cycles"]
        hertz = self.profile.machine.hz.value
        assert counters["total_cycles"] * 10**9 // hertz == self.machine.local_time_ns(0)
        assert counters["lateness_ns"] == 0
        ways = {
            way: counters[f"instructions_{way}"] for way in ("direct", "translated", "emulated")
        }
        assert sum(ways.values()) == counters["instructions"] > 0
        assert (ways["direct"] > 0) != self.translate_user
        if self.technique == "bare-metal":
            assert ways["direct"] == counters["instructions"]

    def trace(self) -> dict[str, Any]:
        """Return everything that can be observed of the guest, its state at the end included."""
        disk = self.disk.digest() if self.disk is not None else None
        clock_ns = self.machine.local_time_ns(0)
        counters = self.counters
        state = self.save()
        return {
            "console": bytes(self.console),
            "exits": self.exits,
            "counters": counters,
            "clock": clock_ns,
            "disk": disk,
            "state": state.digest(),
            "status": self.status,
        }

    # Its surroundings.

    def _advance(self, limit_ns: int) -> None:
        stop_ns = limit_ns if self._cut is None else self._cut(self.now_ns, limit_ns)
        exit_ = self.machine.run(stop_ns)
        self.now_ns = max(self.now_ns, stop_ns if exit_.kind == "until" else exit_.time_ns)
        self._collect()
        if exit_.kind in {"until", "memory"}:
            self.refusals += exit_.kind == "memory"
            return
        assert exit_.kind in {"io", "wait", "shutdown"}, (exit_.kind, exit_.message)
        self.exits.append(
            (exit_.kind, exit_.time_ns, exit_.sector, exit_.bytes, exit_.wake_ns, exit_.code)
        )
        if exit_.kind == "shutdown":
            self.status = exit_.code
        elif exit_.kind == "io":
            assert exit_.tag is not None
            heapq.heappush(self._requests, (exit_.time_ns + DISK_LATENCY_NS, exit_.tag))
        elif self._typed:
            self.machine.console_input(self.vm, self._typed.pop(0))

    def _complete(self) -> None:
        due_ns, tag = heapq.heappop(self._requests)
        self.machine.complete_io(self.vm, tag, due_ns)

    def _collect(self) -> None:
        self.console += self.machine.console_output(self.vm)
