"""The table of first bytes (`signatures.txt`) as arrays, and the one pass over a head or a datagram.

A line is two words of eight bytes with their masks, and a third at an offset of its own. The lines are sorted
by the first byte that they allow, in the order of the file, so that few are compared with any bytes.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u64
from pipeline.kernels import packet_kernel

#: Groups of lines: who sends them over what. Datagrams have no side: who is the client is a guess there.
TCP_CLIENT, TCP_SERVER, UDP_EITHER = range(3)
GROUPS = {
    ("tcp", "client"): (TCP_CLIENT,),
    ("tcp", "server"): (TCP_SERVER,),
    ("tcp", "either"): (TCP_CLIENT, TCP_SERVER),
    ("udp", "either"): (UDP_EITHER,),
}

SIGNATURE = np.dtype(
    [
        ("mask_1", "i8"),  # of bytes 0 to 7
        ("value_1", "i8"),
        ("mask_2", "i8"),  # of bytes 8 to 15
        ("value_2", "i8"),
        ("mask_3", "i8"),  # of the bytes at `far`
        ("value_3", "i8"),
        ("far", "i4"),
        ("shortest", "i4"),
        ("longest", "i4"),
        ("port", "i4"),  # 0 any
        ("length_add", "i4"),
        ("length_at", "i2"),
        ("length_size", "i1"),  # bytes of the length field, 0 none
        ("length_little", "i1"),
        ("application", "u1"),
        ("check", "u1"),  # index of CHECKS, 0 none
        ("twice", "u1"),
    ],
    align=True,
)
LONGEST = 1 << 30
#: What a check says where more bytes of a stream could tell.
WAIT = -1
#: Longest first message of a stream that a length field may state; our default.
MESSAGE_MAX = 1 << 24
#: A stream's first message need not be there to its end once this many bytes are; our default.
ENOUGH = 512

_TOKENS = re.compile(r'i?"[^"]*"|\S+')
_LENGTH = re.compile(r"([124])@(\d+)(le)?(?:\+(\d+))?")


def _octets_of(token: str) -> list[tuple[int, int]]:
    """(mask, value) of each byte that a token of a line stands for. Raises ValueError."""
    if token.endswith('"'):
        text = token[token.index('"') + 1 : -1].encode("ascii")
        either_case = token.startswith("i")
        return [
            (0xDF, octet & 0xDF) if either_case and chr(octet).isalpha() else (0xFF, octet) for octet in text
        ]
    if len(token) != 2:
        raise ValueError(f"{token}: not a byte")
    masks = [0x0 if digit == "." else 0xF for digit in token]
    values = [0 if digit == "." else int(digit, 16) for digit in token]
    return [(masks[0] << 4 | masks[1], values[0] << 4 | values[1])]


def _words(octets: dict[int, tuple[int, int]], at: int) -> tuple[int, int]:
    """Eight bytes' masks and values as the int64 that `u64` reads."""
    both = [octets.get(at + n, (0, 0)) for n in range(8)]
    mask, value = bytes(m for m, _ in both), bytes(v for _, v in both)
    return int.from_bytes(mask, "big", signed=True), int.from_bytes(value, "big", signed=True)


def read_signature(line: str, checks: tuple[str, ...]) -> tuple[tuple[int, ...], np.ndarray]:
    """(groups, SIGNATURE[1]) of a line of the file. Raises ValueError that says what is wrong with it."""
    word, transport, side, *tokens = _TOKENS.findall(line)
    row = np.zeros(1, SIGNATURE)
    record = row[0]
    if word not in APPLICATION or (transport, side) not in GROUPS:
        raise ValueError(f"{line}: unknown word, transport or side")
    record["application"] = APPLICATION[word]
    record["longest"] = LONGEST
    octets: dict[int, tuple[int, int]] = {}
    at = 0
    for token in tokens:
        option, _, value = token.partition("=")
        if token.startswith("@"):
            at = int(token[1:])
        elif token == "twice":
            record["twice"] = 1
        elif value and option in ("shortest", "longest", "port"):
            record[option] = int(value)
        elif value and option == "check":
            record["check"] = checks.index(value)
        elif value and option == "length":
            found = _LENGTH.fullmatch(value)
            if not found:
                raise ValueError(f"{line}: {value}: not a length")
            record["length_size"], record["length_at"] = int(found[1]), int(found[2])
            record["length_little"] = found[3] is not None
            record["length_add"] = int(found[4] or 0)
        else:
            for octet in _octets_of(token):
                octets[at] = octet
                at += 1
    far = [place for place in octets if place >= 16]
    record["far"] = min(far, default=0)
    if far and max(far) >= record["far"] + 8:
        raise ValueError(f"{line}: more than 8 bytes beyond the first 16")
    record["mask_1"], record["value_1"] = _words(octets, 0)
    record["mask_2"], record["value_2"] = _words(octets, 8)
    if far:
        record["mask_3"], record["value_3"] = _words(octets, int(record["far"]))
    needed = max(octets, default=0) + 1
    if record["length_size"]:
        needed = max(needed, int(record["length_at"]) + int(record["length_size"]))
    record["shortest"] = max(int(record["shortest"]), needed)
    return GROUPS[transport, side], row


@cache
def signature_tables(checks: tuple[str, ...]) -> tuple[np.recarray, np.ndarray, np.ndarray]:
    """(SIGNATURE[lines], int32[…], int32[3, 257]): the lines, their order, where it begins for a first byte.

    The lines that allow first byte `b` in group `g` are `order[starts[g, b] : starts[g, b + 1]]`. `checks`
    are the names that a line's `check` may have, the first empty. Raises ValueError for a line that is wrong.
    """
    text = Path(__file__).with_name("signatures.txt").read_text("utf-8")
    rows: list[np.ndarray] = []
    groups: list[list[int]] = [[], [], []]
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            into, row = read_signature(line, checks)
            for group in into:
                groups[group].append(len(rows))
            rows.append(row)
    lines = np.concatenate(rows).view(np.recarray)
    masks, values = (lines.mask_1 >> 56 & 0xFF).tolist(), (lines.value_1 >> 56 & 0xFF).tolist()
    order: list[int] = []
    starts = np.zeros((len(groups), 257), np.int32)
    for group, members in enumerate(groups):
        for first in range(256):
            starts[group, first] = len(order)
            order += [row for row in members if first & masks[row] == values[row]]
        starts[group, 256] = len(order)
    return lines, np.array(order, np.int32), starts


@packet_kernel
def eight(buf, at, end):
    """The eight bytes at `at` as `u64` reads them, zeros where there are none."""
    if at + 8 <= end:
        return u64(buf, at)
    value = np.int64(0)
    for n in range(8):
        value = value << 8 | (u8(buf, at + n) if at + n < end else 0)
    return value


@packet_kernel
def number_at(buf, at, size, little):
    """`size` bytes as a number, in network order or least first."""
    value = np.int64(0)
    for n in range(size):
        value = value << 8 | u8(buf, at + size - 1 - n if little else at + n)
    return value


@packet_kernel
def fits(line, buf, start, end, word_1, word_2):
    """True if the bytes have the form that the line asks for; its length field aside."""
    n = end - start
    return (
        word_1 & line.mask_1 == line.value_1
        and word_2 & line.mask_2 == line.value_2
        and line.shortest <= n
        and (line.mask_3 == 0 or eight(buf, start + line.far, end) & line.mask_3 == line.value_3)
    )


@packet_kernel
def stated_length(line, buf, start):
    """Length of the message that its length field states."""
    value = number_at(buf, start + line.length_at, line.length_size, line.length_little == 1)
    return value + line.length_add
