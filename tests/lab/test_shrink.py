"""What the bundled capture's maker keeps of each frame, and what it takes out."""

from __future__ import annotations

import io
import struct

import dpkt
import pytest

from tests.lab import shrink

CLIENT, SERVER = b"\x0a\x14\x00\x0b", b"\xc6\x33\x64\x0a"


def tcp_frame(payload: bytes, sequence: int = 1000, port: int = 443, up: bool = True) -> bytes:
    """An Ethernet frame with a VLAN tag, IPv4 and TCP."""
    segment = dpkt.tcp.TCP(
        sport=50000 if up else port, dport=port if up else 50000, seq=sequence, data=payload
    )
    packet = dpkt.ip.IP(src=CLIENT if up else SERVER, dst=SERVER if up else CLIENT, p=6, data=segment)
    packet.len = len(packet)
    return bytes(12) + b"\x81\x00\x00\x14\x08\x00" + bytes(packet)


def capture(frames: list[bytes], magic: int = 0xA1B2C3D4) -> io.BytesIO:
    """A little-endian pcap of these frames, one a millisecond."""
    step = 1000 if magic == 0xA1B2C3D4 else 1_000_000
    text = struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262144, 1)
    for number, frame in enumerate(frames):
        text += struct.pack("<IIII", 1_800_000_000, number * step, len(frame), len(frame)) + frame
    return io.BytesIO(text)


def shrunk(frames: list[bytes]) -> tuple[list[tuple[int, bytes]], shrink.Counts]:
    """(length on the wire, bytes kept) of each frame, and the counts."""
    target = io.BytesIO()
    counts = shrink.shrink(capture(frames), target)
    text, at, kept = target.getvalue(), 24, []
    while at < len(text):
        _, _, captured, length = struct.unpack_from("<IIII", text, at)
        kept.append((length, text[at + 16 : at + 16 + captured]))
        at += 16 + captured
    return kept, counts


def record(kind: int, body: bytes) -> bytes:
    """A TLS record."""
    return bytes([kind, 3, 3]) + len(body).to_bytes(2) + body


def test_a_handshake_stays_and_application_data_is_blanked() -> None:
    """Of a segment with both, the hello's bytes stay, the data record keeps its header alone."""
    frame = tcp_frame(record(22, b"hello" * 20) + record(23, b"secret" * 20))
    kept, counts = shrunk([frame])
    assert kept[0][1][:-120] == frame[:-120]
    assert kept[0][1][-120:] == bytes(120)
    assert (counts.frames, counts.flows, counts.cut_frames) == (1, 1, 0)


def test_a_data_record_over_several_segments_is_blanked_to_its_end() -> None:
    """The body in the second and third segment goes, the next record's header after it stays."""
    stream = record(23, b"s" * 1000) + record(22, b"n" * 50)
    pieces = [stream[:400], stream[400:900], stream[900:]]
    starts = [1000, 1400, 1900]
    kept, _ = shrunk([tcp_frame(piece, start) for piece, start in zip(pieces, starts, strict=True)])
    together = b"".join(data[18 + 40 :] for _, data in kept)
    assert together == record(23, bytes(1000)) + record(22, b"n" * 50)


def test_a_record_header_split_between_segments_is_understood() -> None:
    """Two bytes of a header in one segment and three in the next still mark the body that follows."""
    stream = record(23, b"s" * 300)
    kept, _ = shrunk([tcp_frame(stream[:2], 1000), tcp_frame(stream[2:], 1002)])
    assert b"s" not in kept[1][1]


def test_a_segment_out_of_order_is_cut() -> None:
    """Where the records' borders are lost nothing of the payload stays."""
    kept, _ = shrunk([tcp_frame(record(23, b"s" * 300)), tcp_frame(b"s" * 300, 9000)])
    assert b"s" not in kept[1][1]
    assert kept[1][0] == 18 + 40 + 300


def test_http_keeps_its_header_and_loses_its_body() -> None:
    """Method, host and header fields stay; the body, in this segment and the next, is zero bytes."""
    header = b"POST /form HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
    kept, _ = shrunk([tcp_frame(header + b"password", 1000, 80), tcp_frame(b"password", 2000, 80)])
    assert header in kept[0][1]
    assert all(b"password" not in data for _, data in kept)


def test_later_frames_keep_their_length_on_the_wire() -> None:
    """From the 25th frame of a flow on, 96 bytes are kept, the last of them zero."""
    frames = [tcp_frame(b"x" * 1400, 1000 + 1400 * number) for number in range(30)]
    kept, counts = shrunk(frames)
    assert {length for length, _ in kept} == {18 + 40 + 1400}
    assert [len(data) for _, data in kept[24:]] == [96] * 6
    assert kept[29][1][:58] == frames[29][:58]
    assert kept[29][1][58:] == bytes(38)
    assert counts.cut_frames == 6
    assert counts.wire_bytes == 30 * 1458


@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_times_are_microseconds_whatever_the_file_has(magic: int) -> None:
    """First and last time of a capture come out in microseconds for both kinds of pcap."""
    counts = shrink.shrink(capture([tcp_frame(b"")] * 3, magic), io.BytesIO())
    assert (counts.first_us, counts.last_us) == (1_800_000_000_000_000, 1_800_000_000_002_000)


@pytest.mark.parametrize(
    "frame", [b"", bytes(13), bytes(60), b"\x00" * 12 + b"\x08\x00\x45", tcp_frame(b"")[:50]]
)
def test_odd_frames_pass_unchanged(frame: bytes) -> None:
    """Frames too short or of no known kind are kept as they are."""
    assert shrunk([frame])[0] == [(len(frame), frame)]


def test_what_is_no_capture_or_cut_off_is_refused() -> None:
    """A wrong magic number and a file that ends in a frame each raise ValueError with the place."""
    with pytest.raises(ValueError, match="not a little-endian pcap"):
        shrink.shrink(io.BytesIO(bytes(24)), io.BytesIO())
    with pytest.raises(ValueError, match="cut off in frame 1"):
        shrink.shrink(io.BytesIO(capture([tcp_frame(b"abc")]).getvalue()[:-2]), io.BytesIO())
