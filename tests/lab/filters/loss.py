"""A mirror that loses frames: a recording with a share of its frames left out, always the same ones.

A congested mirror port drops copies; the network itself lost nothing. So the frames are taken out of the
recording: the levels of loss then differ in what was seen of one and the same traffic, and in nothing else.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

HEADER, RECORD = 24, 16
LITTLE = b"\xd4\xc3\xb2\xa1"
DAY_S = 86_400


def began(source: Path) -> int:
    """When its first frame came, seconds since 1970; 0 of a recording without frames."""
    with open(source, "rb") as file:
        head = file.read(HEADER + RECORD)
    return int(struct.unpack_from("<I", head, HEADER)[0]) if len(head) == HEADER + RECORD else 0


def lose(source: Path, target: Path, share: float, days_before: int = 0) -> tuple[int, int]:
    """Writes the recording without that share of its frames; frames kept and lost.

    `days_before`: as if it had been so many days earlier. Reads what tcpdump writes on this machine
    (pcap 2.4, little endian, microseconds); raises ValueError for other files.
    """
    data = source.read_bytes()
    if data[:4] != LITTLE:
        raise ValueError(f"{source} is no little-endian pcap with microseconds")
    chance = random.Random(f"{source.name} {share}")
    kept = lost = 0
    at = HEADER
    with open(target, "wb") as file:
        file.write(data[:HEADER])
        while at + RECORD <= len(data):
            end = at + RECORD + struct.unpack_from("<I", data, at + 8)[0]
            if chance.random() < share:
                lost += 1
            else:
                seconds = struct.unpack_from("<I", data, at)[0] - days_before * DAY_S
                file.write(struct.pack("<I", seconds) + data[at + 4 : end])
                kept += 1
            at = end
    return kept, lost
