"""One frame through all of it: link, network, transport, flow, content, rows.

`run` works through a block of frames and stops where the rows are full, so that the caller can take
them as a batch; nothing is ever dropped for want of room.
"""

import numpy as np

from capture.ahead import copy_place, look_ahead
from capture.content import drop_old_heads, give_up_heads, open_flow, take_datagram, take_segment
from capture.flows import (
    ACTIVE,
    CLIENT_HEAD_DONE,
    ENDED_CLOSED,
    ESTABLISHED,
    EVICTED,
    IDLE,
    NONE,
    ROW_S,
    SERVER_HEAD_DONE,
    SHUTDOWN,
    SWEEP_S,
    count_packet,
    find_flow,
    flow_hash,
    flow_timeout,
    is_over,
    longest_idle,
    new_flow,
    next_due,
    unlink,
)
from capture.fragments import (
    FRAGMENT_US,
    add_fragment,
    find_datagram,
    is_same,
    open_datagram,
    take_datagram_out,
)
from capture.frames import LINK_ETHERNET
from capture.link import ETHERTYPE_IPV4, ETHERTYPE_IPV6, begin_link, decode_ethernet
from capture.network import (
    BROKEN,
    CUT,
    HEADERS_BETWEEN,
    MALFORMED,
    MAPPED_HI,
    OK,
    TRUNCATED,
    decode_ipv4,
    decode_ipv6,
    walk_extensions,
)
from capture.octets import mix, mix_octets
from capture.other_links import decode_other
from capture.protocols.dns import APP_DNS, read_dns_segment
from capture.protocols.dns_sd import HOSTS_MAX
from capture.protocols.doh import APP_HTTP, may_hold_messages, read_doh_segment
from capture.protocols.logins import watch_login
from capture.protocols.ndp import sight_ndp
from capture.protocols.tls import ALERT_BYTES, may_be_late, note_alert, read_late_hello
from capture.questions import expire_questions, has_dns_room
from capture.rows import has_flow_room, write_flow
from capture.shims import UNKNOWN
from capture.sightings import has_sighting_room
from capture.tcp import is_reused, update_tcp
from capture.transport import ACK, FIN, ICMP6, RST, SYN, TCP, UDP, decode_transport, no_transport
from capture.tunnels.peel import FRAGMENT, FROM_LINK, LEVELS, may_carry, peel, read_transport
from pipeline.kernels import entry_kernel, hot_kernel, packet_kernel, unit_kernel

#: A clock that is this far behind for `STEP_FRAMES` frames in a row was wrong before; our default.
STEP_US = 60_000_000
STEP_FRAMES = 64

#: A remembered frame: 40 bits of its hash, and its µs modulo 2**24, together in eight bytes.
COPY_TIME = (1 << 24) - 1
COPY_KEY = ~COPY_TIME
#: Bytes of content that tell a packet without an IP id from the next: least, and most hashed; our defaults.
CONTENT_LEAST, CONTENT_MOST = 16, 64
#: µs after a certain copy in which doubtful ones are copies too; our default.
COPIES_US = 1_000_000


@packet_kernel
def sweep(table):
    """Write what is due: silent and closed flows, living ones' rows, unanswered questions. False if full."""
    meter = table.meter[0]
    now = meter.now
    while meter.sweep_at < meter.flows_high:
        if table.due[meter.sweep_at] <= now and table.flows[meter.sweep_at].used == 1:
            flow = table.flows[meter.sweep_at]
            silence = now - flow.last
            # A flow of the future: the clock was set back.
            if silence >= flow_timeout(table, flow) or silence < -STEP_US:
                if not has_flow_room(table):
                    return False
                end_flow(table, meter.sweep_at, IDLE)
            elif flow.row_start != NONE and now - flow.row_start >= ROW_S * 1_000_000:
                if not has_flow_room(table):
                    return False
                write_flow(table, meter.sweep_at, ACTIVE)
            table.due[meter.sweep_at] = next_due(table, flow)
        meter.sweep_at += 1
    while meter.flows_high > 0 and table.flows[meter.flows_high - 1].used == 0:
        meter.flows_high -= 1
    if not expire_datagrams(table, now) or not expire_questions(table, now, False):
        return False
    meter.sweeping = 0
    return True


@packet_kernel
def expire_datagrams(table, now):
    """Take datagrams that waited too long as they are; False if the rows are full before the end."""
    for place in range(len(table.datagrams)):
        datagram = table.datagrams[place]
        if datagram.used == 1 and now - datagram.started > FRAGMENT_US:
            if not has_room(table):
                return False
            give_up_datagram(table, place)
    return True


@hot_kernel
def has_room(table):
    """True if whatever one frame may write fits."""
    meter = table.meter[0]
    return (
        has_flow_room(table)
        and has_dns_room(table)
        and has_sighting_room(table)
        and meter.sighting_rows + HOSTS_MAX <= len(table.sighting_rows)
    )


@packet_kernel
def end_flow(table, i, ended):
    """Write what record `i` still has to say, and free it; a row without packets is not written."""
    flow = table.flows[i]
    if flow.head != NONE or flow.head_down != NONE:
        give_up_heads(table, i)
    if flow.row_start != NONE:
        write_flow(table, i, ENDED_CLOSED if is_over(flow) else ended)
    unlink(table, i)


@entry_kernel
def finish(table):
    """Write every flow and every waiting question; False if the rows are full before the end."""
    meter = table.meter[0]
    if not expire_datagrams(table, meter.now + FRAGMENT_US + 1):
        return False
    while meter.flows_high > 0:
        i = meter.flows_high - 1
        flow = table.flows[i]
        if flow.used == 1:
            if not has_flow_room(table):
                return False
            end_flow(table, i, SHUTDOWN)
        meter.flows_high -= 1
    return expire_questions(table, meter.now, True)


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


@hot_kernel
def take_frame(table, buf, start, end, wire, ts, link, tag):
    """Decode one frame and count it in its flow."""
    packet = table.packet[0]
    packet.ts = ts
    packet.tunnel = 0
    packet.packets = 1
    begin_link(tag, packet)
    if link == LINK_ETHERNET:
        ethertype, at = decode_ethernet(buf, start, end, packet)
    else:
        at = decode_other(table, buf, start, end, link)
        ethertype = packet.next_type
    stop = start + wire
    if at < 0:
        status = TRUNCATED
    elif ethertype in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
        if ethertype == ETHERTYPE_IPV4:
            status = decode_ipv4(buf, at, end, stop - at, packet)
        else:
            status = decode_ipv6(buf, at, end, stop - at, packet)
        if status in (OK, CUT, BROKEN):
            status = read_transport(buf, packet, status)
            if packet.protocol != TCP and status != FRAGMENT and may_carry(table, packet):
                status = peel(table, buf, status)
    else:
        packet.next_type = ethertype
        packet.next_at = at
        packet.end = end
        packet.stop = stop
        status = peel(table, buf, FROM_LINK)
    take_status(table, buf, status)


@hot_kernel
def take_status(table, buf, status):
    """Count the packet at hand in its flow, if one stands, and what is wrong with the frame."""
    meter = table.meter[0]
    packet = table.packet[0]
    if status == FRAGMENT:
        take_fragment(table, buf)
        return
    if status in (OK, CUT, BROKEN):
        key = flow_hash(meter.seed, packet)
        if is_copy(table, buf, packet, key):
            meter.duplicates += 1
            return
        take_packet(table, buf, packet, key)
    if status in (TRUNCATED, CUT):
        meter.truncated += 1
    elif status in (MALFORMED, BROKEN):
        meter.malformed += 1
    elif status == UNKNOWN:
        meter.unknown_link += 1


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


@packet_kernel
def is_service(table, packet, port):
    """True if the port is one that servers listen on: below 1024 or known."""
    return port < 1024 or table.ports[1 if packet.protocol == UDP else 0, port] != 0


@packet_kernel
def is_group(high, low):
    """True for a multicast address (RFC 1112, RFC 4291) or IPv4's limited broadcast (RFC 919)."""
    if high == MAPPED_HI and low >> 32 == 0xFFFF:
        return low & 0xF0000000 == 0xE0000000 or low & 0xFFFFFFFF == 0xFFFFFFFF
    return high >> 56 & 0xFF == 0xFF


@packet_kernel
def opened_by_source(table, packet):
    """True if the packet's source is the client (records.md): SYN sender, else the higher port.

    A broadcast or multicast address never is.
    """
    if packet.protocol == TCP:
        if packet.tcp_flags & SYN:
            return packet.tcp_flags & ACK == 0
    elif packet.protocol != UDP:
        return packet.source_port not in (0, 129) or packet.target_port not in (8, 128)
    if is_group(packet.target_hi, packet.target_lo):
        return True
    if packet.source_port < packet.target_port and is_service(table, packet, packet.source_port):
        return False
    return not (packet.protocol == TCP and packet.tcp_flags & RST and packet.source_port < packet.target_port)


@hot_kernel
def take_packet(table, buf, packet, key):
    """Find or open the packet's flow by its `flow_hash`, count the packet, look at its content."""
    meter = table.meter[0]
    i, up = find_flow(table, packet, key)
    if (
        i != NONE
        and packet.protocol == TCP
        and packet.tcp_flags & SYN
        and is_reused(table.flows[i], packet, up)
    ):
        # The ports are used again: a new flow.
        end_flow(table, i, ENDED_CLOSED)
        i = np.int64(NONE)
    if i == NONE:
        if meter.flows_free == 0:
            if not has_flow_room(table):
                # `run` made sure of one row; a reused port cannot meet a full table.
                return
            end_flow(table, longest_idle(table), EVICTED)
            meter.evicted += 1
        up = opened_by_source(table, packet)
        i = new_flow(table, packet, key, up)
        open_flow(table, i)
    flow = table.flows[i]
    if flow.row_start == NONE:
        table.due[i] = 0
    count_packet(flow, packet, up)
    if packet.protocol == TCP:
        update_tcp(buf, packet, flow, up)
        if packet.tcp_flags & (FIN | RST) and is_over(flow):
            table.due[i] = 0
        if packet.payload_bytes > 0:
            if flow.done & (CLIENT_HEAD_DONE if up else SERVER_HEAD_DONE) == 0:
                take_segment(table, buf, 1 if up else 0, i)
            elif packet.payload_bytes == ALERT_BYTES and flow.hello != 0:
                note_alert(table, buf, packet.payload, packet.end, i)
            elif up and may_be_late(buf, packet, flow):
                read_late_hello(table, buf, i)
            elif flow.watch == APP_DNS:
                read_dns_segment(table, buf, packet.payload, packet.end, i)
            if flow.application in (APP_HTTP, 0) and may_hold_messages(buf, packet.payload, packet.end):
                read_doh_segment(table, buf, packet.payload, packet.end, i)
            if flow.watch != 0 and watch_login(table, buf, packet.payload, packet.end, 1 if up else 0, i):
                # Something to read begins anew with this segment.
                take_segment(table, buf, 1 if up else 0, i)
    else:
        if up:
            flow.client_state = ESTABLISHED
        else:
            flow.server_state = ESTABLISHED
        if packet.protocol == UDP:
            if flow.done & CLIENT_HEAD_DONE == 0:
                take_datagram(table, buf, i)
        elif packet.protocol == ICMP6:
            sight_ndp(table, buf, packet.at, packet.end)


@unit_kernel
def pass_time(table):
    """Sweep what is due; 0 if the rows are full before the end."""
    meter = table.meter[0]
    if meter.next_sweep == 0:
        meter.next_sweep = meter.now + SWEEP_S * 1_000_000
        return np.int64(1)
    if meter.sweeping == 0:
        meter.sweeping = 1
        meter.sweep_at = 0
        meter.next_sweep = meter.now + SWEEP_S * 1_000_000
        drop_old_heads(table, meter.now)
    return np.int64(1 if sweep(table) else 0)


@unit_kernel
def step_back(table, ts):
    """A frame of long ago: after `STEP_FRAMES` of them in a row the clock is set back to `ts`."""
    meter = table.meter[0]
    meter.behind += 1
    if meter.behind > STEP_FRAMES:
        meter.behind = 0
        meter.now = ts
        meter.next_sweep = ts
        # What is due was said by the old clock.
        for i in range(meter.flows_high):
            table.due[i] = 0
    return np.int64(0)


@hot_kernel
def advance(table, ts):
    """Let packet time reach `ts`: sweep what is due. False if the rows are full before the end."""
    meter = table.meter[0]
    if ts > meter.now:
        meter.behind = 0
        meter.now = ts
    elif meter.now - ts > STEP_US:
        step_back(table, ts)
    if meter.sweeping == 1 or meter.now >= meter.next_sweep:
        return pass_time(table) == 1
    return True


@entry_kernel
def tick(table, ts):
    """`advance` without a frame."""
    return advance(table, ts)


@entry_kernel
def run(table, frames, first):
    """Take `frames` from index `first` on; returns the index of the first frame not taken.

    Less than `frames.count`: the rows are full; take them and call again.
    """
    meter = table.meter[0]
    looked = first
    for number in range(first, frames.count):
        if number == looked:
            looked = look_ahead(table, frames, number)
        if not advance(table, frames.ts[number]) or not has_room(table):
            return number
        take_frame(
            table,
            frames.data,
            frames.start[number],
            frames.start[number] + frames.captured[number],
            frames.wire[number],
            frames.ts[number],
            frames.link[number],
            frames.vlan[number],
        )
        meter.packets += 1
        meter.bytes += frames.wire[number]
    return frames.count
