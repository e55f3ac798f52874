"""What programs compute on QEMU, against models in Python that share no code with them."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MASK32, MASK64 = (1 << 32) - 1, (1 << 64) - 1
HASH_START = 0xCBF29CE484222325
HASH_PRIME = 0x100000001B3
PAGE_WORDS = 512


def hash_word(value: int, word: int) -> int:
    value = (value ^ word) * HASH_PRIME & MASK64
    return value ^ value >> 32


def hash_bytes(value: int, content: bytes) -> int:
    for byte in content:
        value = (value ^ byte) * HASH_PRIME & MASK64
    return value


def random_numbers(state: int) -> Iterator[tuple[int, int]]:
    while True:
        state ^= state >> 12
        state = (state ^ state << 25) & MASK64
        state ^= state >> 27
        yield state, state * 0x2545F4914F6CDD1D & MASK64


def draw(state: int, count: int) -> list[int]:
    numbers = random_numbers(state)
    return [next(numbers)[1] for _ in range(count)]


# ---- integer ----


def crc_word(crc: int, word: int) -> int:
    crc ^= word
    for _ in range(32):
        crc = crc >> 1 ^ 0xEDB88320 if crc & 1 else crc >> 1
    return crc


def lcg(seed: int, count: int) -> list[int]:
    numbers = []
    for _ in range(count):
        seed = (seed * 1664525 + 1013904223) & MASK32
        numbers.append(seed)
    return numbers


def list_part(crc: int) -> int:
    for key in sorted(number >> 16 for number in lcg(crc, 64)):
        crc = crc_word(crc, key)
    return crc


def matrix_part(crc: int) -> int:
    side, trace = range(16), 0
    left = [[(crc + i * 16 + j) & 0xFFFF for j in side] for i in side]
    right = [[(crc ^ (i + j * 16)) & 0xFFFF for j in side] for i in side]
    for i in side:
        for j in side:
            total = sum(left[i][k] * right[k][j] for k in side) & MASK32
            trace = ((trace << 1 | trace >> 31) & MASK32) ^ total
    return crc_word(crc, trace)


def text_part(crc: int) -> int:
    text = ["0123456789.. ,ab"[number >> 28] for number in lcg(crc, 256)]
    visits = {"between": 0, "integer": 0, "fraction": 0, "word": 0}
    state = "between"
    for character in text:
        if character in " ,":
            state = "between"
        elif state == "word" or character in "ab":
            state = "word"
        elif character == ".":
            state = "word" if state == "fraction" else "fraction"
        elif state == "between":
            state = "integer"
        visits[state] += 1
    for count in visits.values():
        crc = crc_word(crc, count)
    return crc


def test_integer(boot: Any) -> None:
    crc = 7
    for _ in range(5):
        crc = text_part(matrix_part(list_part(crc)))
    run = boot("integer iterations=5 seed=7")
    assert run.result("integer") == {"iterations": "5", "crc": f"{crc:08x}"}
    assert run.status == 0


# ---- float ----


def single(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def double_bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def attract(one: list[list[float]], one_mass: float, other: list[list[float]], mass: float) -> None:
    delta = [a - b for a, b in zip(one[0], other[0], strict=True)]
    squared = delta[0] * delta[0] + delta[1] * delta[1] + delta[2] * delta[2]
    factor = 2.0**-7 / (squared * math.sqrt(squared))
    for axis in range(3):
        one[1][axis] -= delta[axis] * mass * factor
        other[1][axis] += delta[axis] * one_mass * factor


def bodies_after(steps: int) -> list[float]:
    masses = [40.0, 0.25, 0.5, 0.125]
    bodies = [
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
        [[5.0, 0.0, 0.5], [0.0, 2.75, 0.0]],
        [[0.0, -9.0, 0.0], [2.0, 0.0, 0.25]],
        [[-14.0, 1.0, 1.0], [0.125, -1.5, 0.0]],
    ]
    for _ in range(steps):
        for i in range(4):
            for j in range(i + 1, 4):
                attract(bodies[i], masses[i], bodies[j], masses[j])
        for position, velocity in bodies:
            for axis in range(3):
                position[axis] += 2.0**-7 * velocity[axis]
    return [coordinate for position, _ in bodies for coordinate in position]


def logistic_after(steps: int) -> float:
    x = 0.5
    for _ in range(steps):
        x = single(single(3.75 * x) * single(1.0 - x))
    return x


def test_float(boot: Any) -> None:
    value = HASH_START
    for number in [*bodies_after(300), logistic_after(300)]:
        value = hash_word(value, double_bits(number))
    assert boot("float steps=300").result("float") == {"steps": "300", "hash": f"{value:016x}"}


# ---- memory and processes ----


def chase_end(slots: int, steps: int, seed: int) -> int:
    successor = list(range(slots))
    for i, number in zip(range(slots - 1, 0, -1), draw(seed, slots), strict=False):
        other = number % i
        successor[i], successor[other] = successor[other], successor[i]
    at = 0
    for _ in range(steps):
        at = successor[at]
    return at


@pytest.mark.parametrize("pages", ["small", "large"])
@pytest.mark.parametrize(("stride", "size"), [(64, 65536), (4096, 1 << 20), (8, 4096)])
def test_chase(boot: Any, stride: int, size: int, pages: str) -> None:
    slots = size // stride
    end = chase_end(slots, 5000, 3)
    run = boot(f"chase size={size} stride={stride} steps=5000 seed=3 pages={pages}")
    assert run.result("chase") == {"slots": str(slots), "steps": "5000", "end": str(end)}


def test_chase_visits_every_slot_before_it_returns() -> None:
    assert chase_end(256, 256, 9) == 0
    assert all(chase_end(256, steps, 9) != 0 for steps in range(1, 256))


def lookups_hash(pages: int, steps: int, writes: int, seed: int) -> int:
    table = {page * PAGE_WORDS: hash_word(HASH_START, page) for page in range(pages)}
    value = HASH_START
    for step, place in enumerate(draw(seed, steps), start=1):
        at = place % pages * PAGE_WORDS + place // pages % 64 * 8
        value = hash_word(value, table.get(at, 0))
        if writes and step % writes == 0:
            table[at] = value
    return value


@pytest.mark.parametrize("writes", [0, 1, 8])
def test_lookups(boot: Any, writes: int) -> None:
    expected = lookups_hash(40, 3000, writes, 5)
    run = boot(f"lookups size={40 * 4096} steps=3000 writes={writes} seed=5")
    assert run.result("lookups") == {"pages": "40", "steps": "3000", "hash": f"{expected:016x}"}


def test_syscalls(boot: Any) -> None:
    assert boot("syscalls n=500").result("syscalls") == {"n": "500", "right": "500"}


def test_faults_finds_every_fresh_page_zero(boot: Any) -> None:
    run = boot("faults n=7 pages=33")
    assert run.result("faults") == {"n": "7", "pages": "33", "zero": str(7 * 33)}


@pytest.mark.parametrize("large", [0, 1])
def test_forkwait_children_see_their_parents_pages_and_keep_their_own(
    boot: Any, large: int
) -> None:
    # Child number n finds page p holding p, whatever its elder siblings wrote there.
    expected = sum((number + sum(range(6))) % 64 for number in range(9))
    run = boot(f"forkwait n=9 pages=6 large={large}")
    assert run.result("forkwait") == {"n": "9", "pages": "6", "sum": str(expected)}


def test_idle_ends_after_its_naps(boot: Any) -> None:
    assert boot("idle seconds=1 period=250").result("idle") == {"naps": "4"}


# ---- server ----


def request(seed: int, number: int, *, disk: bool) -> tuple[int, int, int]:
    state = hash_word(hash_word(HASH_START, seed), number) | 1
    [bits] = draw(state, 1)
    return bits % 16, bits >> 8 & 15, bits >> 16 & 7 if disk else 0


def serve(number: int, compute: int, pages: int, sectors: int, padding: bytes = b"") -> int:
    value = hash_bytes(hash_word(HASH_START, number), padding)
    numbers = random_numbers(value)
    for _ in range(100 * compute):
        value, _ = next(numbers)
    for i in range(pages):
        value = hash_word(value, number + (number + i) % 64)
    return hash_bytes(value, bytes((number + i) & 0xFF for i in range(512 * sectors)))


def share(number: int, result: int) -> int:
    return hash_word(hash_word(HASH_START, number), result)


@pytest.mark.parametrize("with_disk", [False, True])
def test_server_with_a_fixed_list(boot: Any, disk: Path, with_disk: bool) -> None:
    total = sum(share(n, serve(n, *request(5, n, disk=with_disk))) for n in range(40))
    command = "server fixed=5+40" + " disk=512 at=100" * with_disk
    run = boot(command, disk=disk if with_disk else None)
    expected = {"requests": "40", "sum": f"{total & MASK64:016x}"}
    assert run.result("server") == expected


OURS, GUEST = bytes.fromhex("020000000099"), bytes.fromhex("525400000001")
ETHERTYPE = bytes.fromhex("88b5")


def request_frame(
    number: int, compute: int, pages: int, answer_bytes: int, padding: bytes
) -> bytes:
    size = 32 + len(padding)
    payload = struct.pack("<4sIQIIII", b"dcrq", size, number, compute, pages, 0, answer_bytes)
    return GUEST + OURS + ETHERTYPE + payload + padding


def answer_frame(number: int, result: int, answer_bytes: int) -> bytes:
    payload = struct.pack("<4sIQQ", b"dcrp", answer_bytes, number, result)
    return OURS + GUEST + ETHERTYPE + payload.ljust(answer_bytes, b"\0")


def test_server_answers_frames_with_their_results(converse: Any) -> None:
    asked = [
        (number, 3 * number % 7, 5 * number % 40, 24 + 100 * number, bytes(range(50 * number)))
        for number in range(5)
    ]
    answers, run = converse("server requests=5", [request_frame(*each) for each in asked])
    total = 0
    for answer, (number, compute, pages, answer_bytes, padding) in zip(answers, asked, strict=True):
        result = serve(number, compute, pages, 0, padding)
        total += share(number, result)
        assert answer == answer_frame(number, result, answer_bytes)
    assert run.result("server") == {"requests": "5", "sum": f"{total & MASK64:016x}"}
    assert run.status == 0


# ---- the user digest ----


def page_digest(pages: dict[int, list[int]]) -> str:
    value = HASH_START
    for address, words in sorted(pages.items()):
        value = hash_word(value, address)
        for word in words:
            value = hash_word(value, word)
    return f"{value:016x} pages={len(pages)}"


def test_digest_of_a_child_is_that_of_the_pages_it_wrote(boot: Any) -> None:
    # Child number n of forkwait writes n into the first word of each page of its mapping, which is
    # zero otherwise, and nothing else: its stack stays its parent's.
    digests = boot("forkwait n=3 pages=4").digests()
    for number in range(3):
        mapping = {0x1000000000 + 4096 * page: [number] + [0] * 511 for page in range(4)}
        assert digests[f"forkwait#{number + 2}"] == page_digest(mapping)


def test_digest_of_a_large_page_is_that_of_the_small_ones_that_hold_anything(boot: Any) -> None:
    # The child with number 1, the second one, writes that into the first word of each of four pages,
    # over what its parent wrote. Its copy of the large page has nothing else in it.
    digests = boot("forkwait n=2 pages=4 large=1").digests()
    pages = {0x1000000000 + 4096 * page: [1] + [0] * 511 for page in range(4)}
    assert digests["forkwait#3"] == page_digest(pages)
