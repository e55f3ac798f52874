"""Where a virtual disk says its bytes are, there they are: against an array of bytes.

A device that keeps real bytes stands behind the places. Whatever is written, discarded, frozen,
copied on write or merged, and whenever the host's disk is full: reading the places gives what was
acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.host import BLOCK_BYTES, FileStore, Run
from dcsim.hypervisor import FileDisk
from dcsim.hypervisor.virtual_disk import SECTOR_BYTES, Layer, parts

BLOCKS = 12
SECTORS = BLOCKS * BLOCK_BYTES // SECTOR_BYTES
ROOM = 40


@dataclass
class Device:
    """Bytes by block of the host's disk; what was never written is what somebody left there."""

    blocks: dict[int, bytearray] = field(default_factory=dict)

    def block(self, number: int) -> bytearray:
        return self.blocks.setdefault(number, bytearray(b"\xee" * BLOCK_BYTES))

    def read(self, offset: int, size: int) -> bytes:
        number, start = divmod(offset, BLOCK_BYTES)
        if start + size <= BLOCK_BYTES:
            return bytes(self.block(number)[start : start + size])
        first = BLOCK_BYTES - start
        return self.read(offset, first) + self.read(offset + first, size - first)

    def write(self, offset: int, content: bytes) -> None:
        number, start = divmod(offset, BLOCK_BYTES)
        part, rest = content[: BLOCK_BYTES - start], content[BLOCK_BYTES - start :]
        self.block(number)[start : start + len(part)] = part
        if rest:
            self.write(offset + len(part), rest)


def content(disk: FileDisk, device: Device) -> bytes:
    """Read a whole disk, block by block: a block that is nowhere is zero."""
    found = b""
    for block in range(BLOCKS):
        pieces = disk.read(block * BLOCK_BYTES // SECTOR_BYTES, BLOCK_BYTES)
        assert len(pieces) <= 1
        found += device.read(*pieces[0]) if pieces else bytes(BLOCK_BYTES)
    return found


def write(disk: FileDisk, device: Device, sector: int, data: bytes) -> bool:
    """Write as a device does that is given a plan: copied blocks first, in full; then the rest."""
    partial = [block for block, _, count in parts(sector, len(data)) if count < BLOCK_BYTES]
    fresh = [block for block in partial if disk.top.file.place(block) is None]
    below = [block for block in fresh if disk.read(block * 8, BLOCK_BYTES)]
    plan = disk.write(sector, len(data))
    if plan is None:
        return False
    copies = [device.read(p.offset_bytes + at, BLOCK_BYTES) for p in plan.copied for at in range(0, p.size_bytes, BLOCK_BYTES)]  # fmt: skip
    done = 0
    for block, start, count in parts(sector, len(data)):
        place = disk.top.file.place(block)
        assert place is not None
        if block in fresh:
            # A block that had no place here: its rest is from below, or zero.
            rest = copies.pop(0) if block in below else bytes(BLOCK_BYTES)
            device.write(place * BLOCK_BYTES, rest)
        device.write(place * BLOCK_BYTES + start, data[done : done + count])
        done += count
    assert not copies
    return True


def new_layer(store: FileStore, disk: FileDisk | None, name: str) -> FileDisk | None:
    """Put a layer on a copy of a disk's layers; None without room for it."""
    file = store.create(name)
    if file is None:
        return None
    below = disk.layers if disk is not None else []
    for layer in below:
        layer.users += 1
    return FileDisk(store, BLOCKS * BLOCK_BYTES, [*below, Layer(file, name)])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "discard", "layer", "clone"]),
        st.integers(0, SECTORS - 1),
        st.integers(1, 3 * BLOCK_BYTES // SECTOR_BYTES),
        st.integers(1, 255),
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_what_was_acknowledged_is_read_again(steps: list[tuple[str, int, int, int]]) -> None:
    store, device = FileStore(Run(256, ROOM)), Device()
    disk = new_layer(store, None, "d.0")
    assert disk is not None
    wanted = bytearray(BLOCKS * BLOCK_BYTES)
    others: list[tuple[FileDisk, bytes]] = []
    for number, (action, sector, sectors, byte) in enumerate(steps):
        start = sector * SECTOR_BYTES
        size = min(sectors, SECTORS - sector) * SECTOR_BYTES
        if action == "write":
            if write(disk, device, sector, bytes([byte]) * size):
                wanted[start : start + size] = bytes([byte]) * size
        elif action == "discard":
            # Only whole blocks read as zeros afterwards.
            disk.discard(sector, size)
            first, last = -(-start // BLOCK_BYTES), (start + size) // BLOCK_BYTES
            wanted[first * BLOCK_BYTES : last * BLOCK_BYTES] = bytes(max(0, last - first) * BLOCK_BYTES)  # fmt: skip
        elif action == "layer":
            file = store.create(f"d.{number + 1}")
            if file is not None:
                disk.layers.append(Layer(file, "d"))
        else:
            other = new_layer(store, disk, f"c.{number}")
            top = store.create(f"d.{number + 1}")
            if other is not None and top is not None:
                # From here both go their own ways above what they share.
                others.append((other, bytes(wanted)))
                disk.layers = [*disk.layers, Layer(top, "d")]
        assert content(disk, device) == wanted
        store.check("host")
    for other, then in others:
        assert content(other, device) == then
