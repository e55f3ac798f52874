"""What is run everywhere: every guest program, with arguments that keep it short."""

from __future__ import annotations

from dataclasses import dataclass, field

from dcsim.guest import boot_arguments, programs

MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    """A program with its arguments, and the machine that it needs."""

    name: str
    command: str
    settings: dict[str, int] = field(default_factory=dict)
    memory_mib: int = 32
    disk_mib: int = 0
    typed: tuple[bytes, ...] = ()
    """What is typed on its console, a line each time it waits."""
    status: int = 0
    """What it powers off with."""
    in_order: bool = True
    """Whether its lines come in one order, whatever the speed of the machine."""
    tells_time: bool = False
    """Whether it prints clock values, on lines that begin with ``nano``."""

    @property
    def boot_arguments(self) -> str:
        return boot_arguments(self.command, self.settings)

    @property
    def kernel(self) -> str | None:
        """The settings of the kernel as a scenario has them."""
        words = [f"kernel.{key}={value}" for key, value in self.settings.items()]
        return " ".join(words) or None


_PLAIN = {
    "chase": "chase size=262144 stride=64 steps=20000 seed=3",
    "faults": "faults n=4 pages=48",
    "float": "float steps=150",
    "forkwait": "forkwait n=5 pages=12",
    "integer": "integer iterations=12 seed=7",
    "privread": "privread",
    "server": "server fixed=5+25",
    "syscalls": "syscalls n=1200",
    "trespass": "trespass",
}
_MIXTURE = "run=integer:iterations=3,float:steps=30,forkwait:n=2,faults:n=2,syscalls:n=100"
_OTHERS = [
    # Large pages take several of its time slices to fill.
    Case("chase-large", "chase size=4194304 pages=large steps=20000", {"tick_ms": 1}),
    Case("driver-without-network", "driver workers=1", status=1),
    Case("echo", "echo", typed=(b"one\n", b"and two\n", b"  three, ", b"four\n", b"end\n")),
    Case("files", "files files=4 size=9000", disk_mib=2),
    Case("files-without-disk", "files", status=1),
    Case("forkwait-large", "forkwait n=2 pages=12 large=1"),
    Case("idle", "idle seconds=1 period=250"),
    Case("locks", "locks workers=3 rounds=20 hold=300", in_order=False),
    Case("lookups", "lookups size=262144 steps=200"),
    Case("misbehave-unknown", "misbehave how=well", status=1),
    Case("records", "records records=40 passes=2", disk_mib=1),
    Case("nanobench", "nanobench rounds=40", tells_time=True),
    Case("parallel", "parallel workers=3 rounds=5 work=100", in_order=False),
    Case("server-with-disk", "server fixed=9+12 disk=256 at=100", disk_mib=1),
    # More than fits into its memory; QEMU's smallest machine has more.
    Case("swapper", "swapper size=2000000 passes=2", {"swap_pages": 300}, memory_mib=4, disk_mib=2),
    Case("suite", f"suite {_MIXTURE},trespass"),
    Case("suite-at-once", f"suite parallel=1 {_MIXTURE}", in_order=False),
    Case("suite-with-disk", "suite", disk_mib=8),
    Case("transmit-without-network", "transmit", status=1),
]  # fmt: skip
CASES = [*(Case(name, command) for name, command in _PLAIN.items()), *_OTHERS]


def covered_programs() -> set[str]:
    """Return the programs that a case names as its own."""
    return {case.command.split()[0] for case in CASES}


def known_programs() -> set[str]:
    return {program.name for program in programs()}
