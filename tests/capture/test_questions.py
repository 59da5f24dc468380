"""Questions that wait for their answers, and answers that name later flows."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.capture.packets import (
    ANSWER,
    CLIENT,
    SECOND,
    T0,
    Packet,
    Rows,
    address_record,
    answered,
    asked,
    dns,
    icmp,
    rows_of,
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


def test_late_by_the_packets_clock() -> None:
    """An answer after more than 5 s answers nothing, though no sweep came between; at 5 s it does."""
    late = rows_of([asked(dns(7)), answered(dns(7, flags=ANSWER), T0 + 5 * SECOND + 1)]).dns
    assert sorted(row["answered"] for row in late) == [False, True]
    assert one([asked(dns(7)), answered(dns(7, flags=ANSWER), T0 + 5 * SECOND)])["rtt_us"] == 5 * SECOND


def test_the_question_asked_again_late() -> None:
    """The same question more than 5 s later is another."""
    rows = rows_of([asked(dns(7)), asked(dns(7), T0 + 5 * SECOND + 1)]).dns
    assert [row["answered"] for row in rows] == [False, False]


def test_the_same_answer_twice() -> None:
    """A resolver that repeats itself, with its addresses in another order and less time, adds no row."""
    pair = [address_record("192.0.2.1", 60), address_record("192.0.2.2", 60)]
    again = [address_record("192.0.2.2", 59), address_record("192.0.2.1", 59)]
    packets = [
        asked(dns(7)),
        answered(dns(7, flags=ANSWER, records=pair)),
        answered(dns(7, flags=ANSWER, records=again), T0 + SECOND),
    ]
    assert one(packets)["min_ttl"] == 60


def test_two_answers_to_one_question() -> None:
    """A second answer that says something else, such as one forged on the way, is another row."""
    packets = [asked(dns(7))]
    for n, records in enumerate(([address_record("192.0.2.1")], [address_record("203.0.113.9")], [])):
        packets.append(answered(dns(7, flags=ANSWER, records=records), T0 + 1_000 * (n + 1)))
    rows = rows_of(packets).dns
    assert {row["ts"] for row in rows} == {"2026-03-02T08:00:00.000000Z"}
    told = [(row["addresses"], row["rtt_us"]) for row in rows]
    assert told == [(["192.0.2.1"], 1_000), (["203.0.113.9"], 2_000), ([], 3_000)]


def test_a_question_asked_again_after_its_answer() -> None:
    """Port and id used again for the same question make another row, with its own answer."""
    packets = [
        asked(dns(7)),
        answered(dns(7, flags=ANSWER)),
        asked(dns(7), T0 + SECOND),
        answered(dns(7, flags=ANSWER), T0 + SECOND + 500),
    ]
    assert [row["rtt_us"] for row in rows_of(packets).dns] == [15_000, 500]


@pytest.mark.parametrize(("port", "dport"), [(50_001, 53), (50_000, 54)])
def test_answers_of_others(port: int, dport: int) -> None:
    """An answer to another port, or from another, does not answer the question."""
    rows = rows_of([asked(dns(7)), answered(dns(7, flags=ANSWER), port=port, dport=dport)]).dns
    assert sorted((row["answered"], row["rtt_us"]) for row in rows) == [(False, None), (True, None)]


def test_random_case() -> None:
    """A question in random case (0x20) and an answer in another are one row."""
    row = one([asked(dns(7, b"wWw.ExAmPlE.oRg")), answered(dns(7, b"WWW.example.ORG", flags=ANSWER))])
    assert (row["qname"], row["rtt_us"]) == ("www.example.org", 15_000)


@pytest.mark.parametrize("rcode", [1, 5])
def test_an_error_without_the_question(rcode: int) -> None:
    """A server that leaves the question out of its error answers the question of that id."""
    row = one([asked(dns(7)), answered(dns(7, None, flags=0x8000 | rcode))])
    assert (row["qname"], row["qtype"], row["rcode"], row["rtt_us"]) == ("www.example.org", 1, rcode, 15_000)


def test_a_response_to_nothing() -> None:
    """Without a question section and a question that waits, a response is no row."""
    rows = rows_of([answered(dns(7, None, flags=ANSWER))])
    assert (rows.dns, rows.flow["application"]) == ([], "dns")


def test_link_local_answers() -> None:
    """LLMNR is asked of a group and answered by a host: the row has the host; a second claim is a row."""
    question = Packet(T0, udp(dns(9, b"Printer", flags=0), 50_000, 5_355, target="224.0.0.252"))
    claims = [
        Packet(
            T0 + 700 + n,
            udp(
                dns(9, b"Printer", flags=0x8000, records=[address_record(ip)]),
                5_355,
                50_000,
                source=ip,
                target=CLIENT,
            ),
        )
        for n, ip in enumerate(("10.1.2.60", "10.1.2.66"))
    ]
    rows = rows_of([question, *claims]).dns
    assert [(row["transport"], row["server"], row["rtt_us"]) for row in rows] == [
        ("llmnr", "10.1.2.60", 700),
        ("llmnr", "10.1.2.66", 701),
    ]


@pytest.mark.compiled
def test_one_id_for_everything() -> None:
    """A client that asks a thousand names with one port and id has a row for each, without endless search."""
    packets = [asked(dns(1, b"n%d.example" % n), T0 + n) for n in range(1_000)]
    rows = rows_of([*packets, answered(dns(1, b"n999.example", flags=ANSWER))], batch_rows=10_000).dns
    assert len({row["qname"] for row in rows}) == len(rows) == 1_000
    assert [row["qname"] for row in rows if row["answered"]] == ["n999.example"]


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
