"""IP fragments put together (RFC 791, 3.2; RFC 8200, 4.5) in a bounded table.

Policy, in the words of Suricata and Snort: "first". Where IPv4 fragments overlap, the bytes that came first
stay (the mirror cannot know which system will put them together). IPv6 fragments must not overlap: such a
datagram is counted and its content is not read (RFC 5722, 4). A fragment that comes again counts as a packet;
within the duplicate time it is the mirror's copy. A datagram that is not whole after 30 s, or whose place
another one needs, still counts in its flow: by its ports if its first fragment came, else without.
"""

import numpy as np

from capture.flows import NONE
from capture.network import MALFORMED, OK
from capture.octets import mix, same
from capture.reassembly import add_run
from pipeline.kernels import packet_kernel

#: Datagrams put together at the same time; a power of two, our default.
DATAGRAMS = 512
#: Places that one datagram may take; our default.
WAYS = 4
DATAGRAM_BYTES = 65_536
#: Runs of bytes kept apart while fragments are missing; our default.
FRAGMENT_RUNS = 16
#: µs a datagram may take (Linux, ipfrag_time).
FRAGMENT_US = 30_000_000

DATAGRAM = np.dtype(
    [
        ("source_hi", "i8"),
        ("source_lo", "i8"),
        ("target_hi", "i8"),
        ("target_lo", "i8"),
        ("id", "i8"),
        ("protocol", "i8"),
        ("started", "i8"),
        ("last", "i8"),
        ("used", "i4"),
        ("runs", "i4"),
        ("whole", "i4"),  # bytes of the datagram, -1 until the last fragment came
        ("have", "i4"),  # contiguous bytes from the start
        ("packets", "i4"),
        ("spoiled", "i4"),  # 1: IPv6 fragments overlap
        ("ip_bytes", "i8"),
        ("version", "i8"),
        ("vlan", "i8"),
        ("tunnel", "i8"),
        ("source_mac", "i8"),
        ("target_mac", "i8"),
        ("ttl", "i8"),
        ("ip_flags", "i8"),
    ],
    align=True,
)


@packet_kernel
def is_same(datagram, packet):
    """True if the fragment belongs to the datagram in use."""
    return (
        datagram.used == 1
        and datagram.id == packet.ip_id
        and datagram.protocol == packet.protocol
        and datagram.source_lo == packet.source_lo
        and datagram.target_lo == packet.target_lo
        and datagram.source_hi == packet.source_hi
        and datagram.target_hi == packet.target_hi
    )


@packet_kernel
def find_datagram(table, packet, busy):
    """Place of the fragment's datagram: its own, a free one, or the oldest of its ways (then in use).

    Place `busy` is left alone: the fragment itself stands there.
    """
    h = mix(table.meter[0].seed ^ packet.source_lo ^ packet.source_hi << 1)
    h = mix(h ^ packet.target_lo ^ packet.target_hi << 1 ^ packet.ip_id << 16 ^ packet.protocol)
    base = h & (len(table.datagrams) - 1)
    free = np.int64(NONE)
    oldest = (base + 1) & (len(table.datagrams) - 1) if base == busy else base
    for way in range(WAYS):
        place = (base + way) & (len(table.datagrams) - 1)
        datagram = table.datagrams[place]
        if place == busy:
            continue
        if datagram.used == 0:
            if free == NONE:
                free = place
        elif is_same(datagram, packet):
            return place
        elif datagram.started < table.datagrams[oldest].started or table.datagrams[oldest].used == 0:
            oldest = place
    return free if free != NONE else oldest


@packet_kernel
def open_datagram(datagram, packet):
    """Begin a datagram with its first seen fragment."""
    datagram.used = 1
    datagram.runs = 0
    datagram.whole = NONE
    datagram.have = 0
    datagram.packets = 0
    datagram.spoiled = 0
    datagram.ip_bytes = 0
    datagram.started = packet.ts
    datagram.source_hi = packet.source_hi
    datagram.source_lo = packet.source_lo
    datagram.target_hi = packet.target_hi
    datagram.target_lo = packet.target_lo
    datagram.id = packet.ip_id
    datagram.protocol = packet.protocol
    datagram.version = packet.version
    datagram.vlan = packet.vlan
    datagram.tunnel = packet.tunnel
    datagram.source_mac = packet.source_mac
    datagram.target_mac = packet.target_mac
    datagram.ttl = packet.ttl
    datagram.ip_flags = packet.ip_flags


@packet_kernel
def overlaps(data, runs, datagram, offset, buf, start, end):
    """True if bytes have come for some of the fragment's places, unless the same ones for all of them."""
    stop = offset + end - start
    for k in range(datagram.runs):
        low, high = np.int64(runs[k, 0]), np.int64(runs[k, 1])
        if low < stop and offset < high:
            return low > offset or high < stop or not same(data, offset, buf, start, end - start)
    return False


@packet_kernel
def add_fragment(table, place, buf, packet):
    """Put one fragment into its datagram, which counts it in any case but one.

    MALFORMED where it reaches beyond the longest datagram, which is the case, or is the first to overlap
    where none may.
    """
    datagram = table.datagrams[place]
    length = packet.end - packet.at
    stop = packet.fragment_offset + packet.transport_bytes
    if stop > DATAGRAM_BYTES - 1:
        return MALFORMED
    status = OK
    datagram.packets += 1
    datagram.ip_bytes += packet.ip_bytes
    datagram.last = packet.ts
    if packet.fragment_more == 0 and datagram.whole == NONE:
        datagram.whole = stop
    if length > 0:
        data, runs = table.datagram_data[place], table.datagram_runs[place]
        if datagram.version == 6 and overlaps(
            data, runs, datagram, packet.fragment_offset, buf, packet.at, packet.end
        ):
            status = OK if datagram.spoiled else MALFORMED
            datagram.spoiled = 1
        datagram.have = add_run(data, runs, datagram, packet.fragment_offset, buf, packet.at, packet.end)
    return status


@packet_kernel
def take_datagram_out(table, place, packet):
    """Make `packet` the datagram at `place` as far as it is there, and free the place.

    Returns True if its transport header may be read. `packet.ts` is the last fragment's.
    """
    datagram = table.datagrams[place]
    datagram.used = 0
    packet.ts = datagram.last
    packet.version = datagram.version
    packet.vlan = datagram.vlan
    packet.tunnel = datagram.tunnel
    packet.source_mac = datagram.source_mac
    packet.target_mac = datagram.target_mac
    packet.source_hi = datagram.source_hi
    packet.source_lo = datagram.source_lo
    packet.target_hi = datagram.target_hi
    packet.target_lo = datagram.target_lo
    packet.protocol = datagram.protocol
    packet.ttl = datagram.ttl
    packet.ip_id = datagram.id
    packet.ip_flags = datagram.ip_flags
    packet.ip_bytes = datagram.ip_bytes
    packet.packets = datagram.packets
    packet.fragment_offset = 0
    packet.at = 0
    packet.end = datagram.have
    packet.transport_bytes = datagram.have
    if datagram.whole != NONE and datagram.have > datagram.whole:
        packet.end = datagram.whole
        packet.transport_bytes = datagram.whole
    return datagram.have > 0
