"""Frames made byte by byte, as the RFCs' diagrams lay them out, and conversations of them."""

import ipaddress
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from capture.frames import LINK_ETHERNET, NO_TAG, Frames
from capture.sensor import Sensor
from capture.table import Table
from pipeline.records import json_rows
from pipeline.settings import SensorSettings
from tests.capture.der import alternative, certificate, certificate_message, common

#: 2026-03-02 08:00 UTC, the start of a school day.
T0 = 1_772_438_400_000_000
SECOND = 1_000_000

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
CLIENT, SERVER = "10.1.2.3", "192.0.2.80"
CLIENT_MAC, SERVER_MAC = 0x020000000001, 0x020000000002


class Packet(NamedTuple):
    """A frame and when it came."""

    ts: int
    data: bytes
    wire: int = 0
    """Bytes on the wire; 0: all of them are here."""


def inet_sum(data: bytes) -> int:
    """Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) & 1)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac(number: int) -> bytes:
    return number.to_bytes(6, "big")


def ethernet(
    payload: bytes,
    kind: int = 0x0800,
    source: int = CLIENT_MAC,
    target: int = SERVER_MAC,
    tags: Sequence[tuple[int, int]] = (),
) -> bytes:
    """An Ethernet II frame; `tags` are (Ethertype, TCI), outermost first."""
    made = mac(target) + mac(source)
    for tag, control in tags:
        made += struct.pack("!HH", tag, control)
    return made + struct.pack("!H", kind) + payload


def ipv4(
    payload: bytes,
    protocol: int,
    source: str = CLIENT,
    target: str = SERVER,
    *,
    ttl: int = 64,
    ident: int = 0,
    flags: int = 0x4000,
    tos: int = 0,
    options: bytes = b"",
    total: int | None = None,
) -> bytes:
    """An IPv4 packet; `flags` is the word of flags and fragment offset."""
    length = 20 + len(options)
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x40 | length // 4,
        tos,
        length + len(payload) if total is None else total,
        ident,
        flags,
        ttl,
        protocol,
        0,
        ipaddress.IPv4Address(source).packed,
        ipaddress.IPv4Address(target).packed,
    )
    head += options
    return head[:10] + inet_sum(head).to_bytes(2, "big") + head[12:] + payload


def ipv6(
    payload: bytes, following: int, source: str, target: str, *, ttl: int = 64, length: int | None = None
) -> bytes:
    """An IPv6 packet; extension headers are part of the payload."""
    return (
        struct.pack("!IHBB", 6 << 28, len(payload) if length is None else length, following, ttl)
        + ipaddress.IPv6Address(source).packed
        + ipaddress.IPv6Address(target).packed
        + payload
    )


def ip(payload: bytes, protocol: int, source: str, target: str, ttl: int = 64, ident: int = 0) -> bytes:
    """An Ethernet frame with an IP packet of the addresses' version."""
    macs = (CLIENT_MAC, SERVER_MAC) if source != SERVER else (SERVER_MAC, CLIENT_MAC)
    if ":" in source:
        return ethernet(ipv6(payload, protocol, source, target, ttl=ttl), 0x86DD, *macs)
    return ethernet(ipv4(payload, protocol, source, target, ttl=ttl, ident=ident), 0x0800, *macs)


def _pseudo(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    a, b = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
    return a + b + struct.pack("!IHBB", len(payload), 0, 0, protocol)


def tcp(
    flags: int,
    seq: int,
    ack: int = 0,
    payload: bytes = b"",
    *,
    source: str = CLIENT,
    target: str = SERVER,
    sport: int = 40_000,
    dport: int = 443,
    window: int = 64_240,
    options: bytes = b"",
    ttl: int = 64,
    ident: int = 0,
) -> bytes:
    """A frame with one TCP segment, its checksum right."""
    head = struct.pack(
        "!HHIIBBHHH",
        sport,
        dport,
        seq & 0xFFFFFFFF,
        ack & 0xFFFFFFFF,
        (20 + len(options)) // 4 << 4,
        flags,
        window,
        0,
        0,
    )
    whole = head + options + payload
    checksum = inet_sum(_pseudo(source, target, 6, whole) + whole)
    whole = whole[:16] + checksum.to_bytes(2, "big") + whole[18:]
    return ip(whole, 6, source, target, ttl, ident)


def udp(
    payload: bytes,
    sport: int,
    dport: int,
    *,
    source: str = CLIENT,
    target: str = SERVER,
    ttl: int = 64,
    ident: int = 0,
) -> bytes:
    """A frame with one UDP datagram, its checksum right."""
    whole = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    checksum = inet_sum(_pseudo(source, target, 17, whole) + whole)
    return ip(whole[:6] + checksum.to_bytes(2, "big") + whole[8:], 17, source, target, ttl, ident)


def icmp(
    kind: int, code: int, payload: bytes = b"\0" * 8, *, source: str = CLIENT, target: str = SERVER
) -> bytes:
    """A frame with one ICMP message."""
    return ip(bytes([kind, code, 0, 0]) + payload, 1, source, target)


class Conversation:
    """One TCP connection as a list of packets: sequence numbers, acknowledgements and times move on."""

    def __init__(
        self,
        *,
        client: str = CLIENT,
        server: str = SERVER,
        sport: int = 40_000,
        dport: int = 443,
        seq: int = 1_000,
        ack: int = 9_000,
        ts: int = T0,
        step: int = 10_000,
    ) -> None:
        self.packets: list[Packet] = []
        self.client, self.server, self.sport, self.dport = client, server, sport, dport
        self.up_next, self.down_next = seq, ack
        self.up_acked = self.down_acked = 0
        self.ts, self.step = ts, step
        self._ident = 1

    def up(self, flags: int, payload: bytes = b"", **fields: Any) -> "Conversation":
        """A segment of the client."""
        fields = {"seq": self.up_next, "ack": self.down_next if flags & ACK else 0} | fields
        return self._segment(True, flags, payload, fields)

    def down(self, flags: int, payload: bytes = b"", **fields: Any) -> "Conversation":
        """A segment of the server."""
        fields = {"seq": self.down_next, "ack": self.up_next if flags & ACK else 0} | fields
        return self._segment(False, flags, payload, fields)

    def _segment(self, up: bool, flags: int, payload: bytes, fields: dict[str, Any]) -> "Conversation":
        keep = fields.pop("keep", False)
        ends = (
            {"source": self.client, "target": self.server, "sport": self.sport, "dport": self.dport}
            if up
            else {"source": self.server, "target": self.client, "sport": self.dport, "dport": self.sport}
        )
        self._ident += 1
        frame = tcp(flags, payload=payload, **({"ident": self._ident} | ends | fields))
        self.packets.append(Packet(self.ts, frame))
        self.ts += self.step
        if not keep:
            length = len(payload) + bool(flags & SYN) + bool(flags & FIN)
            behind = (fields["seq"] + length) & 0xFFFFFFFF
            if up:
                self.up_next = behind
            else:
                self.down_next = behind
        return self

    def open(self, **fields: Any) -> "Conversation":
        """The handshake."""
        return self.up(SYN, **fields).down(SYN | ACK).up(ACK)

    def close(self) -> "Conversation":
        """Both sides' FIN."""
        return self.up(FIN | ACK).down(FIN | ACK).up(ACK)


def block(packets: Iterable[Packet], link: int = LINK_ETHERNET) -> Frames:
    """The packets as one block of frames."""
    packets = list(packets)
    sizes = np.array([len(p.data) for p in packets], np.int64)
    start = np.zeros(len(packets), np.int64)
    start[1:] = np.cumsum(sizes)[:-1]
    return Frames(
        # Writable, as those of a source: another type would be compiled for itself.
        np.frombuffer(bytearray(b"".join(p.data for p in packets) or b"\0"), np.uint8),
        start,
        sizes,
        np.array([p.wire or len(p.data) for p in packets], np.int64),
        np.array([p.ts for p in packets], np.int64),
        np.full(len(packets), link, np.int64),
        np.full(len(packets), NO_TAG, np.int64),
        len(packets),
    )


class Rows(NamedTuple):
    """What a sensor made of some packets, in the form `spanwatch read` prints."""

    flows: list[dict[str, Any]]
    dns: list[dict[str, Any]]
    sightings: list[dict[str, Any]]
    health: list[dict[str, Any]]

    @property
    def flow(self) -> dict[str, Any]:
        """The one flow row."""
        assert len(self.flows) == 1, self.flows
        return self.flows[0]

    def total(self, name: str) -> int:
        """Sum over the health rows."""
        return sum(row[name] for row in self.health)


SEED = b"a seed of 16 oct"


def small_sensor(**settings: Any) -> Sensor:
    """A sensor of the smallest size, without a random number."""
    chosen: dict[str, Any] = {"name": "gate", "flows": 1_024, "heads": 16, "batch_rows": 1_000} | settings
    return Sensor(SensorSettings(**chosen), "boot", "0", seed=SEED)


@cache
def small_table() -> Table:
    """The table of such a sensor, for readers called one by one."""
    return small_sensor().table


def batches_of(
    packets: Iterable[Packet], *, link: int = LINK_ETHERNET, blocks: int = 1, **settings: Any
) -> list[tuple[str, pa.RecordBatch]]:
    """Batches of a whole run over the packets, cut into a number of blocks."""
    sensor = small_sensor(**settings)
    packets = list(packets)
    size = max(-(-len(packets) // blocks), 1)
    batches: list[tuple[str, pa.RecordBatch]] = []
    for at in range(0, len(packets), size):
        batches += sensor.feed(block(packets[at : at + size], link))
    return batches + list(sensor.finish())


def rows_of(packets: Iterable[Packet], **options: Any) -> Rows:
    """Rows of a whole run over the packets."""
    rows = Rows([], [], [], [])
    for kind, batch in batches_of(packets, **options):
        batch.validate(full=True)
        getattr(rows, kind).extend(json_rows(kind, batch))
    return rows


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!HH", kind, len(data)) + data


def server_name(name: bytes) -> bytes:
    """The extension of RFC 6066, 3."""
    return extension(0, struct.pack("!HBH", len(name) + 3, 0, len(name)) + name)


def hello_message(*extensions: bytes, version: int = 0x0303, session: bytes = b"") -> bytes:
    """A ClientHello handshake message (RFC 8446, 4.1.2) with GREASE and two cipher suites."""
    body = struct.pack("!H", version) + bytes(range(32)) + bytes([len(session)]) + session
    body += struct.pack("!H", 6) + b"\x1a\x1a\x13\x01\xc0\x2f" + b"\x01\0"
    packed = b"".join(extensions)
    body += struct.pack("!H", len(packed)) + packed
    return b"\x01" + len(body).to_bytes(3, "big") + body


def tls_records(message: bytes, size: int = 16_384, kind: int = 22) -> bytes:
    """The message in TLS records of up to `size` bytes."""
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(struct.pack("!BHH", kind, 0x0301, len(piece)) + piece for piece in pieces)


def alpn(*names: bytes) -> bytes:
    """The extension of RFC 7301."""
    packed = b"".join(bytes([len(name)]) + name for name in names)
    return extension(16, len(packed).to_bytes(2, "big") + packed)


#: GREASE, TLS 1.3 and 1.2 offered.
VERSIONS = extension(43, b"\x06\x0a\x0a\x03\x04\x03\x03")


def client_hello(name: bytes | None = b"www.example.org", *more: bytes) -> bytes:
    """A ClientHello as a browser sends it, in one record."""
    named = [server_name(name)] if name is not None else []
    return tls_records(
        hello_message(extension(0x2A2A, b""), *named, alpn(b"h2", b"http/1.1"), VERSIONS, *more)
    )


def server_hello(version: int = 0x0304) -> bytes:
    """A ServerHello that settles on a version, with a certificate where that is readable."""
    wire = min(version, 0x0303)
    body = struct.pack("!H", wire) + bytes(32) + b"\0" + b"\x13\x01\0"
    if version == 0x0304:
        chosen = extension(43, version.to_bytes(2, "big"))
        body += len(chosen).to_bytes(2, "big") + chosen
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    if version != 0x0304:
        message += b"\x0b\0\0\x03\0\0\0"
    return tls_records(message)


def labels(name: bytes) -> bytes:
    """A domain name on the wire, uncompressed."""
    return b"".join(bytes([len(part)]) + part for part in name.split(b".") if part) + b"\0"


def dns(
    ident: int,
    name: bytes | None = b"www.example.org",
    kind: int = 1,
    *,
    flags: int = 0x0100,
    records: Sequence[bytes] = (),
    authority: Sequence[bytes] = (),
    additional: Sequence[bytes] = (),
) -> bytes:
    """A DNS message with one question; `records` are its answers. 0x8180 are an answer's usual flags."""
    questions = 1 if name is not None else 0
    head = struct.pack("!HHHHHH", ident, flags, questions, len(records), len(authority), len(additional))
    asked = labels(name) + struct.pack("!HH", kind, 1) if name is not None else b""
    return head + asked + b"".join([*records, *authority, *additional])


ASKED = b"\xc0\x0c"
"""A pointer to the question's name."""


def record(kind: int, data: bytes, ttl: int = 60, name: bytes = ASKED, klass: int = 1) -> bytes:
    """A resource record (RFC 1035, 4.1.3)."""
    return name + struct.pack("!HHIH", kind, klass, ttl, len(data)) + data


def address_record(address: str, ttl: int = 60, name: bytes = ASKED) -> bytes:
    packed = ipaddress.ip_address(address).packed
    return record(1 if len(packed) == 4 else 28, packed, ttl, name)


def dtls_record(message: bytes, at: int, size: int, kind: int = 1) -> bytes:
    """A DTLS record with one part of a handshake message's body (RFC 6347, 4.1, 4.2.2)."""
    part = message[at : at + size]
    head = bytes([kind]) + len(message).to_bytes(3, "big") + b"\0\0" + at.to_bytes(3, "big")
    data = head + len(part).to_bytes(3, "big") + part
    return b"\x16\xfe\xfd" + bytes(8) + len(data).to_bytes(2, "big") + data


def every_kind_of_tls() -> list[bytes]:
    """Frames of handshakes: certificate, alert, SSL 2.0, a hello after other words, DTLS in parts."""
    names = alternative([b"a.example"])
    chain = certificate_message(certificate(common(b"b.example"), common(b"An Issuer"), names, key_bytes=30))
    flight = tls_records(server_hello(0x0303)[5:-7] + chain, 400)
    hello = client_hello()
    other = hello_message(server_name(b"c.example"), VERSIONS, version=0xFEFD)[4:]
    other = other[:35] + b"\0" + other[35:]
    down = {"source": SERVER, "target": CLIENT, "sport": 443, "dport": 40_000}
    back = {"source": SERVER, "target": CLIENT, "sport": 55_555, "dport": 40_000}
    return [
        tcp(ACK, 9_001, 1_100, flight, **down),
        tcp(ACK, 9_001, 1_100, flight[:300], **down),
        tcp(ACK, 9_301, 1_100, flight[300:], **down),
        tcp(ACK, 9_001, 1_100, b"\x15\x03\x03\0\2\2\x28", **down),
        tcp(ACK, 1_001, 9_001, b"\x80\x2e\1\3\1\0\x15\0\0\0\x10" + bytes(37), dport=442),
        tcp(ACK, 1_001, 9_001, b"other words", dport=7_001),
        tcp(ACK, 1_012, 9_001, hello, dport=7_001),
        udp(dtls_record(other, 0, 999), 40_000, 55_555),
        udp(dtls_record(other, 50, 999), 40_000, 55_555),
        udp(dtls_record(other, 0, 50), 40_000, 55_555),
        udp(dtls_record(server_hello(0x0303)[9:-7], 0, 999, 2), **back),
        udp(dtls_record(chain[4:], 0, 200, 11), **back),
        udp(dtls_record(chain[4:], 200, 999, 11), **back),
    ]


#: A QUIC Initial packet with a ClientHello for a.example; how it is made is in quic_packets.py.
QUIC_INITIAL = bytes.fromhex(
    "c800000001088394c8f03e515708000040683c46b4518a9b7ca36bc0a54f94c48b73c6241718f7a15b1b16bf79af7f88"
    "3514a11a62fc775e106b44620827fb17ecfe66e8c247d631e3a776a4ddde8b3d69143acb7e3e80986efed10b41a67cdd"
    "3ab44bafb031ed9dfc88cb06b791db6e2604f78e4a1b75802e2d"
)
#: The same of Google's QUIC (Q039), in the clear.
GOOGLE_INITIAL = (
    b"\x09" + bytes(8) + b"Q039\x01" + bytes(12) + b"\xa0\x01\x19\0CHLO\1\0\0\0SNI\0\x09\0\0\0a.example"
)


def every_kind_of_name() -> list[bytes]:
    """Messages of DNS in streams and on other ports, multicast DNS, LLMNR and NetBIOS."""
    host, service = labels(b"tv.local"), labels(b"_airplay._tcp.local")
    full = b"\x02TV" + service
    announced = [
        record(12, full, 4_500, service),
        record(33, bytes(6) + host, 120, full),
        record(16, b"\x08model=X1", 120, full),
        address_record("10.1.2.3", 120, host),
    ]
    service_record = b"\0\1\0" + b"\0\1\0\6\2h2\2h3" + b"\0\3\0\2\x20\xfb" + b"\0\5\0\0"
    stream = b"".join(b"\0" + bytes([len(m)]) + m for m in (dns(1), dns(2, b"b.example"), dns(3)))
    netbios = b"\x20" + b"ENEPFDFE" + b"CACACACACACACACACACACACA" + b"\0"
    status = b"\2" + b"HOST".ljust(16, b"\0") + b"\0\0" + b"GROUP".ljust(16, b"\0") + b"\x80\0" + bytes(46)
    registered = struct.pack("!HHHHHH", 9, 0x2910, 1, 0, 0, 1) + netbios + b"\0\x20\0\1"
    registered += record(32, b"\0\0\x0a\1\2\3")
    datagram = b"\x11\2\0\1\x0a\1\2\3\0\x8a\0\x48\0\0" + netbios * 2 + b"\xffSMB"
    return [
        tcp(ACK, 5, 5, stream, dport=53),
        tcp(ACK, 5, 5, stream[:40], dport=53),
        tcp(ACK, 45, 5, stream[40:], dport=53),
        tcp(ACK, 5, 5, b"\0\0\x21\0\1\0\0\0\1" + dns(0), dport=80),
        udp(dns(4), 50_000, 8_053),
        udp(dns(7, kind=65, flags=0x8180, records=[record(65, service_record)]), 53, 50_000),
        udp(dns(0, None, flags=0x8400, records=announced), 5_353, 5_353, target="224.0.0.251"),
        udp(dns(0, b"_airplay._tcp.local", 12, flags=0), 5_353, 5_353, target="224.0.0.251"),
        udp(dns(9, b"host", flags=0), 50_000, 5_355, target="224.0.0.252"),
        udp(struct.pack("!HHHHHH", 9, 0x0110, 1, 0, 0, 0) + netbios + b"\0\x20\0\1", 137, 137),
        udp(
            struct.pack("!HHHHHH", 9, 0x8400, 0, 1, 0, 0) + record(33, status, 0, netbios), 137, 137,
            source=SERVER, target=CLIENT,
        ),
        udp(registered, 137, 137),
        udp(datagram, 138, 138),
    ]  # fmt: skip


def every_kind_of_statement() -> list[bytes]:
    """What devices say about themselves, on Ethernet and in 802.11 frames."""
    device = mac(CLIENT_MAC)
    lldp = b"\x02\x07\x04" + device + b"\x04\x03\x05e1\x06\x02\0\x78\x0a\x02sw\x0e\x04\0\x14\0\x04"
    lldp += b"\x10\x0c\x05\1\x0a\1\0\2\2\0\0\0\7\0\xfe\x06\0\x80\xc2\1\0\x0a\xfe\x07\0\x12\xbb\x0abox\0\0"
    cdp = b"\2\xb4\0\0\0\1\0\x06sw\0\2\0\x11\0\0\0\1\1\1\xcc\0\4\x0a\1\0\2\0\3\0\x06e1\0\4\0\x08\0\0\0\x28"
    bridge = b"\x80\0" + device
    tree = b"\0\0\3\2\0" + bridge + bytes(4) + bridge + b"\x80\7" + bytes(9) + b"\0\x40\0region" + bytes(62)
    leased = b"\0\5\0\x18" + ipaddress.IPv6Address("2001:db8::7").packed + bytes(8)
    asked = b"\1abc\0\1\0\x0a\0\3\0\1" + device + b"\0\x27\0\x07\0\4host\0\0\3\0\x28" + bytes(12) + leased
    relayed = b"\x0c\0" + bytes(32) + b"\0\x12\0\2e1\0\x09" + len(asked).to_bytes(2, "big") + asked
    user = b"\1\4\0\x3b" + bytes(16) + b"\1\6user\x1f\x1302-00-00-00-00-01\x1e\x0e0200000000A1"
    name = b"\xa1\x11\x30\x0f\xa0\3\2\1\1\xa1\x08\x30\6\x1b\4user\xa2\3\x1b\1R"
    request = b"\x6a\x27\x30\x25\xa1\3\2\1\5\xa2\3\2\1\x0a\xa4\x19\x30\x17\xa0\0" + name[:21]
    failed = b"\x7e\x10\x30\x0e\xa0\3\2\1\5\xa1\3\2\1\x1e\xa6\3\2\1\x18"
    notify = (
        b"NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\nNT: a\r\nUSN: b\r\nLOCATION: http://u@10.1.2.3:80/x\r\n\r\n"
    )
    suites = b"\0\x0f\xac\4"
    beacon = b"\x80\0\0\0" + b"\xff" * 6 + device * 2 + bytes(10) + b"\x64\0\x11\0\0\5names\3\1\6"
    beacon += b"\x30\x14\1\0" + suites + b"\1\0" + suites + b"\1\0\0\x0f\xac\2\0\0"
    beacon += b"\xdd\x0d\0\x50\xf2\4\x10\x11\0\5point\xff\x0b\x24\0\0\2" + bytes(7)
    tap = b"\0\0\x0f\0\x2a\0\0\0\x10\0\x85\x09\xa0\0\xc4"
    data = b"\x88\1\0\0" + device * 3 + b"\0\0\5\0\xaa\xaa\3\0\0\0\x08\0"
    six = {"source": "fe80::1", "target": "ff02::1:2"}
    return [
        ethernet(lldp, 0x88CC),
        ethernet(b"\xaa\xaa\3\0\0\x0c\x20\0" + cdp, len(cdp) + 8),
        ethernet(b"\x42\x42\3" + tree, len(tree) + 3),
        ethernet(b"\xaa\xaa\3\0\0\x0c\1\x0b" + tree[:36] + b"\0\0\0\2\0\7", 50),
        udp(asked, 546, 547, **six),
        udp(relayed, 547, 547, **six),
        udp(b"\2" + asked[1:], 547, 546, **six),
        udp(user, 50_000, 1_813),
        udp(request, 50_000, 88),
        udp(failed, 88, 50_000, source=SERVER, target=CLIENT),
        tcp(ACK, 5, 5, len(request).to_bytes(4, "big") + request, dport=88),
        udp(notify, 1_900, 1_900, target="239.255.255.250"),
        udp(b"HTTP/1.1 200 OK\r\nST: a\r\nUSN: b\r\n\r\n", 50_001, 50_000, source=SERVER, target=CLIENT),
        tap + beacon,
        tap + b"\x40\0" + beacon[2:24] + beacon[36:],
        tap + data + ipv4(bytes(64), 17, ident=9),
        beacon,
    ]  # fmt: skip


def every_kind() -> list[bytes]:
    """One frame or more of each kind that a parser reads."""
    resolver = "10.0.0.53"
    answers = [record(5, b"\x02ab" + ASKED), address_record("192.0.2.1"), address_record("2001:db8::1")]
    answer = dns(7, flags=0x8180, records=answers, additional=[record(41, b"\0\x0f\0\x02\0\x0f", 0, b"\0")])
    dhcp_options = b"\x63\x82\x53\x63\x35\x01\x03\x0c\x04host\x37\x03\x01\x03\x06\x52\x04\x01\x02ab\xff"
    dhcp = b"\x01\x01\x06\0" + bytes(24) + mac(CLIENT_MAC) + bytes(202) + dhcp_options
    advertisement = b"\x88\0\0\0" + bytes(4) + ipaddress.IPv6Address("fe80::1").packed + b"\2\1" + mac(5)
    router = b"\x86\0\0\0" + bytes(12) + b"\3\4\x40\xc0" + bytes(12) + bytes(16)
    head = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
    hello = client_hello()
    options = bytes.fromhex("020405b40402080a00000001000000000103030a")
    return [
        tcp(SYN, 1_000, options=options),
        tcp(SYN | ACK, 9_000, 1_001, source=SERVER, target=CLIENT, sport=443, dport=40_000, options=options),
        tcp(ACK | PSH, 1_001, 9_001, hello),
        tcp(ACK, 1_001, 9_001, hello[:60]),
        tcp(ACK, 1_061, 9_001, hello[60:]),
        tcp(ACK, 9_001, 1_100, server_hello(0x0303), source=SERVER, target=CLIENT, sport=443, dport=40_000),
        tcp(FIN | ACK, 1_200, 9_100),
        tcp(RST, 1_000),
        tcp(ACK, 5, 5, head, dport=80),
        tcp(
            ACK, 5, 50, b"HTTP/1.1 302 F\r\nLocation: http://b.example/\r\n\r\n",
            source=SERVER, target=CLIENT, sport=80, dport=40_000,
        ),
        tcp(ACK, 5, 5, len(answer).to_bytes(2, "big") + answer, dport=53),
        udp(dns(7), 50_000, 53, target=resolver, ident=3),
        udp(answer, 53, 50_000, source=resolver, target=CLIENT, ident=4),
        udp(dns(0, b"p.local"), 5_353, 5_353, target="224.0.0.251"),
        udp(dhcp, 68, 67, source="0.0.0.0", target="255.255.255.255"),
        udp(b"\x02" + dhcp[1:], 67, 68, source="10.1.0.1", target=CLIENT),
        udp(b"\xc3\0\0\0\x01\x08" + bytes(100), 50_000, 443),
        udp(QUIC_INITIAL, 50_001, 443),
        udp(GOOGLE_INITIAL, 50_002, 443),
        icmp(8, 0),
        ethernet(b"\0\1\x08\0\6\4\0\1" + mac(CLIENT_MAC) + b"\x0a\1\2\3" + bytes(6) + b"\x0a\1\0\1", 0x0806),
        ethernet(ipv6(advertisement, 58, "fe80::1", "ff02::1", ttl=255), 0x86DD),
        ethernet(ipv6(router, 58, "fe80::2", "ff02::1", ttl=255), 0x86DD),
        ethernet(ipv6(b"\x06\0" + bytes(6) + tcp(SYN, 1)[34:], 0, "2001:db8::1", "2001:db8::2"), 0x86DD),
        ethernet(ipv6(b"\x11\0\0\1\0\0\0\7" + bytes(64), 44, "2001:db8::1", "2001:db8::2"), 0x86DD),
        ethernet(ipv4(bytes(64), 17, ident=9, flags=0x2000)),
        ethernet(ipv4(bytes(64), 17, ident=9, flags=8)),
        ethernet(ipv4(tcp(SYN, 1)[34:], 6), tags=[(0x88A8, 5), (0x8100, 6)]),
        *every_kind_of_tls(),
        *every_kind_of_name(),
        *every_kind_of_statement(),
    ]  # fmt: skip


KINDS = every_kind()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame of any kind with some of its bytes changed, cut or with bytes behind."""
    frame = bytearray(draw(st.sampled_from(KINDS)))
    for _ in range(draw(st.integers(0, 5))):
        frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        return bytes(frame)
    return bytes(frame[: draw(st.integers(1, len(frame)))]) + draw(st.binary(max_size=8))


@st.composite
def _any_frames(draw: st.DrawFn) -> list[Packet]:
    ts = T0
    packets = []
    for frame in draw(st.lists(damaged(), min_size=1, max_size=25)):
        ts += draw(st.sampled_from([0, 10, 1_000, SECOND, 70 * SECOND, -SECOND, -100 * SECOND]))
        packets.append(Packet(ts, frame, len(frame) + draw(st.sampled_from([0, 0, 0, 1_000]))))
    return packets


#: Lists of damaged frames of every kind, at times that go forth and back.
ANY_FRAMES = _any_frames()


#: A resolver of the school, and the flags of its answers.
RESOLVER, ANSWER = "10.0.0.53", 0x8180


def asked(
    message: bytes, ts: int = T0, *, client: str = CLIENT, port: int = 50_000, dport: int = 53
) -> Packet:
    return Packet(ts, udp(message, port, dport, source=client, target=RESOLVER, ident=ts & 0x7FFF | 1))


def answered(
    message: bytes, ts: int = T0 + 15_000, *, client: str = CLIENT, port: int = 50_000, dport: int = 53
) -> Packet:
    return Packet(ts, udp(message, dport, port, source=RESOLVER, target=client, ident=ts & 0x7FFF | 1))
