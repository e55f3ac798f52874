"""Requests and answers as Ethernet frames, in the form that the guest's server program reads.

A frame is destination, source (six bytes each) and EtherType 0x88B5 (the local experimental
one of IEEE 802), then the payload, whose fields are little-endian::

    request   0 magic "dcrq"   4 payload bytes   8 number (64 bit)   16 compute   20 pages
              24 sectors       28 answer bytes   32 padding
    answer    0 magic "dcrp"   4 payload bytes   8 number (64 bit)   16 result (64 bit)   24 padding
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = [
    "ANSWER_MAGIC",
    "LARGEST_PAYLOAD_BYTES",
    "REQUEST_HEADER_BYTES",
    "REQUEST_MAGIC",
    "Answer",
    "Request",
    "decode_answer",
    "encode_request",
]

REQUEST_MAGIC = 0x7172_6364
ANSWER_MAGIC = 0x7072_6364
ETHER_TYPE = b"\x88\xb5"
CLIENT_ADDRESS = b"\x02\x00\x00\x00\x00\x01"
GUEST_ADDRESS = b"\xff\xff\xff\xff\xff\xff"
"""Broadcast: a guest answers whatever address its device has."""

_REQUEST = struct.Struct("<IIQIIII")
_ANSWER = struct.Struct("<IIQQ")
_FRAME_HEADER_BYTES = 14
_PADDING = bytes(range(256))

REQUEST_HEADER_BYTES = _REQUEST.size
LARGEST_PAYLOAD_BYTES = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a request asks of the server program."""

    number: int
    size_bytes: int = 256
    """Payload, header included."""
    compute: int = 1
    """Units of computation."""
    pages: int = 4
    """Pages of memory to touch."""
    sectors: int = 0
    """Disk sectors to write and read back."""
    answer_bytes: int = 64
    """Payload of the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    number: int
    result: int


def encode_request(request: Request) -> bytes:
    """Return the frame of a request.

    Raises
    ------
    ValueError
        When its size is less than its header or more than a frame holds.
    """
    size = request.size_bytes
    if not REQUEST_HEADER_BYTES <= size <= LARGEST_PAYLOAD_BYTES:
        raise ValueError(
            f"a request of {size} bytes is not between {REQUEST_HEADER_BYTES} and "
            f"{LARGEST_PAYLOAD_BYTES}"
        )
    header = _REQUEST.pack(
        REQUEST_MAGIC,
        size,
        request.number,
        request.compute,
        request.pages,
        request.sectors,
        request.answer_bytes,
    )
    padding = size - REQUEST_HEADER_BYTES
    start = request.number % len(_PADDING)
    repeated = _PADDING * (2 + padding // len(_PADDING))
    addresses = GUEST_ADDRESS + CLIENT_ADDRESS + ETHER_TYPE
    return addresses + header + repeated[start : start + padding]


def decode_answer(frame: bytes) -> Answer | None:
    """Return the answer that a frame holds; None when it is something else."""
    payload = frame[_FRAME_HEADER_BYTES:]
    if frame[12:_FRAME_HEADER_BYTES] != ETHER_TYPE or len(payload) < _ANSWER.size:
        return None
    magic, _, number, result = _ANSWER.unpack_from(payload)
    return Answer(number, result) if magic == ANSWER_MAGIC else None
