"""Frames through all of it: the mirror's second copies, the room that one frame needs, packet time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from capture import dispatch
from tests.capture.packets import (
    ACK,
    ANY_FRAMES,
    SECOND,
    SYN,
    T0,
    Conversation,
    Packet,
    block,
    client_hello,
    rows_of,
    small_sensor,
    tcp,
)


def test_a_sweep_that_takes_the_last_row_leaves_the_frame_for_later() -> None:
    """Where a sweep fills the rows, the frame waits for the next call; nothing is written beyond."""
    sensor = small_sensor(batch_rows=100)
    packets: list[Packet] = []
    for number in range(101):
        # All but one are due at the second sweep; that one's ports are used again then, so it is due too.
        ts = T0 + (4 * SECOND if number == 100 else 0)
        packets += Conversation(sport=2_000 + number, step=1, ts=ts).open().close().packets
    frames = block([*packets, Packet(T0 + 8 * SECOND + SECOND // 2, tcp(SYN, 123_456, sport=2_100))])
    at = int(dispatch.run(sensor.table, frames, 0))
    meter = sensor.table.meter[0]
    assert (at, meter.packets, meter.flow_rows) == (len(packets), len(packets), 100)
    flushed = sum(len(batch) for kind, batch in sensor.flush() if kind == "flows")
    assert (flushed, int(dispatch.run(sensor.table, frames, at))) == (100, len(packets) + 1)
    rest = sum(len(batch) for kind, batch in sensor.finish() if kind == "flows")
    assert rest == 2


def test_the_room_for_text_is_asked_for_before_each_frame() -> None:
    """With the arena all but full a frame waits; what it then writes is whole."""
    sensor = small_sensor()
    meter = sensor.table.meter[0]
    meter.text_used = len(sensor.table.text) - 20_000
    frames = block([Packet(T0, tcp(SYN, 1))])
    assert dispatch.run(sensor.table, frames, 0) == 0
    list(sensor.flush())
    assert dispatch.run(sensor.table, frames, 0) == 1


@settings(max_examples=150, deadline=None)
@given(ANY_FRAMES, st.integers(100, 110), st.integers(1, 3))
def test_any_frames(packets: list[Packet], rows: int, blocks: int) -> None:
    """Damaged frames of every kind are counted, each in a flow, as a copy or by what is wrong with it."""
    made = rows_of(packets, batch_rows=rows, blocks=blocks)
    assert made.total("packets") == len(packets)
    assert made.total("bytes") == sum(packet.wire or len(packet.data) for packet in packets)
    in_flows = sum(row["packets_up"] + row["packets_down"] for row in made.flows)
    wrong = sum(made.total(name) for name in ("truncated", "malformed", "unknown_link", "duplicates"))
    assert in_flows <= len(packets)
    assert in_flows + wrong + len(made.sightings) >= len(packets) - said_before(packets)
    assert all(row["start"] <= row["end"] for row in made.flows)


def said_before(packets: list[Packet]) -> int:
    """Frames that may be sound ARP, LLDP, CDP or STP, which leave nothing where the same was just said."""
    return sum(
        b"\x08\x06" in packet.data[12:64]
        or b"\x88\xcc" in packet.data[12:64]
        or b"\xaa\xaa\x03" in packet.data[14:64]
        or b"\x42\x42\x03" in packet.data[14:64]
        for packet in packets
    )


def test_no_text_is_left_in_the_arena() -> None:
    """After a flush the arena begins anew."""
    sensor = small_sensor()
    list(sensor.feed(block(Conversation().open().up(ACK, client_hello()).packets)))
    list(sensor.finish())
    assert sensor.table.meter[0].text_used == 0
    assert np.count_nonzero(sensor.table.flows.used) == 0
