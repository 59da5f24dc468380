"""Compiling the walks of all sources ahead of the first frame."""

import numpy as np

from capture.frames import empty_frames
from capture.sources.classic import FILE_HEADER, MAGICS, Classic
from capture.sources.pcapng import Pcapng
from capture.sources.tpacket import walk_block


def warm_sources() -> None:
    """Compiles, or loads from the cache, what walks over pcap, pcapng and the ring."""
    data = np.zeros(FILE_HEADER, np.uint8)
    data[:4] = np.frombuffer(next(iter(MAGICS)), np.uint8)
    frames = empty_frames(data, 1)
    for container in (Classic(frames), Pcapng(frames)):
        container.walk(0, 0)
        container.ask(0, 0)
    walk_block(data, 0, 0, 0, frames.start, frames.captured, frames.wire, frames.ts, frames.vlan)
