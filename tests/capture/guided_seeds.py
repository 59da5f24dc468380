"""What the guided search begins with: inputs of each target from made frames and made words."""

import gzip
from collections.abc import Callable, Iterator

from tests.capture.guarded import DATAGRAM_PORTS, LINKS, STREAM_PORTS
from tests.capture.mutated import made_seeds
from tests.capture.packets import KINDS, T0
from tests.capture.sources.made import (
    MICRO,
    MODIFIED,
    NANO,
    Packet,
    block,
    enhanced,
    interface,
    obsolete,
    option,
    pcap,
    pcapng,
    section,
    simple,
)

#: What the two sides of connections say first, by port; the client's bytes, then the server's.
TALK: tuple[tuple[int, bytes, bytes], ...] = (
    (1_080, b"\x05\1\0\x05\1\0\3\x0ewww.target.org\1\xbb\x16\3\1", b"\x05\0\x05\0\0\1\0\0\0\0\0\0"),
    (1_080, b"\4\1\1\xbb\0\0\0\1user\0www.target.org\0", b"\0\x5a" + bytes(6)),
    (80, b"CONNECT a.example:443 HTTP/1.1\r\n\r\n\x16\3\1", b"HTTP/1.1 200 OK\r\n\r\n\x16\3\3"),
    (
        80,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64"
        b"\0\0\x12\1\5\0\0\0\1\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
        b"\0\0\0\4\0\0\0\0\0\0\0\1\1\4\0\0\0\1\x88",
    ),
    (25, b"EHLO a\r\nSTARTTLS\r\n\x16\3\1", b"220 mx ESMTP\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n\x16\3\3"),
    (25, b"EHLO a\r\nAUTH PLAIN AGEAYg==\r\n", b"220 mx\r\n250 AUTH PLAIN\r\n535 no\r\n"),
    (143, b"1 STARTTLS\r\n\x16\3\1", b"* OK IMAP4rev1\r\n1 OK go\r\n\x16\3\3"),
    (143, b"1 LOGIN user word\r\n", b"* OK\r\n1 NO wrong\r\n"),
    (110, b"STLS\r\n\x16\3\1", b"+OK POP3\r\n+OK go\r\n\x16\3\3"),
    (110, b"USER u\r\nPASS p\r\n", b"+OK\r\n+OK\r\n-ERR wrong\r\n"),
    (21, b"USER u\r\nPASS p\r\n", b"220 FTP\r\n331 word\r\n530 wrong\r\n"),
    (
        389,
        b"\x30\x1d\2\1\1\x77\x18\x80\x161.3.6.1.4.1.1466.20037\x16\3\1",
        b"\x30\x0c\2\1\1\x78\7\x0a\1\0\4\0\4\0\x16\3\3",
    ),
    (
        389,
        b"\x30\x14\2\1\1\x60\x0f\2\1\3\4\4cn=u\x80\4word",
        b"\x30\x0c\2\1\1\x61\7\x0a\1\x31\4\0\4\0",
    ),
    (
        22,
        b"SSH-2.0-client\r\n\0\0\0\x0c\4\x14" + bytes(10),
        b"SSH-2.0-server\r\n\0\0\0\x0c\4\x14" + bytes(10),
    ),
    (
        445,
        b"\0\0\0\x48\xfeSMB\x40\0" + bytes(6) + b"\1\0" + bytes(50) + b"\x19\0NTLMSSP\0\3\0\0\0",
        b"\0\0\0\x48\xfeSMB\x40\0\0\0\x6d\0\0\xc0\1\0" + bytes(50),
    ),
    (
        445,
        b"\0\0\0\x2f\xffSMB\x72" + bytes(27) + b"\0\x0c\0\2NT LM 0.12\0",
        b"\0\0\0\x23\xffSMB\x73" + bytes(31),
    ),
    (
        3_389,
        b"\3\0\0\x2c\x27\xe0\0\0\0\0\0Cookie: mstshash=user\r\n\1\0\x08\0\3\0\0\0\x16\3\1",
        b"\3\0\0\x13\x0e\xd0\0\0\x12\x34\0\2\0\x08\0\1\0\0\0\x16\3\3",
    ),
    (
        3_306,
        b"\x20\0\0\1\x85\xae\xff\0" + bytes(28),
        b"\x4a\0\0\0\x0a8.0.1\0" + bytes(4) + b"saltsalt\0\xff\xf7\x21\2\0" + bytes(40),
    ),
    (5_432, b"\0\0\0\x08\x04\xd2\x16\x2f\x16\3\1", b"S\x16\3\3"),
    (5_432, b"\0\0\0\x14\0\3\0\0user\0u\0\0p\0\0\0\x09word\0", b"R\0\0\0\x08\0\0\0\3E\0\0\0\4"),
    (5_222, b"<stream:stream to='a.example'><starttls/>\x16\3\1", b"<stream:features/><proceed/>\x16\3\3"),
    (23, b"\xff\xfb\x18user\r\nword\r\n", b"\xff\xfd\x18login: Password: Login incorrect"),
    (7_001, b"\x13BitTorrent protocol" + bytes(48), b"\x13BitTorrent protocol" + bytes(48)),
    (7_001, b"\x10\x1a\0\4MQTT\4\2\0\x3c\0\x0edevice", b"\x20\2\0\0"),
    (
        7_001,
        b"INVITE sip:a@b SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n",
        b"SIP/2.0 401 Un\r\nCSeq: 1 REGISTER\r\n\r\n",
    ),
    (7_001, b"RFB 003.008\n\2", b"RFB 003.008\n\1\2"),
)
IP4, IP6, LLDP, ARP = b"\x08\0", b"\x86\xdd", b"\x88\xcc", b"\x08\6"
TCP, UDP = 6, 17


def frames() -> Iterator[bytes]:
    """Each frame whole, on its link layer."""
    made = made_seeds()
    for start, size, link in zip(made.start, made.size, made.link, strict=True):
        yield bytes([LINKS.index(link), 0, 0, 0]) + made.data[start : start + size].tobytes()


def _of_ip4(protocol: int) -> Iterator[tuple[int, int, bytes]]:
    """Ports and what follows the IPv4 header of the made frames with it."""
    for frame in KINDS:
        if frame[12:14] == IP4 and frame[14] == 0x45 and frame[23] == protocol:
            yield int.from_bytes(frame[34:36], "big"), int.from_bytes(frame[36:38], "big"), frame[34:]


def streams() -> Iterator[bytes]:
    """Both sides' words, one side's alone, and the segments among the made frames."""
    for port, up, down in TALK:
        place = STREAM_PORTS.index(port)
        yield bytes([place, 9, 255 * len(up) // (len(up) + len(down)), 255]) + up + down
        yield bytes([place, 1, 128, 200]) + up
        yield bytes([place, 15, 128, 200]) + down
    for source, target, segment in _of_ip4(TCP):
        known = [port for port in (target, source) if port in STREAM_PORTS]
        place = STREAM_PORTS.index(known[0] if known else 7_001)
        order = 15 if source in STREAM_PORTS else 1
        payload = segment[(segment[12] >> 4) * 4 :]
        yield bytes([place, order, 255, 255]) + payload
        yield bytes([place, order, 20, 120]) + payload


def datagrams() -> Iterator[bytes]:
    """The datagrams among the made frames."""
    for source, target, datagram in _of_ip4(UDP):
        known = [port for port in (target, source) if port in DATAGRAM_PORTS]
        place = DATAGRAM_PORTS.index(known[0] if known else 7_001)
        yield bytes([place, 14 if source in DATAGRAM_PORTS else 2, 0, 0]) + datagram[8:]


def statements() -> Iterator[bytes]:
    """What stands behind the headers that the target puts before it."""
    for source, _, datagram in _of_ip4(UDP):
        yield (b"\5" if source == 5_353 else b"\6") + datagram[8:]
    for frame in KINDS:
        kind = frame[12:14]
        if kind in (LLDP, ARP):
            yield (b"\0" if kind == LLDP else b"\3") + frame[14:]
        elif kind == IP6:
            yield (b"\7" + frame[62:]) if frame[20] == UDP else (b"\4" + frame[54:])
        elif frame[14] == 0xAA:
            yield b"\1" + frame[22:]
        elif frame[14] == 0x42:
            yield b"\2" + frame[17:]
        elif kind != IP4:
            yield b"\x80" + frame
            yield b"\x81" + frame


def files() -> Iterator[bytes]:
    """Both formats in both orders, all kinds of their blocks, packed and cut off."""
    frames = [Packet(T0 + number, frame, len(frame) + 5) for number, frame in enumerate(KINDS[::20])]
    for order in "<>":
        for magic in (MICRO, NANO, MODIFIED):
            yield b"\0" + pcap(frames, magic, order)
        made = section(order) + interface(1, order, option(9, b"\x89", order) + option(14, bytes(8), order))
        made += simple(frames[0].data, 60, order) + obsolete(0, 5, frames[1].data, 60, order)
        made += block(5, bytes(12), order) + enhanced(0, 7, frames[2].data, 99, order)
        yield b"\1" + made
        yield b"\2" + pcapng(frames, order)
        yield b"\0" + pcap(frames, order=order)[:-3]
    yield b"\0" + gzip.compress(pcap(frames), mtime=0)


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "frames": frames,
    "streams": streams,
    "datagrams": datagrams,
    "statements": statements,
    "files": files,
}
