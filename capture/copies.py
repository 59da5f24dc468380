"""The mirror's second copies: a switch that mirrors both ends of a link sends each frame twice."""

from capture.octets import mix, mix_octets
from capture.transport import FIN, SYN, TCP
from pipeline.kernels import hot_kernel

#: A remembered frame: 40 bits of its hash, and its µs modulo 2**24, together in eight bytes.
COPY_TIME = (1 << 24) - 1
COPY_KEY = ~COPY_TIME
#: Bytes of content that tell a packet without an IP id from the next: least, and most hashed; our defaults.
CONTENT_LEAST, CONTENT_MOST = 16, 64
#: µs after a certain copy in which doubtful ones are copies too; our default.
COPIES_US = 1_000_000


@hot_kernel
def copy_place(key, ip_id, seq, ack):
    """Where a packet with a number of its own is remembered, before the table's size cuts it off."""
    return key >> 20 ^ seq ^ seq >> 12 ^ ack << 3 ^ ip_id << 5


@hot_kernel
def is_copy(table, buf, packet, key):
    """True if the same packet passed within the duplicate time: the mirror's second copy.

    Same addresses, ports, IP id, sequence and acknowledgement number, fragment, length and checksum; TTL,
    MACs, tags and tunnels may differ, as on the two sides of a router. Without an IP id the first bytes of
    the content stand in for it. Some packets may be sent twice in all honesty, acknowledgements and short
    datagrams without an id: they are copies only while the mirror makes others.
    """
    meter = table.meter[0]
    if meter.duplicate_us == 0:
        return False
    h = mix(key ^ packet.seq << 32 ^ packet.ack ^ packet.source_port << 16 ^ packet.source_lo << 8)
    lengths = packet.ip_bytes << 16 ^ packet.tcp_flags << 8 ^ packet.protocol
    h = mix(h ^ packet.ip_id << 48 ^ packet.checksum << 32 ^ lengths)
    place = copy_place(key, packet.ip_id, packet.seq, packet.ack)
    sure = True
    if packet.fragment_offset >= 0:
        h = mix(h ^ packet.ip_id << 16 ^ packet.fragment_offset)
        place = h
    elif packet.ip_id == 0:
        if packet.protocol == TCP:
            sure = packet.payload_bytes > 0 or packet.tcp_flags & (SYN | FIN) != 0
        else:
            sure = packet.end - packet.payload >= CONTENT_LEAST
            h = mix_octets(h, buf, packet.at, min(packet.end, packet.at + CONTENT_MOST))
            place = h
    place &= len(table.copies) - 1
    seen = table.copies[place]
    table.copies[place] = (h & COPY_KEY) | (packet.ts & COPY_TIME)
    if (seen ^ h) & COPY_KEY != 0 or (packet.ts - seen) & COPY_TIME > meter.duplicate_us:
        return False
    if sure:
        meter.copied = packet.ts
    return sure or abs(packet.ts - meter.copied) <= COPIES_US
