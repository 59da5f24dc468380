"""The flow table: rows of living flows, ends of flows, and what happens when it is full."""

from collections import Counter
from typing import Any

import pytest

from capture.flows import end_burst, start_row
from tests.capture.packets import (
    ACK,
    CLIENT,
    SECOND,
    SERVER,
    SYN,
    T0,
    Conversation,
    Packet,
    Rows,
    batches_of,
    rows_of,
    small_sensor,
    tcp,
    udp,
)


def total(rows: Rows, name: str) -> int:
    """Sum of both directions over all flow rows."""
    return sum(row[f"{name}_up"] + row[f"{name}_down"] for row in rows.flows)


@pytest.mark.compiled
def test_rows_of_a_long_flow_sum_up_to_it() -> None:
    """A connection of five minutes leaves one row a minute; nothing is counted twice or missing."""
    talk = Conversation(step=500_000).open()
    for _ in range(300):
        talk.up(ACK, b"u" * 10).down(ACK, b"d" * 100)
    rows = rows_of(talk.close().packets)
    assert [row["ended"] for row in rows.flows] == ["active"] * 5 + ["closed"]
    assert len({row["flow_id"] for row in rows.flows}) == 1
    assert {row["first"] for row in rows.flows} == {"2026-03-02T08:00:00.000000Z"}
    assert (total(rows, "packets"), total(rows, "payload")) == (606, 33_000)
    assert total(rows, "bytes") == 33_000 + 606 * 40
    assert sum(row["acked_down"] for row in rows.flows) == 30_000
    starts = [row["start"] for row in rows.flows]
    ends = [row["end"] for row in rows.flows]
    assert starts == sorted(starts)
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))


def syns(count: int, step: int = 100) -> list[Packet]:
    """SYNs of as many clients."""
    return [
        Packet(
            T0 + number * step,
            tcp(
                SYN,
                number,
                source=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
                sport=1_024 + number % 60_000,
                ident=1,
            ),
        )
        for number in range(count)
    ]


@pytest.mark.compiled
def test_a_full_table_loses_nothing() -> None:
    """More flows than there is room for: the idle longest leave early, each SYN is told once."""
    count = 1_500
    rows = rows_of(syns(count))
    assert Counter(row["ended"] for row in rows.flows) == {"evicted": count - 1_024, "shutdown": 1_024}
    assert rows.total("evicted") == count - 1_024
    assert total(rows, "packets") == rows.total("packets") == count
    assert max(row["flows_peak"] for row in rows.health) == 1_024
    assert len({row["flow_id"] for row in rows.flows}) == count


@pytest.mark.compiled
@pytest.mark.slow
def test_a_syn_flood_is_bounded() -> None:
    """50,000 SYNs on a table of 1,024 flows: each is told, none twice, and memory stays."""
    rows = rows_of(syns(50_000), blocks=50)
    assert total(rows, "packets") == rows.total("packets") == 50_000
    assert rows.total("evicted") == 50_000 - 1_024
    assert max(row["flows_peak"] for row in rows.health) == 1_024


@pytest.mark.compiled
def test_a_busy_flow_survives_a_flood() -> None:
    """Eviction takes the longest idle of those it looks at, so a connection that talks stays."""
    talk = Conversation(step=1).open()
    packets = list(talk.packets)
    for number, syn in enumerate(syns(1_400, step=1_000)):
        packets.append(syn)
        if number % 20 == 0:
            talk.ts = syn.ts
            talk.up(ACK, b"x")
            packets.append(talk.packets[-1])
    busy = [row for row in rows_of(packets).flows if row["client"] == CLIENT]
    assert sum(row["payload_up"] for row in busy) == 70
    assert len({row["flow_id"] for row in busy}) == 1


def test_frames_out_of_order_widen_the_row() -> None:
    """A packet that comes late moves a row's start back, never its end."""
    times = [5, 3, 9, 1, 7]
    packets = [Packet(T0 + s * SECOND, udp(b"x", 50_000, 9_999, ident=s)) for s in times]
    row = rows_of(packets).flow
    assert (row["start"], row["end"]) == ("2026-03-02T08:00:01.000000Z", "2026-03-02T08:00:09.000000Z")


@pytest.mark.parametrize(("capacity", "blocks"), [(100, 1), (101, 7), (120, 3)])
def test_full_rows_lose_nothing(capacity: int, blocks: int) -> None:
    """Rows that fill in the middle of a block leave as a batch; the next begin where they stopped."""
    packets = mixed(500)
    rows = rows_of(packets, batch_rows=capacity, blocks=blocks)
    assert total(rows, "packets") == rows.total("packets") == len(packets)
    assert flat(rows) == flat(rows_of(packets, batch_rows=5_000))


def mixed(count: int) -> list[Packet]:
    """SYNs, resets and reused ports, so that rows fill by eviction, reuse and sweeps."""
    packets = []
    for number in range(count):
        client = f"10.9.{number * 7 % 5}.{number % 251}"
        flags = (SYN, 4, SYN)[number % 3]
        packets.append(
            Packet(T0 + number * 20_000, tcp(flags, number * 999, source=client, sport=1_024 + number % 5))
        )
    return packets


def flat(rows: Rows) -> list[Any]:
    return sorted(map(repr, rows.flows))


def test_batches_are_the_same_each_time() -> None:
    """The same blocks, settings and seed give the same batches, to the byte."""
    packets = mixed(300)
    first, second = batches_of(packets, batch_rows=100), batches_of(packets, batch_rows=100)
    assert [kind for kind, _ in first] == [kind for kind, _ in second]
    assert all(a.equals(b) for (_, a), (_, b) in zip(first, second, strict=True))


def fetches(count: int, size: int, pause_us: int, request: int = 100) -> Conversation:
    """A client that asks again and again over one connection, each time after a pause."""
    talk = Conversation(step=1_000).open()
    for _ in range(count):
        talk.ts += pause_us
        talk.up(ACK, b"r" * request)
        for _ in range(size // 1_440):
            talk.down(ACK, b"d" * 1_440)
    return talk


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("count", "size", "pause_us", "request_bytes", "bursts"),
    [
        (8, 200_000, 4_000_000, 100, 8),
        (8, 160_000, 500_000, 45, 8),
        # Below 150 kB, without a pause, and with no more than an update of the window: one answer, or none.
        (8, 140_000, 4_000_000, 100, 0),
        (8, 200_000, 480_000, 100, 1),
        (8, 200_000, 4_000_000, 44, 1),
    ],
)
def test_bursts_are_answers_after_a_pause(
    count: int, size: int, pause_us: int, request_bytes: int, bursts: int
) -> None:
    """An answer of 150 kB or more to what was asked for after 0.5 s of silence is a burst; the last ends with
    the flow."""
    rows = rows_of(fetches(count, size, pause_us, request_bytes).packets)
    assert sum(row["bursts_down"] for row in rows.flows) == bursts


@pytest.mark.compiled
@pytest.mark.parametrize(("request_bytes", "bursts"), [(60, 3), (59, 1)])
def test_bursts_over_datagrams(request_bytes: int, bursts: int) -> None:
    """Over UDP a request is longer than QUIC's acknowledgements are."""
    packets: list[Packet] = []
    ts = T0
    for _ in range(3):
        ts += 2 * SECOND
        packets.append(Packet(ts, udp(b"r" * request_bytes, 50_000, 443)))
        for number in range(130):
            down = udp(b"d" * 1_200, 443, 50_000, source=SERVER, target=CLIENT)
            packets.append(Packet(ts + 6_000 * (number + 1), down))
        ts += SECOND
    assert sum(row["bursts_down"] for row in rows_of(packets).flows) == bursts


@pytest.mark.compiled
def test_a_burst_over_two_rows_counts_once() -> None:
    """What began in one row and goes on in the next is one burst, in the row in which it ended."""
    talk = fetches(1, 20_000, 0)
    talk.ts = T0 + 50 * SECOND
    talk.step = 180_000
    talk.up(ACK, b"r" * 100)
    for _ in range(120):
        talk.down(ACK, b"d" * 1_440)
    talk.ts += SECOND
    talk.up(ACK, b"r" * 100)
    rows = rows_of(talk.packets)
    assert len(rows.flows) > 1
    assert min(row["bytes_down"] for row in rows.flows) < 150_000
    assert [row["bursts_down"] for row in rows.flows].count(1) == 1
    assert sum(row["bursts_down"] for row in rows.flows) == 1


@pytest.mark.uncompiled
def test_counts_of_bursts_do_not_wrap() -> None:
    """Row counters far past their usual size leave the count at its bound, and the mark within its own."""
    flow = small_sensor().table.flows[0]
    start_row(flow)
    flow.burst_mark, flow.bytes_down, flow.bursts_down = 0, 2**40, 2**16 - 1
    end_burst(flow)
    assert (flow.bursts_down, flow.burst_mark) == (2**16 - 1, 2**31 - 1)
    start_row(flow)
    assert (flow.bursts_down, flow.burst_mark) == (0, -150_000)
