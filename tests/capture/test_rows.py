"""A flow's row: room, signature, what begins anew."""

import numpy as np
import pytest

from capture.flows import ALPN_MAX, LOCATION_MAX, NAME_MAX, start_row
from capture.rows import (
    FLOW_TEXT,
    OPTION_WORDS,
    QUIRK_BITS,
    QUIRK_WORDS,
    SIGNATURE_MAX,
    has_flow_room,
    initial_ttl,
    is_from_client,
    leave_name,
    put_octet,
)
from tests.capture.packets import ACK, SYN, Conversation, client_hello, rows_of, small_sensor


def test_the_longest_texts_fit_what_is_asked_for() -> None:
    """Name, protocol, Location and signature at their longest fit the room that is made sure of."""
    assert NAME_MAX + ALPN_MAX + LOCATION_MAX + SIGNATURE_MAX <= FLOW_TEXT


def test_every_quirk_at_once_fits() -> None:
    """The longest signature that can be is shorter than its bound."""
    numbers = len("6:255:0:65535:65535,255:") + 3
    options = 15 * OPTION_WORDS.shape[1]
    quirks = int(np.count_nonzero(QUIRK_WORDS)) + len(QUIRK_BITS)
    assert numbers + options + quirks <= SIGNATURE_MAX
    assert len(set(QUIRK_BITS.tolist())) == len(QUIRK_BITS)


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("ttl", "start"), [(0, 32), (32, 32), (33, 64), (64, 64), (65, 128), (128, 128), (129, 255), (255, 255)]
)
def test_initial_ttl(ttl: int, start: int) -> None:
    """The start value is the next of 32, 64, 128 and 255."""
    assert initial_ttl(ttl) == start


@pytest.mark.uncompiled
def test_an_octet_that_does_not_fit_is_left_out() -> None:
    """No octet is written at the limit or beyond."""
    out = np.zeros(8, np.uint8)
    assert put_octet(out, 5, 5, 58) == 5
    assert put_octet(out, 5, 6, 58) == 6
    assert bytes(out) == b"\0\0\0\0\0:\0\0"


@pytest.mark.uncompiled
@pytest.mark.parametrize("end", ["source_hi", "source_lo", "source_port"])
def test_a_packet_of_another_end_stays_in_its_row(end: str) -> None:
    """A new name takes the packet at hand into its row only if the whole of its source is the client."""
    table = small_sensor().table
    flow, packet = table.flows[0], table.packet[0]
    start_row(flow)
    flow.client_hi = packet.source_hi = 7
    flow.client_lo = packet.source_lo = 8
    flow.client_port = packet.source_port = 80
    assert is_from_client(flow, packet)
    packet[end] += 1
    flow.packets_up, packet.packets = 3, 1
    leave_name(table, 0)
    assert (table.flow_rows[0].packets_up, flow.packets_up) == (3, 0)


@pytest.mark.uncompiled
def test_room_is_rows_and_text() -> None:
    """There is room while a row is free and the text of one fits."""
    table = small_sensor(batch_rows=100).table
    meter = table.meter[0]
    assert has_flow_room(table)
    meter.flow_rows = 99
    assert has_flow_room(table)
    meter.flow_rows = 100
    assert not has_flow_room(table)
    meter.flow_rows = 0
    meter.text_used = len(table.text) - FLOW_TEXT
    assert not has_flow_room(table)


def test_what_stays_and_what_begins_anew() -> None:
    """The second row of a flow has its name, version and signature, and counts from zero."""
    talk = Conversation().up(SYN).down(SYN | ACK).up(ACK).up(ACK, client_hello()).down(ACK)
    talk.ts += 61_000_000
    talk.up(ACK, b"x")
    first, second = rows_of(talk.packets).flows
    for name in (
        "flow_id",
        "server_name",
        "alpn",
        "tls_version",
        "syn_signature",
        "rtt_us",
        "first",
        "state",
        "hello",
    ):
        assert first[name] == second[name] != ""
    assert (second["packets_up"], second["packets_down"], second["payload_up"]) == (1, 0, 1)
    assert (second["flags_up"], second["flags_down"]) == (ACK, 0)
    assert (second["ttl_down_min"], second["ttl_down_max"], second["ttl_up_max"]) == (None, None, 64)
    assert second["start"] == second["end"] > first["end"]
