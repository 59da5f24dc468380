"""JA4 of made hellos, against the digests of the text that the technical details describe."""

import hashlib
import json
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.agreement import CAPTURES
from benchmarks.sensed import ends, sense
from capture.flows import JA4_AT
from capture.protocols.hello import client_hello_body
from capture.protocols.ja4 import VALUES_MAX, sort_values
from capture.protocols.tls_numbers import OVER_DATAGRAMS, OVER_QUIC, OVER_TCP
from capture.table import Table
from tests.capture.packets import (
    ACK,
    PSH,
    Conversation,
    alpn,
    extension,
    rows_of,
    server_name,
    small_sensor,
    tls_records,
)

GREASE = 0x5A5A
#: The example of the technical details, in its order on the wire, with GREASE where browsers put it.
SUITES = [
    GREASE, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C,
    0x009D, 0x002F, 0x0035,
]  # fmt: skip
KINDS = [
    GREASE, 0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012, 0x002B,
    0xFF01, 0x000B, 0x000A, 0x0015, 0x1A1A,
]  # fmt: skip
ALGORITHMS = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]


def packed(values: Sequence[int]) -> bytes:
    """A list of 16-bit values behind its length."""
    return struct.pack(f"!H{len(values)}H", 2 * len(values), *values)


def body(suites: Sequence[int], extensions: Sequence[bytes] | None, version: int = 0x0303) -> bytes:
    """A ClientHello's body; `extensions` None: without that field."""
    made = struct.pack("!H", version) + bytes(32) + b"\0" + packed(suites) + b"\x01\0"
    if extensions is None:
        return made
    joined = b"".join(extensions)
    return made + len(joined).to_bytes(2, "big") + joined


def extensions_of(kinds: Sequence[int]) -> list[bytes]:
    """Extensions of these kinds, with the content that a browser's have."""
    filled = {
        0: server_name(b"www.example.org"),
        16: alpn(b"h2", b"http/1.1"),
        13: extension(13, packed(ALGORITHMS)),
        43: extension(43, b"\x06\x3a\x3a\x03\x04\x03\x03"),
    }
    return [filled.get(kind, extension(kind, b"")) for kind in kinds]


def ja4(made: bytes, transport: int = OVER_TCP, table: Table | None = None) -> str:
    """JA4 of one ClientHello's body."""
    table = table or small_sensor().table
    assert client_hello_body(table, np.frombuffer(made, np.uint8), 0, len(made), 0, transport) == 1
    return bytes(table.slots[0, JA4_AT : JA4_AT + int(table.flows[0].ja4_len)]).decode()


def first_12(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def test_the_published_example() -> None:
    """The example of the technical details comes out as they state it, through a whole sensor."""
    message = body(SUITES, extensions_of(KINDS))
    hello = tls_records(b"\x01" + len(message).to_bytes(3, "big") + message)
    row = rows_of(Conversation().open().up(ACK | PSH, hello).packets).flow
    assert row["ja4"] == "t13d1516h2_8daaf6152771_e5627efa2ab1"


@pytest.mark.uncompiled
def test_order_and_grease_count_for_nothing() -> None:
    """Suites and extensions in another order, and without GREASE, give the same fingerprint."""
    suites = sorted(value for value in SUITES if value != GREASE)
    kinds = [kind for kind in KINDS[::-1] if kind not in (GREASE, 0x1A1A)]
    assert ja4(body(suites, extensions_of(kinds))) == ja4(body(SUITES, extensions_of(KINDS)))


@pytest.mark.uncompiled
@pytest.mark.parametrize(("transport", "letter"), [(OVER_TCP, "t"), (OVER_QUIC, "q")])
def test_transports(transport: int, letter: str) -> None:
    """The first letter tells what the hello came over."""
    assert ja4(body(SUITES, extensions_of(KINDS)), transport)[0] == letter


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("wire", "told"),
    [(0x0303, "12"), (0x0302, "11"), (0x0301, "10"), (0x0300, "s3"), (0x0002, "s2"), (0x7F1C, "00")],
)
def test_versions_without_the_extension(wire: int, told: str) -> None:
    """The header's version counts where none is listed; unknown ones are zeros."""
    assert ja4(body([0x002F], [], wire))[1:3] == told


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("offered", "told"),
    [([0xFEFD, 0xFEFF], "d2"), ([0xFEFF, 0xFEFC, 0xFEFD], "d3"), ([0x2A2A, 0xFEFF], "d1")],
)
def test_versions_of_dtls(offered: list[int], told: str) -> None:
    """The highest version of DTLS has the least number."""
    versions = extension(43, bytes([2 * len(offered)]) + packed(offered)[2:])
    made = body([0x002F], [versions], 0xFEFD)
    made = made[:35] + b"\x02co" + made[35:]
    assert ja4(made, OVER_DATAGRAMS)[:3] == f"d{told}"


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        (b"h2", "h2"), (b"http/1.1", "h1"), (b"x", "xx"), (b"", "00"), (b"\xab", "ab"), (b"\xab\xcd", "ad"),
        (b"\x30\xab", "3b"), (b"\x30\x31\xab\xcd", "3d"), (b"\x30\xab\xcd\x31", "01"),
    ],
)  # fmt: skip
def test_protocols(protocol: bytes, told: str) -> None:
    """First and last character of the first protocol, in hexadecimal where one is not alphanumeric."""
    assert ja4(body([0x002F], [alpn(protocol)]))[8:10] == told


@pytest.mark.uncompiled
def test_a_reserved_protocol_is_passed_over() -> None:
    """GREASE among the protocols is no protocol."""
    assert ja4(body([0x002F], [alpn(b"\x1a\x1a", b"h2")]))[8:10] == "h2"


@pytest.mark.uncompiled
def test_empty_lists_are_zeros() -> None:
    """No suites, no extensions, none but name and protocols: zeros instead of a hash of nothing."""
    assert ja4(body([], None)) == "t12i000000_000000000000_000000000000"
    named = ja4(body([GREASE], [server_name(b"a.example"), alpn(b"h2")]))
    assert named == "t12d0002h2_000000000000_000000000000"


@pytest.mark.uncompiled
def test_without_algorithms_there_is_no_underscore() -> None:
    """The hash of extensions alone is over their list alone."""
    made = ja4(body([0x002F], [extension(0x0017, b""), extension(0x0005, b"")]))
    assert made == f"t12i010200_{first_12('002f')}_{first_12('0005,0017')}"


@pytest.mark.uncompiled
def test_counts_stop_at_99() -> None:
    """More than 99 suites or extensions are told as 99, and all are hashed."""
    many = list(range(0x100, 0x100 + 150))
    text = ",".join(f"{value:04x}" for value in many)
    made = ja4(body(many[::-1], [extension(value, b"") for value in many]))
    assert made == f"t12i999900_{first_12(text)}_{first_12(text)}"


@pytest.mark.uncompiled
def test_too_many_values_have_no_fingerprint() -> None:
    """A hello of more values than the bound has none; with as many it has one."""
    assert ja4(body([7] * VALUES_MAX, []))[4:6] == "99"
    assert ja4(body([7] * (VALUES_MAX + 1), [])) == ""
    assert ja4(body([7], [extension(7, b"")] * (VALUES_MAX + 1))) == ""
    algorithms = extension(13, packed([7] * (VALUES_MAX + 1)))
    assert ja4(body([7], [algorithms])) == ""


@pytest.mark.uncompiled
def test_what_is_remembered_stays_right() -> None:
    """Hellos of more kinds than are remembered keep their own hashes, also when they come again."""
    table = small_sensor().table
    table.ja4_known = np.zeros((4, 2), np.int64)
    values = [*range(0x100, 0x110)] * 2
    made = [ja4(body([value], []), table=table)[11:23] for value in values]
    assert made == [first_12(f"{value:04x}") for value in values]


@pytest.mark.uncompiled
@settings(deadline=None)
@given(st.lists(st.integers(0, 65_535), max_size=300))
def test_sorting(values: list[int]) -> None:
    """Any values come out in order, and what stands behind them stays."""
    array = np.array([*values, -1, -1], np.int64)
    sort_values(array, len(values))
    assert array.tolist() == [*sorted(values), -1, -1]


@pytest.mark.slow
@pytest.mark.skipif(not (CAPTURES / "pcap").is_dir(), reason="no folder of real captures; set REAL_CAPTURES")
def test_the_fingerprints_of_its_makers() -> None:
    """In the captures of JA4's own tests, each flow has the fingerprint that they state."""
    lines = (CAPTURES / "expected" / "misc.jsonl").read_text("utf-8").splitlines()
    stated = [row for row in map(json.loads, lines) if row["tool"] == "ja4" and row["ja4"]]
    assert len(stated) > 10
    for path in sorted({row["pcap"] for row in stated}):
        flows = sense(CAPTURES / "pcap" / path).by_ends()
        for row in (row for row in stated if row["pcap"] == path):
            protocol = {"tcp": 6, "udp": 17}[row["transport"]]
            about = ends(protocol, row["src"], int(row["sport"]), row["dst"], int(row["dport"]))
            assert row["ja4"] in {flow.last("ja4") for flow in flows[about]}, (path, row)
