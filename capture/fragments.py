"""IP fragments put together (RFC 791, 3.2; RFC 8200, 4.5) in a bounded table.

Policy, in the words of Suricata and Snort: "first". Where IPv4 fragments overlap, the bytes that came first
stay (the mirror cannot know which system will put them together). IPv6 fragments must not overlap: such a
datagram is counted and its content is not read (RFC 5722, 4). A fragment that comes again counts as a packet;
within the duplicate time it is the mirror's copy. A datagram that is not whole after 30 s, or whose place
another one needs, still counts in its flow: by its ports if its first fragment came, else without.
"""

import numpy as np

from capture.copies import is_copy
from capture.flows import NONE, flow_hash
from capture.network import BROKEN, CUT, HEADERS_BETWEEN, MALFORMED, OK, TRUNCATED, walk_extensions
from capture.octets import mix, same
from capture.reassembly import add_run
from capture.tracking import take_packet
from capture.transport import TCP, decode_transport, no_transport
from capture.tunnels.peel import FRAGMENT, LEVELS, may_carry, peel
from pipeline.kernels import packet_kernel, unit_kernel

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


@unit_kernel
def give_up_datagram(table, place):
    """Take the unfinished datagram at `place` as a packet, by its ports if they came, and free its place."""
    packet = table.packet[0]
    data = table.datagram_data[place]
    if table.datagrams[place].packets == 0:
        # All that came was malformed, and counted so.
        table.datagrams[place].used = 0
        return np.int64(0)
    if take_datagram_out(table, place, packet):
        # Its lengths can't be right yet.
        decode_transport(data, packet)
    else:
        no_transport(packet)
    if table.datagrams[place].spoiled == 1:
        packet.payload = packet.end
    take_packet(table, data, packet, flow_hash(table.meter[0].seed, packet))
    return np.int64(0)


@packet_kernel
def put_fragment(table, buf, busy):
    """Add the fragment at hand to its datagram: its place if that is whole now, else `NONE`.

    An older datagram may have to go for it; that at place `busy` may not.
    """
    packet = table.packet[0]
    place = find_datagram(table, packet, busy)
    if not is_same(table.datagrams[place], packet):
        if table.datagrams[place].used == 1:
            table.packet[1] = table.packet[0]
            give_up_datagram(table, place)
            table.packet[0] = table.packet[1]
        open_datagram(table.datagrams[place], packet)
    datagram = table.datagrams[place]
    if add_fragment(table, place, buf, packet) == MALFORMED:
        table.meter[0].malformed += 1
    if datagram.whole != NONE and datagram.have >= datagram.whole:
        return place
    return np.int64(NONE)


@packet_kernel
def open_whole(table, place):
    """Make the packet at hand of the whole datagram at `place`: OK, CUT or BROKEN."""
    packet = table.packet[0]
    datagram = table.datagrams[place]
    take_datagram_out(table, place, packet)
    data = table.datagram_data[place]
    status = OK
    if packet.version == 6 and packet.protocol in HEADERS_BETWEEN:
        # Extension headers may stand behind the fragment header, another fragment header may not.
        packet.fragment_offset = NONE
        status = walk_extensions(data, 0, packet.end, packet.protocol, packet)
        if packet.fragment_offset != NONE:
            no_transport(packet)
            return BROKEN
        packet.fragment_offset = 0
    outcome = decode_transport(data, packet)
    if outcome == MALFORMED and datagram.spoiled == 0:
        status = BROKEN
    elif outcome == TRUNCATED:
        status = CUT
    if datagram.spoiled == 1:
        # RFC 5722, 4: no host takes it, so no content is read.
        packet.payload = packet.end
    return status


@unit_kernel
def take_fragment(table, buf):
    """Put the fragment at hand to the others; a whole datagram, or what it carries, is taken as a packet."""
    meter = table.meter[0]
    packet = table.packet[0]
    no_transport(packet)
    if is_copy(table, buf, packet, flow_hash(meter.seed, packet)):
        meter.duplicates += 1
        return np.int64(0)
    place = put_fragment(table, buf, NONE)
    for _ in range(LEVELS):
        if place == NONE:
            return np.int64(0)
        data = table.datagram_data[place]
        status = open_whole(table, place)
        if status == OK and packet.protocol != TCP and may_carry(table, packet):
            status = peel(table, data, status)
        if status != FRAGMENT:
            take_packet(table, data, packet, flow_hash(meter.seed, packet))
            if status == CUT:
                meter.truncated += 1
            elif status == BROKEN:
                meter.malformed += 1
            return np.int64(0)
        place = put_fragment(table, data, place)
    return np.int64(0)
