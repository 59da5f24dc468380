"""Which announcements of switches are found in a frame, and what is left as unknown."""

import numpy as np
import pytest

from capture.announcements import READ, UNKNOWN, UNSOUND, sight_link
from capture.link import ETHERTYPE_LLC
from tests.capture.packets import small_sensor

pytestmark = pytest.mark.uncompiled

LLDP = b"\x02\x07\x04\x02\0\0\0\0\xa0\x04\x02\x071\x06\x02\0\x78"
CDP = b"\x02\xb4\0\0\0\x01\0\x06ab"
TREE = b"\0\0\0\x80"


@pytest.mark.parametrize(
    ("ethertype", "data", "outcome"),
    [
        (0x88CC, LLDP, READ),
        (0x88CC, LLDP[:5], UNSOUND),
        (0x2000, CDP, READ),
        (0x2000, CDP[:7], UNSOUND),
        (ETHERTYPE_LLC, b"\xaa\xaa\x03\0\0\x0c\x20\0" + CDP, READ),
        (ETHERTYPE_LLC, b"\xaa\xaa\x03\0\0\x0c\x20\0", UNSOUND),
        (ETHERTYPE_LLC, b"\xaa\xaa\x03\0\0\x0c\x01\x0b" + TREE, READ),
        (ETHERTYPE_LLC, b"\xaa\xaa\x03\0\0\x0c\x01\x0b" + TREE[:3], UNSOUND),
        (ETHERTYPE_LLC, b"\xaa\xaa\x03\0\0\x0c\x01", UNKNOWN),
        (ETHERTYPE_LLC, b"\xaa\xaa\x03\0\0\x0d\x20\0" + CDP, UNKNOWN),
        (ETHERTYPE_LLC, b"\x42\x42\x03" + TREE, READ),
        (ETHERTYPE_LLC, b"\x42\x42\x03\0", UNSOUND),
        (ETHERTYPE_LLC, b"\x42\x42\x03\0\x01", UNKNOWN),
        (ETHERTYPE_LLC, b"\x42\x42", UNKNOWN),
        (ETHERTYPE_LLC, b"\xe0\xe0\x03" + bytes(30), UNKNOWN),
        (0x9000, bytes(46), UNKNOWN),
        (-1, b"", UNKNOWN),
    ],
)
def test_outcomes(ethertype: int, data: bytes, outcome: int) -> None:
    """What is announced is read, counted as unsound, or left as unknown; nothing else is touched."""
    table = small_sensor().table
    buf = np.frombuffer(b"\xff" * 3 + data, np.uint8)
    assert sight_link(table, buf, 3, len(buf), ethertype) == outcome
    assert table.meter[0].sighting_rows == (1 if outcome == READ else 0)
