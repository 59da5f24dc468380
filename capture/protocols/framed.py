"""Small binary protocols that are told by a length, or a chain of lengths, that must fit.

DNP3 (IEEE 1815, 9.2), CoAP (RFC 7252, 3), DCE RPC over UDP (C706, 12.5), MQTT (version 3.1.1, 2.2), RTMP's
opening (Adobe, 5.2), the handshake of Minecraft, Mumble's ping, a SOCKS server's answer (RFC 1928, 3).
"""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u32
from capture.protocols.candidates import note, noted
from capture.protocols.signatures import ENOUGH, WAIT, number_at
from pipeline.kernels import packet_kernel, unit_kernel

DNP3, COAP, DCERPC, MQTT, RTMP, MINECRAFT, MUMBLE, SOCKS = (
    APPLICATION[word] for word in ("dnp3", "coap", "dcerpc", "mqtt", "rtmp", "minecraft", "mumble", "socks")
)

#: Start, length, control and two addresses; a checksum behind it and behind each 16 bytes of data.
DNP3_COUNTED, DNP3_BLOCK = 5, 16
DCERPC_HEADER, DCERPC_LENGTH_AT, DCERPC_KIND_LAST = 80, 74, 10
RTMP_OPENING, RTMP_PORT = 1537, 1935
MINECRAFT_STATES = (1, 2, 3)
MUMBLE_PING = 12
#: Packets of MQTT looked at; our default.
PACKETS_MAX = 8
SOCKS_PORTS, PASSWORD = (1080, 9050, 9150), 2


@unit_kernel
def is_dnp3(table, buf, start, end, size, up, i):
    """Check: `DNP3` if blocks with their checksums make the length, or 0."""
    if end - start < 10:
        return np.int64(0)
    data = u8(buf, start + 2) - DNP3_COUNTED
    blocks = (data + DNP3_BLOCK - 1) // DNP3_BLOCK
    behind = start + 10 + data + 2 * blocks
    if data < 0 or behind > end:
        return np.int64(0)
    # The next one begins where it ends.
    again = behind == end or (behind + 1 < end and buf[behind] == 0x05 and buf[behind + 1] == 0x64)
    return np.int64(DNP3 if again else 0)


@unit_kernel
def is_coap(table, buf, start, end, size, up, i):
    """Check of a datagram of CoAP's port: version 1, a token of at most 8 bytes, a known class of code."""
    first = u8(buf, start)
    if end - start < 4 or first >> 6 != 1 or first & 15 > 8 or size < 4 + (first & 15):
        return np.int64(0)
    return np.int64(COAP if u8(buf, start + 1) >> 5 in (0, 2, 4, 5) else 0)


@unit_kernel
def is_dcerpc(table, buf, start, end, size, up, i):
    """Check of a datagram: `DCERPC` if the body's length is what there is, or 0."""
    if end - start < DCERPC_HEADER or u8(buf, start + 1) > DCERPC_KIND_LAST:
        return np.int64(0)
    order = u8(buf, start + 4)
    body = number_at(buf, start + DCERPC_LENGTH_AT, 2, order & 0x10 != 0)
    return np.int64(DCERPC if order & 0xEE == 0 and DCERPC_HEADER + body == size else 0)


@packet_kernel
def varint(buf, at, end):
    """(number, where it ends) of seven bits a byte, the least first; (-1, at) if it does not end within 4."""
    number = np.int64(0)
    for n in range(4):
        if at + n >= end:
            break
        number |= (u8(buf, at + n) & 0x7F) << (7 * n)
        if buf[at + n] < 0x80:
            return number, at + n + 1
    return np.int64(-1), at


@unit_kernel
def is_mqtt(table, buf, start, end, size, up, i):
    """Check of a stream of MQTT's port: `MQTT` if packets fill it, or 0."""
    at = start
    for _ in range(PACKETS_MAX):
        kind = u8(buf, at) >> 4
        length, after = varint(buf, at + 1, end)
        if kind in (0, 15) or length < 0:
            return np.int64(0)
        at = after + length
        if at == end:
            return np.int64(MQTT)
        if at > end:
            return np.int64(MQTT if size >= ENOUGH else 0)
    return np.int64(MQTT)


@unit_kernel
def is_rtmp(table, buf, start, end, size, up, i):
    """Check of a stream: `RTMP` for version 3, a time and four zeros in 1,537 bytes, or 0."""
    if end - start < 9:
        return np.int64(WAIT)
    flow = table.flows[i]
    filled = size >= ENOUGH or flow.server_port == RTMP_PORT
    zeros = u32(buf, start + 5) == 0 or size in (RTMP_OPENING, 2 * RTMP_OPENING - 1)
    return np.int64(RTMP if filled and zeros and size <= 2 * RTMP_OPENING else 0)


@unit_kernel
def is_minecraft(table, buf, start, end, size, up, i):
    """Check of a client's stream: `MINECRAFT` for a handshake: protocol, host, port, next state; or 0."""
    length, at = varint(buf, start, end)
    if length < 7 or length > 270 or at + length > end or buf[at] != 0:
        return np.int64(0)
    stop = at + length
    version, at = varint(buf, at + 1, stop)
    host, at = varint(buf, at, stop)
    if version < 0 or host < 1 or at + host + 3 != stop:
        return np.int64(0)
    for k in range(at, at + host):
        if not 32 < u8(buf, k) < 127:
            return np.int64(0)
    return np.int64(MINECRAFT if u8(buf, stop - 1) in MINECRAFT_STATES else 0)


@unit_kernel
def is_mumble(table, buf, start, end, size, up, i):
    """Check of a datagram: `MUMBLE` for an answer that repeats a ping's number, or 0."""
    flow = table.flows[i]
    if size == MUMBLE_PING:
        note(flow, MUMBLE, up, u32(buf, start + 8) | 1)
        return np.int64(0)
    return np.int64(MUMBLE if noted(flow, MUMBLE, 0 if up else 1) == (u32(buf, start + 8) | 1) else 0)


@unit_kernel
def is_socks_answer(table, buf, start, end, size, up, i):
    """Check of a server's stream: `SOCKS` for a method (RFC 1928, 3), off its ports with a reply."""
    flow = table.flows[i]
    if end - start < 2 or u8(buf, start + 1) not in (0, 1, 2, 0xFF):
        return np.int64(0)
    if end - start == 2:
        return np.int64(SOCKS if flow.server_port in SOCKS_PORTS else WAIT)
    at = start + 2
    if buf[start + 1] == PASSWORD and end - at >= 2 and buf[at] == 1:
        # The answer to name and password (RFC 1929, 2).
        at += 2
    if end - at < 4:
        return np.int64(WAIT)
    # Version, outcome, zero, kind of address.
    reply = buf[at] == 5 and buf[at + 1] <= 8 and buf[at + 2] == 0
    return np.int64(SOCKS if reply and u8(buf, at + 3) in (1, 3, 4) else 0)
