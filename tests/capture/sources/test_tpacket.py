"""The walk over a ring's blocks, laid out as the kernel lays them out, and damaged ones."""

import struct

import numpy as np
import pytest

from capture.frames import NO_TAG, Frames, empty_frames
from capture.sources import tpacket


def block(frames: list[tuple[bytes, dict]], size: int) -> np.ndarray:
    """A block as the kernel lays it out, padded to `size`."""
    at = tpacket.BLOCK_HEADER
    laid = bytearray(size)
    struct.pack_into("=IIIII", laid, 0, 1, 0, tpacket.STATUS_USER, len(frames), at)
    for index, (data, fields) in enumerate(frames):
        mac = tpacket.FRAME_HEADER + 14
        step = (mac + len(data) + 15) // 16 * 16
        struct.pack_into(
            "=IIIIIIHHII", laid, at,
            0 if index == len(frames) - 1 else step, fields.get("sec", 1), fields.get("nsec", 2_999),
            fields.get("snaplen", len(data)), fields.get("len", len(data)), fields.get("status", 1),
            fields.get("mac", mac), mac + 14, 0, fields.get("tci", 0),
        )  # fmt: skip
        laid[at + tpacket.PACKET_TYPE] = fields.get("type", 0)
        laid[at + mac : at + mac + len(data)] = data
        at += step
    return np.frombuffer(bytes(laid), np.uint8).copy()


def walk(data: np.ndarray, room: int = 100) -> Frames:
    frames = empty_frames(data, room)
    count = tpacket.walk_block(
        data, 0, len(data), 0, frames.start, frames.captured, frames.wire, frames.ts, frames.vlan
    )
    return frames._replace(count=int(count))


def test_walks_over_a_block():
    """Each frame of a block comes with its bytes, lengths, time in µs and the tag the kernel took out."""
    frames = walk(
        block(
            [
                (b"first frame", {}),
                (b"tagged", {"status": tpacket.STATUS_VLAN_VALID | 1, "tci": 0x6064, "len": 2_000}),
            ],
            4_096,
        )
    )
    assert frames.count == 2
    texts = [
        bytes(frames.data[s : s + n]) for s, n in zip(frames.start[:2], frames.captured[:2], strict=True)
    ]
    assert texts == [b"first frame", b"tagged"]
    assert frames.ts[:2].tolist() == [1_000_002, 1_000_002]
    assert frames.vlan[:2].tolist() == [NO_TAG, 0x6064]
    assert frames.wire[:2].tolist() == [11, 2_004]


def test_leaves_out_what_this_machine_sent():
    """Frames marked outgoing are no part of the mirror."""
    frames = walk(block([(b"mine", {"type": tpacket.PACKET_OUTGOING}), (b"theirs", {})], 4_096))
    assert frames.count == 1
    assert frames.captured[0] == 6


@pytest.mark.parametrize("seed", range(50))
def test_stays_inside_a_damaged_block(seed):
    """Whatever stands in a block, the frames that come out lie within it and within the arrays."""
    rng = np.random.default_rng(seed)
    data = block([(bytes(rng.integers(0, 256, 60, np.uint8)), {}) for _ in range(20)], 4_096)
    places = rng.integers(0, len(data), rng.integers(1, 200))
    data[places] = rng.integers(0, 256, len(places), np.uint8)
    frames = walk(data, room=8)
    assert 0 <= frames.count <= 8
    ends = frames.start[: frames.count] + frames.captured[: frames.count]
    assert (frames.start[: frames.count] >= 0).all()
    assert (ends <= len(data)).all()
    assert (frames.wire[: frames.count] >= frames.captured[: frames.count]).all()
