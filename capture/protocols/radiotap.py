"""What cards put before an 802.11 frame: radiotap (radiotap.org), PPI (CACE), Prism and AVS headers."""

import numpy as np

from capture.frames import LINK_ETHERNET
from capture.octets import le16, le32, u8, u32
from pipeline.kernels import packet_kernel

LINK_WLAN, LINK_PRISM, LINK_RADIOTAP, LINK_AVS, LINK_PPI = 105, 119, 127, 163, 192

#: No signal or channel known.
NO_SIGNAL, NO_CHANNEL = 0, 0
#: What `flags` of `card_header` says: a check sequence ends the frame, it was wrong, the header is padded.
CHECKED, WRONG, PADDED = 1, 2, 4
#: The frame is no 802.11 but Ethernet.
WIRED = 8
#: Offsets of `card_header` where there is no frame: it is cut off, or it is not 802.11.
CUT_OFF, OTHER = -1, -2

# Radiotap: bits of the present word, bits of its flags field.
TIME, FLAGS, CHANNEL, HOPPING, SIGNAL, MORE = 0, 1, 3, 4, 5, 31
FLAG_CHECKED, FLAG_PADDED, FLAG_WRONG = 0x10, 0x20, 0x40
#: Present words followed; our default.
WORDS_MAX = 16
# PPI: the field with what all of 802.11 has, and its flags.
PPI_COMMON, PPI_COMMON_BYTES, PPI_CHECKED, PPI_WRONG = 2, 20, 1, 12
#: PPI fields followed; our default.
FIELDS_MAX = 32
# Prism: message codes, and where the items of channel and signal stand in its 144 bytes.
PRISM_CODES, PRISM_BYTES, PRISM_CHANNEL = (0x44, 0x41), 144, 56
#: AVS: version without its last digit; units of its signal.
AVS_MAGIC, AVS_BYTES, AVS_CHANNEL, AVS_UNIT, AVS_SIGNAL, AVS_DBM = 0x802110, 64, 28, 44, 48, 2


@packet_kernel
def channel_of(frequency):
    """Channel number of a centre frequency in MHz (IEEE 802.11-2020, annex E), `NO_CHANNEL` for others."""
    if frequency == 2484:
        return 14
    if 2412 <= frequency <= 2472:
        return (frequency - 2407) // 5
    if 4910 <= frequency <= 4980:
        return (frequency - 4000) // 5
    if 5000 < frequency <= 5925:
        return (frequency - 5000) // 5
    if frequency == 5935:
        return 2
    if 5955 <= frequency <= 7115:
        return (frequency - 5950) // 5
    return NO_CHANNEL


@packet_kernel
def signed(octet):
    """An octet as a signed number."""
    return octet - 256 if octet > 127 else octet


@packet_kernel
def read_radiotap(buf, at, end):
    """(802.11 frame, flags, channel, dBm) behind a radiotap header."""
    flags, channel, signal = np.int64(0), np.int64(NO_CHANNEL), np.int64(NO_SIGNAL)
    if end - at < 8:
        return np.int64(CUT_OFF), flags, channel, signal
    behind = at + le16(buf, at + 2)
    if buf[at] != 0 or behind < at + 8:
        return np.int64(OTHER), flags, channel, signal
    if behind > end:
        return np.int64(CUT_OFF), flags, channel, signal
    present = le32(buf, at + 4)
    position = at + 8
    more = present
    for _ in range(WORDS_MAX):
        if more >> MORE & 1 == 0 or behind - position < 4:
            break
        more = le32(buf, position)
        position += 4
    for field in range(TIME, SIGNAL + 1):
        if present >> field & 1 == 0:
            continue
        # Fields stand at multiples of their own size from the header's start.
        size = 8 if field == TIME else 4 if field == CHANNEL else 2 if field == HOPPING else 1
        aligned = 8 if field == TIME else 2 if field == CHANNEL else 1
        position += (at - position) % aligned
        if position + size > behind:
            break
        if field == FLAGS:
            octet = u8(buf, position)
            if octet & FLAG_CHECKED:
                flags |= CHECKED
            if octet & FLAG_PADDED:
                flags |= PADDED
            if octet & FLAG_WRONG:
                flags |= WRONG
        elif field == CHANNEL:
            channel = np.int64(channel_of(le16(buf, position)))
        elif field == SIGNAL:
            signal = signed(u8(buf, position))
        position += size
    return behind, flags, channel, signal


@packet_kernel
def read_ppi(buf, at, end):
    """(802.11 frame, flags, channel, dBm) behind a PPI header, `WIRED` in flags if it is Ethernet.

    `OTHER` if it leads to another link layer.
    """
    flags, channel, signal = np.int64(0), np.int64(NO_CHANNEL), np.int64(NO_SIGNAL)
    if end - at < 8:
        return np.int64(CUT_OFF), flags, channel, signal
    behind = at + le16(buf, at + 2)
    if buf[at] != 0 or behind < at + 8 or le32(buf, at + 4) not in (LINK_WLAN, LINK_ETHERNET):
        return np.int64(OTHER), flags, channel, signal
    if behind > end:
        return np.int64(CUT_OFF), flags, channel, signal
    if le32(buf, at + 4) == LINK_ETHERNET:
        return behind, np.int64(WIRED), channel, signal
    position = at + 8
    for _ in range(FIELDS_MAX):
        if behind - position < 4:
            break
        kind, length = le16(buf, position), le16(buf, position + 2)
        position += 4
        if position + length > behind:
            break
        if kind == PPI_COMMON and length >= PPI_COMMON_BYTES:
            told = le16(buf, position + 8)
            if told & PPI_CHECKED:
                flags |= CHECKED
            if told & PPI_WRONG:
                flags |= WRONG
            channel = np.int64(channel_of(le16(buf, position + 12)))
            signal = signed(u8(buf, position + 18))
            break
        position += length
    return behind, flags, channel, signal


@packet_kernel
def read_prism(buf, at, end):
    """(802.11 frame, flags, channel, dBm) behind a Prism or AVS header; Prism's signal has no unit."""
    flags, channel, signal = np.int64(0), np.int64(NO_CHANNEL), np.int64(NO_SIGNAL)
    if end - at < 8:
        return np.int64(CUT_OFF), flags, channel, signal
    if u32(buf, at) >> 8 == AVS_MAGIC:
        length = u32(buf, at + 4)
        if length < 8:
            return np.int64(OTHER), flags, channel, signal
        if at + length > end:
            return np.int64(CUT_OFF), flags, channel, signal
        if length >= AVS_BYTES:
            number = u32(buf, at + AVS_CHANNEL)
            channel = number if number < 256 else np.int64(channel_of(number))
            if u32(buf, at + AVS_UNIT) == AVS_DBM:
                signal = signed(u8(buf, at + AVS_SIGNAL + 3))
        return at + length, flags, channel, signal
    # In the byte order of the machine that captured.
    little = le32(buf, at) in PRISM_CODES
    if not little and u32(buf, at) not in PRISM_CODES:
        return np.int64(OTHER), flags, channel, signal
    length = le32(buf, at + 4) if little else u32(buf, at + 4)
    if length < 8:
        return np.int64(OTHER), flags, channel, signal
    if at + length > end:
        return np.int64(CUT_OFF), flags, channel, signal
    if length >= PRISM_BYTES:
        number = le32(buf, at + PRISM_CHANNEL) if little else u32(buf, at + PRISM_CHANNEL)
        channel = number if 0 < number < 256 else channel
    return at + length, flags, channel, signal


@packet_kernel
def card_header(buf, at, end, link):
    """(802.11 frame, flags, channel, dBm) of a frame of this link type; `CUT_OFF` or `OTHER` for no frame."""
    if link == LINK_RADIOTAP:
        return read_radiotap(buf, at, end)
    if link == LINK_PPI:
        return read_ppi(buf, at, end)
    if link in (LINK_PRISM, LINK_AVS):
        return read_prism(buf, at, end)
    return np.int64(at), np.int64(0), np.int64(NO_CHANNEL), np.int64(NO_SIGNAL)
