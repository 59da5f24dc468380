"""What is read before an 802.11 frame: where it begins, its check sequence, channel and signal."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.radiotap import (
    CHECKED,
    CUT_OFF,
    LINK_AVS,
    LINK_PPI,
    LINK_PRISM,
    LINK_RADIOTAP,
    LINK_WLAN,
    OTHER,
    PADDED,
    WIRED,
    WRONG,
    card_header,
    channel_of,
)

pytestmark = pytest.mark.uncompiled


def header(data: bytes, link: int, before: bytes = b"\xff" * 3) -> tuple[int, ...]:
    """What is said of `data`, the offset counted from its first byte."""
    buf = np.frombuffer(before + data, np.uint8)
    at, *rest = (int(n) for n in card_header(buf, len(before), len(buf), link))
    return (at - len(before) if at >= 0 else at, *rest)


def radiotap(present: int, fields: bytes, *more: int) -> bytes:
    words = struct.pack(f"<{1 + len(more)}I", present, *more)
    return struct.pack("<BBH", 0, 0, 4 + len(words) + len(fields)) + words + fields


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (radiotap(0, b""), (8, 0, 0, 0)),
        # Time, flags, rate, channel, signal.
        (
            radiotap(0x2F, bytes(8) + b"\x10\x0c" + struct.pack("<HH", 2437, 0xA0) + b"\xc4"),
            (23, CHECKED, 6, -60),
        ),
        # A byte of flags, one of rate, then the channel at an even place.
        (radiotap(0x0A, b"\x60\0" + struct.pack("<HH", 5180, 0)), (14, WRONG | PADDED, 36, 0)),
        # Hopping is two bytes.
        (radiotap(0x30, b"\x01\x02\xb0"), (11, 0, 0, -80)),
        # Two more words, of other antennas, come before the fields.
        (radiotap(0xA0000020, b"\0\0\0\0\xd0\xd1", 0xA0000020, 0x20), (22, 0, 0, 0)),
        (radiotap(0xA0000020, b"\xd0\xd1\xd2", 0xA0000020, 0x20), (19, 0, 0, -48)),
        # The time stands at a multiple of 8 behind 12 bytes of header.
        (radiotap(0x80000021, bytes(4) + bytes(8) + b"\xe0", 0x20), (25, 0, 0, -32)),
        # Fields that the header has no room for.
        (radiotap(0x2F, bytes(8)), (16, 0, 0, 0)),
        (radiotap(0x80000000, b""), (8, 0, 0, 0)),
    ],
)
def test_radiotap(data: bytes, told: tuple[int, ...]) -> None:
    """Fields are found at their alignment, whatever words come before."""
    assert header(data + bytes(30), LINK_RADIOTAP) == told


def common(flags: int = 0, frequency: int = 2412, signal: int = -50) -> bytes:
    return struct.pack("<HHQHHHHBBbb", 2, 20, 0, flags, 0, frequency, 0, 0, 0, signal, 0)


def ppi(*fields: bytes, link: int = 105) -> bytes:
    packed = b"".join(fields)
    return struct.pack("<BBHI", 0, 0, 8 + len(packed), link) + packed


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (ppi(), (8, 0, 0, 0)),
        (ppi(common(1)), (32, CHECKED, 1, -50)),
        (ppi(struct.pack("<HH3s", 9, 3, b"abc"), common(5)), (39, CHECKED | WRONG, 1, -50)),
        (ppi(struct.pack("<HH", 2, 30) + bytes(4)), (16, 0, 0, 0)),
        (ppi(common(), link=1), (32, WIRED, 0, 0)),
        (ppi(link=9), (OTHER, 0, 0, 0)),
    ],
)
def test_ppi(data: bytes, told: tuple[int, ...]) -> None:
    """The common field is found among others; a PPI header before another link layer is none of 802.11."""
    assert header(data + bytes(30), LINK_PPI) == told


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", [0x44, 0x41])
def test_prism(order: str, code: int) -> None:
    """A Prism header is in the byte order of its machine."""
    data = (
        struct.pack(order + "II16s", code, 144, b"wlan0")
        + bytes(24)
        + struct.pack(order + "IHHI", 2, 0, 4, 11)
    )
    assert header(data.ljust(144, b"\0") + bytes(30), LINK_PRISM) == (144, 0, 11, 0)


@pytest.mark.parametrize("link", [LINK_PRISM, LINK_AVS])
def test_avs(link: int) -> None:
    """An AVS header comes under its own number and under Prism's; its signal has a unit."""
    data = struct.pack("!IIQQIIIIIIi", 0x80211001, 64, 0, 0, 4, 6, 110, 0, 0, 2, -71).ljust(64, b"\0")
    assert header(data + bytes(30), link) == (64, 0, 6, -71)
    raw = data[:44] + b"\0\0\0\x03" + data[48:]
    assert header(raw + bytes(30), link) == (64, 0, 6, 0)


@pytest.mark.parametrize(
    ("data", "link", "told"),
    [
        (b"", LINK_RADIOTAP, CUT_OFF),
        (b"\0\0\x20\0" + bytes(8), LINK_RADIOTAP, CUT_OFF),
        (b"\1\0\x08\0" + bytes(8), LINK_RADIOTAP, OTHER),
        (b"\0\0\x07\0" + bytes(8), LINK_RADIOTAP, OTHER),
        (b"", LINK_PPI, CUT_OFF),
        (ppi(common())[:20], LINK_PPI, CUT_OFF),
        (b"\0\0\x07\0\x69\0\0\0" + bytes(8), LINK_PPI, OTHER),
        (b"", LINK_PRISM, CUT_OFF),
        (bytes(64), LINK_PRISM, OTHER),
        (struct.pack("<II", 0x44, 144), LINK_PRISM, CUT_OFF),
        (struct.pack("<II", 0x44, 7), LINK_PRISM, OTHER),
        (struct.pack("!II", 0x80211001, 64), LINK_AVS, CUT_OFF),
        (struct.pack("!II", 0x80211001, 4), LINK_AVS, OTHER),
    ],
)
def test_unsound_headers(data: bytes, link: int, told: int) -> None:
    """A header that is cut off or says of itself that it is shorter than it is leads to no frame."""
    assert header(data, link)[0] == told


def test_no_header() -> None:
    """A bare 802.11 frame begins where it is."""
    assert header(bytes(30), LINK_WLAN) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("frequency", "channel"),
    [(2412, 1), (2472, 13), (2484, 14), (5180, 36), (5885, 177), (4920, 184), (5955, 1), (7115, 233),
     (5935, 2), (0, 0), (900, 0), (60480, 0)],
)  # fmt: skip
def test_channels(frequency: int, channel: int) -> None:
    """The bands of 2.4, 4.9, 5 and 6 GHz each count their channels in their own way; others have none."""
    assert channel_of(frequency) == channel


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([LINK_PRISM, LINK_RADIOTAP, LINK_AVS, LINK_PPI]), st.binary(max_size=150))
def test_any_bytes(link: int, data: bytes) -> None:
    """No bytes are read beyond their end, and a frame that is found lies within them."""
    at, _, channel, signal = header(data, link)
    assert at in (CUT_OFF, OTHER) or 0 < at <= len(data)
    assert 0 <= channel < 256
    assert -128 <= signal < 128
