"""Looking ahead finds the hashes that the frames will be looked up by, and changes nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.ahead import AHEAD, PORTS, SHORTEST, key_ahead, look_ahead
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
def test_the_hash_is_the_flows(frame: bytes) -> None:
    """TCP and UDP, both versions of IP, tagged or not: the packet's own hash, and where its ports are."""
    sensor = small_sensor()
    frames = block([Packet(T0, frame)])
    run(sensor.table, frames, 0)
    packet = sensor.table.packet[0]
    assert key_ahead(sensor.table, frames.data, 0, len(frame)) == (
        flow_hash(sensor.table.meter[0].seed, packet),
        packet.at,
    )


@pytest.mark.parametrize("frame", PLAIN)
def test_cut_off_behind_the_ports_it_is_enough(frame: bytes) -> None:
    """A bare acknowledgement, or a frame cut off there, is looked at; one cut within the ports isn't."""
    table = small_sensor().table
    ports = len(frame) - 30 - (20 if frame in (PLAIN[0], PLAIN[2]) else 8)
    data = block([Packet(T0, frame)]).data
    key, found = key_ahead(table, data, 0, ports + 4)
    assert (key, found) == (key_ahead(table, data, 0, len(frame))[0], ports)
    assert key_ahead(table, data, 0, ports + 3)[1] == NONE


@pytest.mark.parametrize("frame", OTHERS)
def test_others_have_none(frame: bytes) -> None:
    """What is no TCP or UDP in plain IP is left alone."""
    assert key_ahead(small_sensor().table, block([Packet(T0, frame)]).data, 0, len(frame))[1] == NONE


def test_a_few_frames_at_a_time() -> None:
    """It looks at `AHEAD` frames or what is left, and not into short ones or other links."""
    table = small_sensor().table
    frames = block([Packet(T0, PLAIN[0])] * (AHEAD + 3))
    assert look_ahead(table, frames, 0) == AHEAD
    assert (table.ahead[:, PORTS] != NONE).all()
    assert look_ahead(table, frames, AHEAD) == AHEAD + 3
    look_ahead(table, block([Packet(T0, PLAIN[0][: SHORTEST - 1])]), 0)
    assert table.ahead[0, PORTS] == NONE
    look_ahead(table, block([Packet(T0, PLAIN[0])], LINK_RAW), 0)
    assert table.ahead[0, PORTS] == NONE


@given(st.binary(min_size=SHORTEST, max_size=SHORTEST + 50))
def test_any_bytes_will_do(data: bytes) -> None:
    """No frame leads outside of itself."""
    table = small_sensor().table
    for kind in (b"\x08\0\x45", b"\x86\xdd\x60", b"\x81\0\0\0\x86\xdd", data[12:15]):
        frame = data[:12] + kind + data[12 + len(kind) :]
        ports = key_ahead(table, np.frombuffer(frame, np.uint8), 0, len(frame))[1]
        assert ports == NONE or 0 < ports <= len(frame) - 4
