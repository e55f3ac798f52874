"""The ring between a type 1 hypervisor and its driver domain, in the form of the guest's program.

A message is an Ethernet frame with EtherType 0x88B5 whose fields are little-endian; its answer is
the message itself with a status. One that moves a packet is as long as the packet::

    message   0 magic "dcdd"   4 operation   8 number (64 bit)   16 sector (64 bit)   24 bytes
              28 status
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["DriverMessage", "DriverOperation", "decode_message"]

_MAGIC = 0x6464_6364
_HEADER = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x02" + b"\x88\xb5"
_MESSAGE = struct.Struct("<IIQQII")


class DriverOperation(IntEnum):
    """What the driver domain is asked for."""

    READ = 1
    WRITE = 2
    SEND = 3
    RECEIVE = 4


@dataclass(frozen=True, slots=True)
class DriverMessage:
    """A message on the ring."""

    operation: DriverOperation
    number: int
    sector: int
    size_bytes: int
    status: int = 0

    def frame(self) -> bytes:
        """Return it as a frame."""
        fields = (_MAGIC, self.operation, self.number, self.sector, self.size_bytes, self.status)
        frame = _HEADER + _MESSAGE.pack(*fields)
        if self.operation in {DriverOperation.SEND, DriverOperation.RECEIVE}:
            frame = frame.ljust(self.size_bytes, b"\0")
        return frame


def decode_message(frame: bytes) -> DriverMessage | None:
    """Return the message in a frame; None when it holds none."""
    if len(frame) < len(_HEADER) + _MESSAGE.size or frame[12:14] != _HEADER[12:]:
        return None
    magic, operation, number, sector, size_bytes, status = _MESSAGE.unpack_from(frame, 14)
    if magic != _MAGIC or operation not in set(DriverOperation):
        return None
    return DriverMessage(DriverOperation(operation), number, sector, size_bytes, status)
