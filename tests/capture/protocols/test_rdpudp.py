"""Hellos inside of remote desktop's own transport."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.flows import NONE
from capture.protocols.outcomes import DONE, NOT
from capture.protocols.rdpudp import LAST, read_rdpudp
from tests.capture.packets import (
    T0,
    VERSIONS,
    Packet,
    client_hello,
    dtls_record,
    hello_message,
    rows_of,
    server_name,
    small_sensor,
    udp,
)

TABLE = small_sensor().table
#: SYN of version 1, and the head of a data packet of version 2.
OPENING = bytes.fromhex("ffffffff004018010000000104d004d0") + bytes(1_216)
HEAD = bytes.fromhex("0014c101f40164e064000100")
BODY = hello_message(server_name(b"desk.example"), VERSIONS, version=0xFEFD)[4:]
LOSSY = dtls_record(BODY[:35] + b"\0" + BODY[35:], 0, 999)


@pytest.mark.parametrize(
    ("hello", "name"), [(client_hello(b"pc-7.example"), "pc-7.example"), (LOSSY, "desk.example")]
)
def test_a_hello(hello: bytes, name: str) -> None:
    """The name in the hello of either kind is found, and the flow is a remote desktop."""
    sent = [udp(data, 50_000, 3_389, ident=n + 1) for n, data in enumerate((OPENING, HEAD + hello))]
    row = rows_of([Packet(T0 + n, frame) for n, frame in enumerate(sent)]).flow
    names = ("application", "server_name", "name_source", "hello")
    assert [row[n] for n in names] == ["rdp", name, "sni", 1]


@pytest.mark.uncompiled
@settings(deadline=None, max_examples=60)
@given(st.integers(0, LAST + 20), st.sampled_from([client_hello(), LOSSY]), st.integers(0, 300))
def test_only_behind_a_header(before: int, hello: bytes, end: int) -> None:
    """A hello is one behind a header of possible length; nothing outside the datagram is read."""
    data = (bytes(before) + hello)[: before + end]
    TABLE.flows[0].head = TABLE.flows[0].head_down = NONE
    TABLE.packet[0].payload_bytes = before + len(hello)
    outcome = read_rdpudp(TABLE, np.frombuffer(data, np.uint8), 0, len(data), 0)
    assert outcome in (NOT, DONE)
    if end >= 40:
        assert (outcome == DONE) == (7 <= before < LAST)
