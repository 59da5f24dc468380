"""The flow table: rows of living flows, ends of flows, and what happens when it is full."""

import struct
from collections import Counter, defaultdict
from typing import Any

import pytest

from tests.capture.packets import (
    ACK,
    CLIENT,
    SECOND,
    SYN,
    T0,
    Conversation,
    Packet,
    Rows,
    batches_of,
    block,
    icmp,
    ip,
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


@pytest.mark.parametrize(("protocol", "idle"), [("tcp", 300), ("udp", 60)])
def test_silence_ends_a_flow(protocol: str, idle: int) -> None:
    """A flow is over after the idle time of its protocol; the next packet begins another."""
    first = tcp(ACK, 1) if protocol == "tcp" else udp(b"x", 50_000, 9_999)
    second = tcp(ACK, 1, ident=9) if protocol == "tcp" else udp(b"x", 50_000, 9_999, ident=9)
    later = T0 + (idle + 2) * SECOND
    rows = rows_of([Packet(T0, first), Packet(later, icmp(8, 0)), Packet(later + SECOND, second)])
    mine = [row for row in rows.flows if row["protocol"] != 1]
    assert [row["ended"] for row in mine] == ["idle", "shutdown"]
    within = rows_of([Packet(T0, first), Packet(T0 + (idle - 2) * SECOND, second)])
    assert len({row["flow_id"] for row in within.flows}) == 1


def test_a_closed_flow_leaves_after_5_s() -> None:
    """A connection that ended is written at the first sweep after 5 s, not after the idle time."""
    talk = Conversation().open().close()
    sensor = small_sensor()
    list(sensor.feed(block(talk.packets)))
    assert list(sensor.tick(T0 + 4 * SECOND)) == []
    list(sensor.tick(T0 + 9 * SECOND))
    (flows,) = [batch for kind, batch in sensor.flush() if kind == "flows"]
    assert flows.column("ended").to_pylist() == ["closed"]


def test_a_flow_without_packets_since_its_last_row_has_no_empty_row() -> None:
    """The end of a flow that was silent since its minute's row adds none."""
    talk = Conversation(step=1_000).open().up(ACK, b"x")
    later = [Packet(T0 + s * SECOND, icmp(8, 0)) for s in (61, 200, 400)]
    rows = [row for row in rows_of(talk.packets + later).flows if row["protocol"] == 6]
    assert [row["ended"] for row in rows] == ["active"]


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


@pytest.mark.parametrize("wrong", [0, 1, 4_294_967_295 * SECOND])
def test_a_clock_that_steps_loses_nothing(wrong: int) -> None:
    """Frames of 1970 and of 2106 among today's are counted, and the sensor finds back to today."""
    packets = []
    for number in range(300):
        ts = T0 + number * SECOND if not 100 <= number < 110 else wrong + number
        packets.append(Packet(ts, udp(b"x", 50_000 + number % 7, 9_999, ident=number + 1)))
    rows = rows_of(packets)
    assert total(rows, "packets") == rows.total("packets") == 300
    assert all(row["start"] <= row["end"] for row in rows.flows)
    last = [row for row in rows.flows if row["start"] > "2026-03-02T08:04" and row["start"] < "2027"]
    assert {row["ended"] for row in last} == {"shutdown"}


def test_after_a_step_back_flows_and_health_go_on() -> None:
    """A clock set back by a day: the old day's flows end, new ones end by their silence, health is told."""
    day = 86_400 * SECOND
    packets = [Packet(T0 + day + n * SECOND, udp(b"x", 50_000, 9_999, ident=n + 1)) for n in range(30)]
    packets += [Packet(T0 + n * SECOND, udp(b"x", 50_001, 9_999, ident=n + 1)) for n in range(200)]
    packets += [Packet(T0 + (200 + n) * SECOND, udp(b"x", 50_002, 9_999, ident=n + 1)) for n in range(90)]
    rows = rows_of(packets, blocks=32)
    assert total(rows, "packets") == 320
    ended = defaultdict(list)
    for row in rows.flows:
        ended[row["client_port"]].append(row["ended"])
    assert ended[50_000] == ["idle"]
    assert set(ended[50_001]) <= {"active", "idle"}
    ticks = [row["ts"] for row in rows.health if row["event"] == "tick" and row["ts"] < "2026-03-03"]
    assert len(ticks) >= 15


def test_frames_out_of_order_widen_the_row() -> None:
    """A packet that comes late moves a row's start back, never its end."""
    times = [5, 3, 9, 1, 7]
    packets = [Packet(T0 + s * SECOND, udp(b"x", 50_000, 9_999, ident=s)) for s in times]
    row = rows_of(packets).flow
    assert (row["start"], row["end"]) == ("2026-03-02T08:00:01.000000Z", "2026-03-02T08:00:09.000000Z")


def test_directions_of_other_protocols() -> None:
    """Echo requests and replies are one flow of the asker; GRE and SCTP have the first sender as client."""
    echo = [Packet(T0, icmp(8, 0)), Packet(T0 + 1_000, icmp(0, 0, source="192.0.2.80", target=CLIENT))]
    row = rows_of(echo).flow
    assert (row["client"], row["packets_up"], row["packets_down"]) == (CLIENT, 1, 1)
    assert (row["state"], row["application"]) == ("OTH", "icmp")
    reversed_row = rows_of(echo[::-1]).flow
    assert reversed_row["client"] == CLIENT
    sctp = struct.pack("!HHII", 5_000, 36_412, 0, 0)
    row = rows_of([Packet(T0, ip(sctp, 132, CLIENT, "192.0.2.80"))]).flow
    assert (row["client_port"], row["server_port"], row["protocol"]) == (5_000, 36_412, 132)
    assert row["state"] == "OTH"


@pytest.mark.parametrize("group", ["255.255.255.255", "239.255.255.250", "ff02::fb"])
def test_who_speaks_to_a_group_is_the_client(group: str) -> None:
    """A broadcast or multicast address opens nothing, even where the speaker's port is a service's."""
    speaker = "fe80::7" if ":" in group else "10.0.0.1"
    row = rows_of([Packet(T0, udp(b"x", 67, 68, source=speaker, target=group, ident=1))]).flow
    assert (row["client"], row["server"], row["state"]) == (speaker, group, "S0")


@pytest.mark.parametrize(("up", "down", "state"), [(2, 2, "SF"), (1, 0, "S0"), (0, 1, "SHR")])
def test_states_of_udp(up: int, down: int, state: str) -> None:
    """UDP has Zeek's states, too: both sides spoke, one did."""
    packets = [Packet(T0 + n, udp(b"x", 50_000, 4_000, ident=n + 1)) for n in range(up)]
    packets += [
        Packet(T0 + 10 + n, udp(b"x", 443, 50_000, source="192.0.2.80", target=CLIENT, ident=n + 1))
        if up == 0
        else Packet(T0 + 10 + n, udp(b"x", 4_000, 50_000, source="192.0.2.80", target=CLIENT, ident=n + 1))
        for n in range(down)
    ]
    assert rows_of(packets).flow["state"] == state


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
