"""Questions that wait for their answers, and answers that name later flows."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.capture.packets import (
    ACK,
    ANSWER,
    CLIENT,
    SECOND,
    T0,
    Conversation,
    Packet,
    Rows,
    address_record,
    answered,
    asked,
    client_hello,
    dns,
    icmp,
    rows_of,
    tcp,
    udp,
)


def one(packets: Sequence[Packet]) -> dict[str, Any]:
    """The only DNS row."""
    (row,) = rows_of(packets).dns
    return row


def test_unanswered_after_5_s() -> None:
    """A question without an answer is a row after 5 s, with null where an answer would speak."""
    packets = [asked(dns(7)), Packet(T0 + 4 * SECOND, icmp(8, 0))]
    late = answered(dns(7, flags=ANSWER), T0 + 10 * SECOND)
    rows = rows_of([*packets, Packet(T0 + 7 * SECOND, icmp(8, 0)), late]).dns
    first, second = rows
    assert (first["answered"], first["rcode"], first["ra"], first["rtt_us"]) == (False, None, None, None)
    assert (first["ts"], first["addresses"], first["min_ttl"]) == ("2026-03-02T08:00:00.000000Z", [], None)
    assert (second["answered"], second["rtt_us"], second["rcode"]) == (True, None, 0)


def test_a_repeated_question_is_one_row() -> None:
    """The same question asked again while it waits is not a second row; its time is the first's."""
    packets = [asked(dns(7), T0 + n * SECOND) for n in range(3)]
    row = one([*packets, answered(dns(7, flags=ANSWER), T0 + 3 * SECOND)])
    assert (row["ts"], row["rtt_us"]) == ("2026-03-02T08:00:00.000000Z", 3 * SECOND)


def test_questions_are_told_apart() -> None:
    """Another id, type, name, port, client or resolver is another question."""
    packets = [
        asked(dns(1)), asked(dns(2)), asked(dns(1, kind=28)), asked(dns(1, b"b.example")),
        asked(dns(1), port=50_001), asked(dns(1), client="10.1.2.4"),
    ]  # fmt: skip
    rows = rows_of([*packets, answered(dns(1, flags=ANSWER))]).dns
    assert len(rows) == 6
    assert [row["answered"] for row in rows].count(True) == 1


def visit(
    client: str = CLIENT, server: str = "192.0.2.1", ts: int = T0 + SECOND, port: int = 4_443
) -> Packet:
    return Packet(ts, tcp(2, 1, source=client, target=server, dport=port))


def named(packets: Sequence[Packet]) -> tuple[str, str]:
    (row,) = [row for row in rows_of(packets).flows if row["protocol"] == 6]
    return row["server_name"], row["name_source"]


LEARNT = answered(dns(7, b"learnt.example", flags=ANSWER, records=[address_record("192.0.2.1", 60)]))


def test_an_answer_names_the_clients_flow() -> None:
    """A flow to an address that this client was told has the name it asked for."""
    assert named([LEARNT, visit()]) == ("learnt.example", "dns")


@pytest.mark.parametrize(
    "flow",
    [visit(client="10.1.2.99"), visit(server="192.0.2.2"), visit(ts=T0 + 361 * SECOND), visit(ts=T0)],
    ids=["other client", "other address", "after TTL and 300 s", "before the answer"],
)
def test_an_answer_names_no_other_flow(flow: Packet) -> None:
    """Neither another client's, nor another address's, nor one outside TTL + 300 s."""
    packets = sorted([LEARNT, flow])
    assert named(packets) == ("", "none")


def test_an_answer_holds_for_its_ttl_and_300_s() -> None:
    """At 359 s after an answer of 60 s the name is still there."""
    assert named([LEARNT, visit(ts=T0 + 359 * SECOND)]) == ("learnt.example", "dns")


def test_a_newer_answer_replaces_an_older_one() -> None:
    """Two names for one address: the last told counts."""
    newer = answered(
        dns(8, b"newer.example", flags=ANSWER, records=[address_record("192.0.2.1")]), T0 + 20_000
    )
    assert named([LEARNT, newer, visit()]) == ("newer.example", "dns")


def test_the_hellos_name_wins() -> None:
    """What the client says itself stands above what it asked."""
    talk = Conversation(server="192.0.2.1", ts=T0 + SECOND).open().up(ACK, client_hello(b"said.example"))
    assert named([LEARNT, *talk.packets]) == ("said.example", "sni")
    talk = Conversation(server="192.0.2.1", ts=T0 + SECOND).open().up(ACK, client_hello(None))
    assert named([LEARNT, *talk.packets]) == ("learnt.example", "dns")


def test_ipv6_answers_name_flows() -> None:
    """AAAA answers over IPv6 name IPv6 flows."""
    client, resolver, server = "2001:db8::10", "2001:db8::53", "2001:db8::80"
    answer = dns(7, b"six.example", 28, flags=ANSWER, records=[address_record(server)])
    told = udp(answer, 53, 50_000, source=resolver, target=client)
    packets = [Packet(T0, told), Packet(T0 + SECOND, tcp(2, 1, source=client, target=server))]
    assert named(packets) == ("six.example", "dns")


def flood(count: int, start: int = 0) -> Rows:
    return rows_of(
        [
            asked(dns(n & 0xFFFF, b"n%d.example" % n), T0 + n, port=1_024 + n % 60_000)
            for n in range(start, count)
        ],
        batch_rows=10_000,
    )


@pytest.mark.compiled
def test_many_questions_at_once_are_all_told() -> None:
    """Each of a burst of questions is a row of its own."""
    rows = flood(500).dns
    assert len({row["qname"] for row in rows}) == len(rows) == 500


@pytest.mark.compiled
@pytest.mark.slow
def test_more_questions_than_can_wait() -> None:
    """70,000 questions within a second: the oldest leave unanswered before their time, none is missing."""
    rows = flood(70_000)
    assert len({row["qname"] for row in rows.dns}) == len(rows.dns) == 70_000
