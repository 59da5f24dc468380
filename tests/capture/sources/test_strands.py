"""Walks that only ask: they find records where some are, and no bytes lead them out of the buffer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.sources.container import MAX_FRAME
from capture.sources.strands import STRANDS, ask_ahead, find_record, record_size
from tests.capture.sources.made import NANO, Packet, pcap, pcapng

pytestmark = pytest.mark.uncompiled

PCAP, PCAPNG = (8, 16, 3_600), (4, 0, 0)
PACKETS = [Packet(1_700_000_000_000_000 + index, bytes([255]) * (50 + index), 200) for index in range(100)]


def octets(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_record_is_found_from_within_the_one_before_it(order):
    """From any byte of a record on, the next one's beginning is the first that is taken for one."""
    data = octets(pcap(PACKETS, NANO, order))
    first = 1_700_000_000
    begin = 24
    for packet in PACKETS[:-2]:
        size = record_size(data, begin, len(data), order == ">", PCAP, first)
        assert size == 16 + len(packet.data)
        assert find_record(data, begin + 1, len(data), order == ">", PCAP, first) == begin + size
        begin += size


def test_blocks_are_found_by_their_type():
    """In pcapng two blocks of the type of the first stand one behind the other."""
    data = octets(pcapng(PACKETS))
    begin = data.tobytes().index(b"\6\0\0\0")
    size = record_size(data, begin, len(data), False, PCAPNG, 6)
    assert find_record(data, begin + 1, len(data), False, PCAPNG, 6) == begin + size


def test_where_none_is_none_is_found():
    """Bytes without records, records of another time, and a length beyond all frames are left alone."""
    assert find_record(octets(b"\0" * 5_000), 0, 5_000, False, PCAP, 1_700_000_000) == -1
    data = octets(pcap(PACKETS))
    assert find_record(data, 24, len(data), False, PCAP, 1_800_000_000) == -1
    long = (0).to_bytes(8, "little") + (MAX_FRAME + 100).to_bytes(4, "little") * 2
    assert record_size(octets(long + b"\0" * 100), 0, 116, False, PCAP, 0) == 0


@given(st.binary(max_size=3_000), st.sampled_from([PCAP, PCAPNG]), st.booleans(), st.integers(0, 100))
def test_any_bytes_will_do(data, form, big, begin):
    """It ends, and reads nothing outside."""
    places = np.zeros(STRANDS, np.int64)
    ask_ahead(octets(data), min(begin, len(data)), len(data), big, form, places)


def test_every_walk_ends_where_the_next_began():
    """All walks together pass each record once, and then are over."""
    data = octets(pcap(PACKETS * 20))
    places = np.zeros(STRANDS, np.int64)
    ask_ahead(data, 24, len(data), False, PCAP, places)
    assert (places == -1).all()
