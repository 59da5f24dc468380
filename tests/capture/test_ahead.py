"""Looking ahead finds the buckets that the frames will be looked up in, and changes nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.ahead import AHEAD, SHORTEST, bucket_ahead, look_ahead
from capture.dispatch import run
from capture.flows import NONE, flow_hash
from capture.frames import LINK_RAW
from tests.capture.packets import ACK, T0, Packet, block, ethernet, icmp, ipv4, small_sensor, tcp, udp

pytestmark = pytest.mark.uncompiled

TAG = (0x8100, 7)
PLAIN = [
    tcp(ACK, 1, 2, b"x" * 30),
    udp(b"x" * 30, 5_000, 6_000),
    tcp(ACK, 1, 2, b"x" * 30, source="2001:db8::1", target="2001:db8::2"),
    ethernet(udp(b"x" * 30, 5_000, 6_000)[14:], tags=[TAG]),
    ethernet(udp(b"x" * 30, 5, 6, source="2001:db8::1", target="2001:db8::2")[14:], 0x86DD, tags=[TAG]),
]
OTHERS = [icmp(8, 0, b"\0" * 40), ethernet(b"\0" * 60, 0x0806), ethernet(ipv4(b"\0" * 60, 47))]


@pytest.mark.parametrize("frame", PLAIN)
def test_the_bucket_is_the_flows(frame: bytes) -> None:
    """TCP and UDP, both versions of IP, with a tag and without: the bucket of the packet's own hash."""
    sensor = small_sensor()
    frames = block([Packet(T0, frame)])
    run(sensor.table, frames, 0)
    key = flow_hash(sensor.table.meter[0].seed, sensor.table.packet[0])
    assert bucket_ahead(sensor.table, frames.data, 0, len(frame)) == key & (len(sensor.table.buckets) - 1)


@pytest.mark.parametrize("frame", PLAIN)
def test_cut_off_behind_the_ports_it_is_enough(frame: bytes) -> None:
    """A bare acknowledgement, or a frame cut off there, is looked at; one cut within the ports isn't."""
    table = small_sensor().table
    ports = len(frame) - 30 - (20 if frame in (PLAIN[0], PLAIN[2]) else 8)
    data = block([Packet(T0, frame)]).data
    assert bucket_ahead(table, data, 0, ports + 4) == bucket_ahead(table, data, 0, len(frame)) != NONE
    assert bucket_ahead(table, data, 0, ports + 3) == NONE


@pytest.mark.parametrize("frame", OTHERS)
def test_others_have_none(frame: bytes) -> None:
    """What is no TCP or UDP in plain IP is left alone."""
    assert bucket_ahead(small_sensor().table, block([Packet(T0, frame)]).data, 0, len(frame)) == NONE


def test_a_few_frames_at_a_time() -> None:
    """It looks at `AHEAD` frames or what is left, and not into short ones or other links."""
    table = small_sensor().table
    frames = block([Packet(T0, PLAIN[0])] * (AHEAD + 3))
    assert look_ahead(table, frames, 0) == AHEAD
    assert (table.ahead != NONE).all()
    assert look_ahead(table, frames, AHEAD) == AHEAD + 3
    look_ahead(table, block([Packet(T0, PLAIN[0][: SHORTEST - 1])]), 0)
    assert table.ahead[0] == NONE
    look_ahead(table, block([Packet(T0, PLAIN[0])], LINK_RAW), 0)
    assert table.ahead[0] == NONE


@given(st.binary(min_size=SHORTEST, max_size=SHORTEST + 50))
def test_any_bytes_will_do(data: bytes) -> None:
    """No frame leads outside of itself."""
    table = small_sensor().table
    for kind in (b"\x08\0\x45", b"\x86\xdd\x60", b"\x81\0\0\0\x86\xdd", data[12:15]):
        frame = data[:12] + kind + data[12 + len(kind) :]
        bucket = bucket_ahead(table, np.frombuffer(frame, np.uint8), 0, len(frame))
        assert bucket == NONE or 0 <= bucket < len(table.buckets)
