"""What watchers share."""

from types import SimpleNamespace

import numpy as np
import pytest

from capture.protocols.watching import LOGINS_MAX, count_login, is_newest, opens_tls, restart
from tests.capture.packets import client_hello, server_hello
from tests.capture.protocols.streams import fresh_flow

pytestmark = pytest.mark.uncompiled


def test_counts_stay_in_their_field() -> None:
    """At the most that a row counts, attempts are no longer added, refused or not."""
    flow = fresh_flow(logins=LOGINS_MAX - 1)
    count_login(flow, False)
    count_login(flow, True)
    assert (flow.logins, flow.logins_failed) == (LOGINS_MAX, 0)


@pytest.mark.parametrize(
    ("seq", "length", "newest"), [(100, 50, True), (100, 49, True), (100, 20, False), (90, 1, False)]
)
def test_the_newest_segment(seq: int, length: int, newest: bool) -> None:
    """A segment is the newest where nothing behind it was seen, a FIN left out."""
    assert is_newest(fresh_flow(seq_up=150), SimpleNamespace(seq=seq, payload_bytes=length), 1) == newest


def test_a_head_begins_anew() -> None:
    """A direction is read again from a segment on, unless its head is being put together."""
    packet = SimpleNamespace(seq=77)
    flow = fresh_flow(done=3, base_up=5)
    assert restart(flow, packet, 1) == 1
    assert (flow.done, flow.base_up, flow.base_down) == (2, 77, -1)
    assert restart(flow, packet, 0) == 1
    assert (flow.done, flow.base_down) == (0, -1)
    assert restart(fresh_flow(head=3), packet, 1) == 0
    assert restart(fresh_flow(head_down=3), packet, 0) == 0


def test_hellos() -> None:
    """A ClientHello opens TLS, as far as it goes; a ServerHello does not."""
    for data, opens in (
        (client_hello(), True),
        (b"\x16", True),
        (b"\x16\3\1", True),
        (server_hello(), False),
        (b"G", False),
    ):
        assert opens_tls(np.frombuffer(data, np.uint8), 0, len(data)) == opens
