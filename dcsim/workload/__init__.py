"""What reaches the VMs from outside: requests, their arrival and their form."""

from dcsim.workload.arrivals import Arrivals, arrival_times
from dcsim.workload.frames import (
    ANSWER_MAGIC,
    LARGEST_PAYLOAD_BYTES,
    REQUEST_HEADER_BYTES,
    REQUEST_MAGIC,
    Answer,
    Request,
    decode_answer,
    encode_request,
)

__all__ = [
    "ANSWER_MAGIC",
    "LARGEST_PAYLOAD_BYTES",
    "REQUEST_HEADER_BYTES",
    "REQUEST_MAGIC",
    "Answer",
    "Arrivals",
    "Request",
    "arrival_times",
    "decode_answer",
    "encode_request",
]
