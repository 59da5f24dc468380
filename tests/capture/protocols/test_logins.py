"""Watching flows behind their heads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.logins import WATCHED, begin_watch, watch_login
from pipeline.records import APPLICATIONS
from tests.capture.packets import ACK, Conversation, client_hello, rows_of, server_hello, small_table
from tests.capture.protocols.streams import FLOW, fresh_flow, octets, read


def test_segments_sent_again_count_once() -> None:
    """A reply that is sent again, with or without its command, is one log-in."""
    talk = Conversation(dport=21).open().down(ACK, b"220 x\r\n").up(ACK, b"PASS a\r\n")
    talk.down(ACK, b"530 no\r\n", keep=True).down(ACK, b"530 no\r\n").up(ACK, b"PASS b\r\n", keep=True)
    talk.up(ACK, b"PASS b\r\n").down(ACK, b"530 no\r\n")
    row = rows_of(talk.packets).flow
    assert (row["logins"], row["logins_failed"]) == (2, 2)


def test_counts_are_of_their_row() -> None:
    """Each row has the log-ins since the last one."""
    talk = (
        Conversation(dport=21).open().down(ACK, b"220 x\r\n").up(ACK, b"PASS a\r\n").down(ACK, b"530 no\r\n")
    )
    talk.ts += 65_000_000
    talk.up(ACK, b"PASS b\r\n").down(ACK, b"230 in\r\n")
    talk.ts += 65_000_000
    talk.up(ACK, b"NOOP\r\n").down(ACK, b"200 ok\r\n")
    rows = rows_of(talk.packets, idle_tcp_s=600).flows
    assert [(row["logins"], row["logins_failed"]) for row in rows] == [(1, 1), (1, 0), (0, 0)]


def test_tls_is_not_watched() -> None:
    """What is encrypted from the start has nothing to tell, on any port."""
    talk = Conversation(dport=993).open().up(ACK, client_hello()).down(ACK, server_hello())
    talk.up(ACK, b"a LOGIN b c\r\n").down(ACK, b"a NO\r\n")
    row = rows_of(talk.packets).flow
    assert (row["application"], row["logins"]) == ("tls", 0)


@pytest.mark.uncompiled
def test_what_is_watched() -> None:
    """Applications with a watcher are watched, and no longer once they turn out to be others."""
    flow = fresh_flow("ssh")
    begin_watch(flow)
    assert flow.watch == flow.application
    flow.application = APPLICATIONS.index("tls")
    begin_watch(flow)
    assert flow.watch == 0


@pytest.mark.uncompiled
@settings(max_examples=400)
@given(
    octets(
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HTTP/1.1 401 x\r\n",
        b"\x05\1\0\1\1\2\3\4\0\1",
        b"\x05\0\0\1",
        client_hello(),
    ),
    st.integers(0, 1),
    st.sampled_from([word for word, watched in zip(APPLICATIONS, WATCHED, strict=True) if watched]),
    st.integers(0, 255),
)
def test_any_segment_is_read_within_bounds(data: bytes, up: int, word: str, step: int) -> None:
    """No bytes make a watcher read outside of them; it says that a head begins anew or nothing."""
    flow = fresh_flow(word, watch=APPLICATIONS.index(word), step=step, done=3)
    small_table().packet[0].seq = 1
    small_table().packet[0].payload_bytes = len(data)
    flow.seq_up = flow.seq_down = 1 + len(data)
    assert read(lambda table, buf, start, end, _, i: watch_login(table, buf, start, end, up, i), data) in (
        0,
        1,
    )
    assert small_table().flows[FLOW].head == -1
