"""Packet time: flows that fall silent, clocks that step."""

from collections import defaultdict

import pytest

from tests.capture.packets import (
    ACK,
    SECOND,
    SYN,
    T0,
    Conversation,
    Packet,
    Rows,
    block,
    icmp,
    rows_of,
    small_sensor,
    tcp,
    udp,
)


def total(rows: Rows, name: str) -> int:
    """Sum of both directions over all flow rows."""
    return sum(row[f"{name}_up"] + row[f"{name}_down"] for row in rows.flows)


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


def test_a_flow_that_nobody_answers_leaves_after_5_s() -> None:
    """A question without an answer has its row at the first sweep after 5 s of silence, once; others wait."""
    tried = [tcp(SYN, 1, sport=40_001), udp(b"x", 50_000, 9_999), icmp(8, 0)]
    answered = Conversation(step=1_000).open().up(ACK, b"x").packets
    sensor = small_sensor()
    list(sensor.feed(block([*answered, *(Packet(T0 + SECOND, frame) for frame in tried)])))
    list(sensor.tick(T0 + 5 * SECOND))
    assert [kind for kind, _ in sensor.flush() if kind == "flows"] == []
    list(sensor.tick(T0 + 10 * SECOND))
    (flows,) = [batch for kind, batch in sensor.flush() if kind == "flows"]
    assert sorted(flows.column("protocol").to_pylist()) == [1, 6, 17]
    assert set(flows.column("ended").to_pylist()) == {"active"}
    assert set(flows.column("packets_down").to_pylist()) == {0}
    list(sensor.tick(T0 + 40 * SECOND))
    assert [kind for kind, _ in sensor.flush() if kind == "flows"] == []


def test_a_flow_without_packets_since_its_last_row_has_no_empty_row() -> None:
    """The end of a flow that was silent since its minute's row adds none."""
    talk = Conversation(step=1_000).open().up(ACK, b"x")
    later = [Packet(T0 + s * SECOND, icmp(8, 0)) for s in (61, 200, 400)]
    rows = [row for row in rows_of(talk.packets + later).flows if row["protocol"] == 6]
    assert [row["ended"] for row in rows] == ["active"]


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
