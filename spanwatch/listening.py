"""What the doctor hears on the mirror port: is there traffic, both directions of it, and each frame once?"""

import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.settings import SensorSettings

#: Memory of the ring while listening, and how long one wait for frames is. Our defaults.
RING_BYTES, POLL_S = 16 << 20, 0.25
#: Packets of a connection before it can be said to have one direction only; our default.
ENOUGH = 3
#: Protocol number of TCP.
TCP = 6


class Heard(NamedTuple):
    """What was heard."""

    frames: int
    """Frames taken from the ring, copies included."""
    dropped: int
    """Frames that the kernel had no room for."""
    duplicates: int
    """Frames that came twice within `sensor.duplicate_us`."""
    truncated: int
    """Frames shorter than they were on the wire, or than the packet in them."""
    unknown: int
    """Frames of a link or network layer that is not decoded."""
    connections: int
    """TCP connections of `ENOUGH` packets or more."""
    one_sided: int
    """Those of them with packets of one side only."""


def listen(settings: SensorSettings, seconds: float) -> Heard:
    """Listen on the interface for `seconds` and count; nothing is written anywhere. Raises OSError."""
    from capture.sensor import Sensor, warm_kernels
    from capture.sources.ring import Ring

    warm_kernels()
    sensor = Sensor(settings.model_copy(update={"flows": 65_536}), f"doctor-{os.getpid()}")
    counts = dict.fromkeys(("packets", "duplicates", "truncated", "unknown_link"), 0)
    sides: dict[int, list[int]] = {}

    def take(batches: Iterator) -> None:
        for kind, batch in batches:
            if kind == "health":
                for name in counts:
                    counts[name] += sum(batch[name].to_pylist())
            elif kind == "flows":
                names = ("flow_id", "protocol", "packets_up", "packets_down")
                for flow, protocol, up, down in zip(*(batch[n].to_pylist() for n in names), strict=True):
                    if protocol == TCP:
                        side = sides.setdefault(flow, [0, 0])
                        side[0] += up
                        side[1] += down

    with Ring(settings.interface, RING_BYTES) as ring:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            frames = ring.poll(POLL_S)
            if frames is not None:
                take(sensor.feed(frames))
        dropped, _ = ring.drops()
        take(sensor.finish())
    long = [side for side in sides.values() if sum(side) >= ENOUGH]
    return Heard(
        counts["packets"],
        dropped,
        counts["duplicates"],
        counts["truncated"],
        counts["unknown_link"],
        len(long),
        sum(0 in side for side in long),
    )
