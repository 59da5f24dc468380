"""What every source yields: a block of frames as arrays over one contiguous buffer."""

from typing import NamedTuple

import numpy as np

# LINKTYPE_ numbers as in capture files (tcpdump.org/linktypes.html).
LINK_NULL = 0
LINK_ETHERNET = 1
LINK_RAW = 101

#: `vlan` where the frame carried no stripped tag.
NO_TAG = -1


class Frames(NamedTuple):
    """A block of `count` frames. Arrays may be longer than `count`; the rest is undefined.

    The block is valid until the source's next one is asked for: a ring hands its memory back
    to the kernel, a file reuses its buffer.
    """

    data: np.ndarray
    """uint8[n]: the bytes of all frames, headers of the container in between."""
    start: np.ndarray
    """int64[m]: offset of each frame's first byte in `data`."""
    captured: np.ndarray
    """int64[m]: bytes present of each frame; `start + captured <= len(data)`."""
    wire: np.ndarray
    """int64[m]: bytes the frame had on the wire; at least `captured`."""
    ts: np.ndarray
    """int64[m]: microseconds since 1970-01-01 UTC, from the container."""
    link: np.ndarray
    """int64[m]: LINKTYPE_ number of the frame's first header."""
    vlan: np.ndarray
    """int64[m]: 802.1Q TCI that the capturing kernel stripped, else `NO_TAG`."""
    count: int  # type: ignore[assignment]
    """Frames in the block."""


def empty_frames(data: np.ndarray, frames: int) -> Frames:
    """A block with room for `frames` frames over `data`, none in it yet."""
    start, captured, wire, ts, link, vlan = (np.zeros(frames, np.int64) for _ in range(6))
    return Frames(data, start, captured, wire, ts, link, vlan, count=0)
