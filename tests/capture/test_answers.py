"""Names that answers give to a client's later flows: which answers, for how long, how many."""

from collections.abc import Sequence

import pytest

from capture.answers import GRACE_US, TTL_MAX, WAYS, find_answer
from tests.capture.packets import (
    ACK,
    ANSWER,
    CLIENT,
    SECOND,
    T0,
    Conversation,
    Packet,
    address_record,
    answered,
    client_hello,
    dns,
    labels,
    record,
    rows_of,
    small_sensor,
    tcp,
    udp,
)


def visit(
    client: str = CLIENT, server: str = "192.0.2.1", ts: int = T0 + SECOND, port: int = 4_443
) -> Packet:
    return Packet(ts, tcp(2, 1, source=client, target=server, dport=port))


def named(packets: Sequence[Packet]) -> tuple[str, str]:
    (row,) = [row for row in rows_of(packets).flows if row["protocol"] == 6 and row["server_port"] != 53]
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


def test_the_end_of_a_chain_has_the_name_asked_for() -> None:
    """Behind CNAME records the flow has the question's name, whatever the address's owner is called."""
    edge = labels(b"edge.example.net")
    records = [record(5, edge), address_record("192.0.2.1", 60, edge)]
    answer = answered(dns(7, b"asked.example", flags=ANSWER, records=records))
    assert named([answer, visit()]) == ("asked.example", "dns")


def test_answers_over_tcp_name_flows() -> None:
    """An answer that came over TCP counts as any other."""
    data = dns(7, b"learnt.example", flags=ANSWER, records=[address_record("192.0.2.1", 60)])
    talk = Conversation(server="10.0.0.53", dport=53, step=1_000).open()
    talk.down(ACK, len(data).to_bytes(2, "big") + data)
    assert named([*talk.packets, visit()]) == ("learnt.example", "dns")


def test_a_zone_transfer_names_nothing() -> None:
    """The addresses of a whole zone are not those of the zone's name."""
    answer = answered(dns(7, b"zone.example", 252, flags=ANSWER, records=[address_record("192.0.2.1")]))
    assert named([answer, visit()]) == ("", "none")


@pytest.mark.parametrize(("ttl", "kept"), [(0, 300), (0x80000001, 300), (TTL_MAX * 2, TTL_MAX + 300)])
def test_odd_times_to_live(ttl: int, kept: int) -> None:
    """None, one that counts as none (RFC 2181, 8), and one over a week."""
    answer = answered(dns(7, b"odd.example", flags=ANSWER, records=[address_record("192.0.2.1", ttl)]), T0)
    assert named([answer, visit(ts=T0 + kept * SECOND)])[0] == "odd.example"
    assert named([answer, visit(ts=T0 + (kept + 1) * SECOND)])[0] == ""


@pytest.mark.uncompiled
def test_the_oldest_of_a_set_leaves() -> None:
    """Addresses that share their places replace the one told longest ago, and no other."""
    table = small_sensor().table
    places = len(table.answers)
    by_set: dict[int, list[int]] = {}
    for low in range(1, 60_000):
        i = find_answer(table, 0, 1, 0, low)
        # What was not found got a tag; take it back.
        assert i < 0
        table.answer_tags[-1 - i] = 0
        same = by_set.setdefault((-1 - i) // WAYS, [])
        same.append(low)
        if len(same) == WAYS + 1:
            break
    for n, low in enumerate(same):
        i = -1 - find_answer(table, 0, 1, 0, low)
        answer = table.answers[i]
        answer.client_hi, answer.client_lo, answer.server_hi, answer.server_lo = 0, 1, 0, low
        answer.from_ts = T0 + n
    known = [find_answer(table, 0, 1, 0, low) for low in same[1:]]
    assert all(0 <= i < places for i in known)
    assert len(set(known)) == WAYS
    assert find_answer(table, 0, 1, 0, same[0]) == -1 - known[0]


def test_grace() -> None:
    """The time beyond a TTL is the one that records.md states."""
    assert GRACE_US == 300 * SECOND
