"""Google QUIC, which came before the IETF's (Langley and Chang, "QUIC Crypto", 2016): the CHLO's server name.

Up to Q043 a packet of the client's first flight has the public header: flags, an eight-byte connection id,
the version, a packet number. From Q044 to Q046 it has a long header with both connection id lengths in one
byte. Then come a hash of 12 bytes and, in the clear, a stream frame with the message.
"""

import numpy as np

from capture.flows import NAME_MAX
from capture.octets import le16, le32, put_name, u8, u32
from capture.protocols.outcomes import DONE, MORE, NOT
from pipeline.kernels import packet_kernel
from pipeline.records import NAME_SOURCES

NAME_FROM_QUIC = NAME_SOURCES.index("quic")
FLAG_VERSION, FLAG_RESET, FLAG_CID, FLAG_LONG = 0x01, 0x02, 0x08, 0x80
#: `Q0`, `CHLO`, `SNI` and its zero as they stand on the wire.
LETTERS_Q0, LETTERS_CHLO, LETTERS_SNI = 0x5130, 0x43484C4F, 0x534E4900
#: Bytes before the message at most: packet number, hash, private flags, frame header; our default.
MESSAGE_REACH = 48
#: Tags that a message may have; our default.
TAGS = 128


@packet_kernel
def is_google_version(version):
    """True for Q000 to Q099 as the four letters stand on the wire."""
    return version >> 16 == LETTERS_Q0 and 48 <= (version >> 8 & 255) <= 57 and 48 <= (version & 255) <= 57


@packet_kernel
def has_public_header(buf, start, end):
    """True for a public header with connection id and version, as clients send it until they are answered."""
    if end - start < 14:
        return False
    flags = u8(buf, start)
    return flags & (
        FLAG_LONG | FLAG_RESET | FLAG_VERSION | FLAG_CID
    ) == FLAG_VERSION | FLAG_CID and is_google_version(u32(buf, start + 9))


@packet_kernel
def read_public_header(buf, start, end, slot, flow):
    """Read a packet of a version whose first messages are in the clear.

    DONE if it holds the client's hello, MORE if not, NOT if it is no such packet.
    """
    if u8(buf, start) & FLAG_LONG:
        if end - start < 6 or not is_google_version(u32(buf, start + 1)):
            return NOT
        lengths = u8(buf, start + 5)
        to, source = lengths >> 4, lengths & 15
        at = start + 6 + (to + 3 if to else 0) + (source + 3 if source else 0)
    else:
        at = start + 13
    for p in range(at, min(at + MESSAGE_REACH, end - 8)):
        if u32(buf, p) == LETTERS_CHLO:
            google_hello(buf, p, end, slot, flow)
            return DONE
    return MORE if at < end else NOT


@packet_kernel
def google_hello_bytes(data, at, have):
    """Bytes of the CHLO message at `at`, of which `have` are there; 0 too early to tell, -1 no CHLO."""
    if u32(data, at) != LETTERS_CHLO:
        return np.int64(-1)
    if have < 8:
        return np.int64(0)
    tags = le16(data, at + 4)
    if tags == 0 or tags > TAGS:
        return np.int64(-1)
    if have < 8 + 8 * tags:
        return np.int64(0)
    return 8 + 8 * tags + le32(data, at + 4 + 8 * tags)


@packet_kernel
def google_hello(buf, at, end, slot, flow):
    """Read the server name of the CHLO message at `at`: tags and the ends of their values, the values."""
    if end - at < 8:
        return
    tags = le16(buf, at + 4)
    values = at + 8 + 8 * tags
    if tags > TAGS or values > end:
        return
    low = np.int64(0)
    for n in range(tags):
        entry = at + 8 + 8 * n
        high = le32(buf, entry + 4)
        if high < low or values + high > end:
            return
        if u32(buf, entry) == LETTERS_SNI:
            length = put_name(slot, 0, NAME_MAX, buf, values + low, values + high)
            if length > 0:
                flow.name_len = length
                flow.name_source = NAME_FROM_QUIC
            return
        low = high
