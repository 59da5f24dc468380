"""Link layers: tags, LLC, raw IP, BSD loopback, cooked captures, cut frames."""

import struct

import numpy as np
import pytest

from tests.capture.packets import (
    CLIENT,
    SERVER,
    SYN,
    T0,
    Packet,
    block,
    ethernet,
    ipv4,
    ipv6,
    rows_of,
    small_sensor,
    tcp,
)

INNER = ipv4(tcp(SYN, 1)[34:], 6)
SIX = ipv6(tcp(SYN, 1)[34:], 6, "2001:db8::1", "2001:db8::2")


@pytest.mark.parametrize(
    ("tags", "vlan"),
    [
        ([], 0),
        ([(0x8100, 10)], 10),
        ([(0x8100, 0xE000 | 10)], 10),
        ([(0x88A8, 100), (0x8100, 20)], 20),
        ([(0x9100, 7), (0x8100, 8), (0x8100, 9)], 9),
        ([(0x8100, 30), (0x8100, 0)], 30),
        ([(0x8100, 0)], 0),
        ([(0x8100, 4_095)], 4_095),
        ([(0x8100, 1)] * 50, 1),
    ],
)
def test_tags(tags: list[tuple[int, int]], vlan: int) -> None:
    """The innermost tag with an identifier is the VLAN; a priority tag is none."""
    row = rows_of([Packet(T0, ethernet(INNER, tags=tags))]).flow
    assert (row["vlan"], row["client"], row["bytes_up"]) == (vlan, CLIENT, len(INNER))


def test_a_tag_that_the_kernel_stripped() -> None:
    """A tag beside the frame counts as one in it; one in it is further in."""
    sensor = small_sensor()
    frames = block([Packet(T0, ethernet(INNER)), Packet(T0, ethernet(INNER, tags=[(0x8100, 5)]))])
    frames = frames._replace(vlan=np.full(2, 0x2000 | 77, np.int64))
    list(sensor.feed(frames._replace(count=1)))
    (flows,) = [batch for kind, batch in sensor.finish() if kind == "flows"]
    assert flows.column("vlan").to_pylist() == [77]
    sensor = small_sensor()
    list(sensor.feed(frames))
    (flows,) = [batch for kind, batch in sensor.finish() if kind == "flows"]
    assert flows.column("vlan").to_pylist()[0] in (5, 77)


MACS = b"\2\0\0\0\0\2\2\0\0\0\0\1"


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, ethernet(INNER)),
        (1, MACS + struct.pack("!H", len(INNER) + 8) + b"\xaa\xaa\x03\0\0\0\x08\0" + INNER),
        (101, INNER),
        (12, INNER),
        (14, INNER),
        (228, INNER),
        (0, b"\x02\0\0\0" + INNER),
        (108, b"\0\0\0\x02" + INNER),
        (113, struct.pack("!HHH", 0, 1, 6) + b"\2\0\0\0\0\1\0\0\x08\0" + INNER),
        (113, struct.pack("!HHH", 0, 1, 6) + b"\2\0\0\0\0\1\0\0\x81\0\0\x07\x08\0" + INNER),
        (276, struct.pack("!HHIHBB", 0x0800, 0, 3, 1, 0, 6) + b"\2\0\0\0\0\1\0\0" + INNER),
    ],
)
def test_link_layers_of_ipv4(link: int, frame: bytes) -> None:
    """The same packet is found behind each link layer."""
    row = rows_of([Packet(T0, frame)], link=link).flow
    ends = (row["client"], row["server"])
    assert (ends, row["bytes_up"], row["flags_up"]) == ((CLIENT, SERVER), len(INNER), SYN)


@pytest.mark.parametrize(
    ("link", "frame"),
    [(1, ethernet(SIX, 0x86DD)), (101, SIX), (229, SIX), (0, b"\x1e\0\0\0" + SIX), (0, b"\x18\0\0\0" + SIX)],
)
def test_link_layers_of_ipv6(link: int, frame: bytes) -> None:
    """IPv6 is told by the type, or by the version where there is none that all systems share."""
    assert rows_of([Packet(T0, frame)], link=link).flow["client"] == "2001:db8::1"


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, ethernet(b"\0" * 46, 0x9000)),
        (1, MACS + b"\0\x26\xe0\xe0\x03" + bytes(35)),
        (101, b"\x20" + bytes(30)),
        (9_999, INNER),
    ],
)
def test_what_is_not_decoded_is_counted(link: int, frame: bytes) -> None:
    """Other types and link layers are counted as unknown, and are packets all the same."""
    rows = rows_of([Packet(T0, frame)], link=link)
    assert (rows.flows, rows.total("unknown_link"), rows.total("packets")) == ([], 1, 1)


@pytest.mark.parametrize("link", [0, 1, 12, 14, 101, 108, 113, 228, 229, 276])
def test_cut_frames_are_counted(link: int) -> None:
    """A frame cut anywhere is truncated, unknown or counted in a flow: exactly one of them."""
    heads = {0: b"\x02\0\0\0", 108: b"\0\0\0\2", 1: MACS + b"\x81\0\0\x05\x08\0"}
    heads[113] = struct.pack("!HHH", 0, 1, 6) + b"\2\0\0\0\0\1\0\0\x08\0"
    heads[276] = struct.pack("!HHIHBB", 0x0800, 0, 3, 1, 0, 6) + b"\2\0\0\0\0\1\0\0"
    frame = heads.get(link, b"") + INNER
    for size in range(0, len(frame), 1 if link in (1, 276) else 7):
        rows = rows_of([Packet(T0, frame[:size] or b"", len(frame))], link=link)
        counted = rows.total("truncated") + rows.total("malformed") + rows.total("unknown_link")
        assert rows.total("packets") == 1
        assert rows.total("bytes") == len(frame)
        assert counted + len(rows.flows) >= 1, size
        assert rows.flows or counted == 1, size
