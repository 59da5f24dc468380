"""Heads of streams and datagrams find the parser that reads them."""

import pytest

from tests.capture.packets import (
    ACK,
    ANSWER,
    PSH,
    SECOND,
    SYN,
    Conversation,
    Packet,
    address_record,
    asked,
    client_hello,
    dns,
    icmp,
    rows_of,
    tcp,
)


@pytest.mark.parametrize("split", [None, 1, 2, 5, 20])
def test_dns_over_tcp(split: int | None) -> None:
    """Length, then message (RFC 1035, 4.2.2), in one segment or two."""
    question, answer = dns(8), dns(8, flags=ANSWER, records=[address_record("192.0.2.1")])
    talk = Conversation(dport=53, step=1_000).open()
    framed = len(question).to_bytes(2, "big") + question
    for part in [framed] if split is None else [framed[:split], framed[split:]]:
        talk.up(ACK, part)
    talk.down(ACK, len(answer).to_bytes(2, "big") + answer)
    rows = rows_of(talk.packets)
    (row,) = rows.dns
    assert (row["transport"], row["answered"], row["addresses"]) == ("tcp", True, ["192.0.2.1"])
    assert rows.flow["application"] == "dns"


@pytest.mark.parametrize(("port", "transport"), [(5_353, "mdns"), (5_355, "llmnr")])
def test_multicast_dns_and_llmnr(port: int, transport: str) -> None:
    """Their questions have their own transport, their flows their own application."""
    rows = rows_of([asked(dns(0, b"printer.local", flags=0), dport=port)])
    assert (rows.dns[0]["transport"], rows.flow["application"]) == (transport, transport)


def test_mid_stream_behind_a_probe() -> None:
    """A connection picked up at a keep-alive probe is named by the request behind it."""
    talk = Conversation(dport=80).up(ACK, b"\0", keep=True)
    talk.up(ACK, b"GET / HTTP/1.1\r\nHost: late.example\r\n\r\n")
    assert rows_of(talk.packets).flow["server_name"] == "late.example"


def test_http_on_any_port() -> None:
    """Content decides: a request on port 12345 is HTTP."""
    talk = Conversation(dport=12_345).open().up(ACK, b"GET / HTTP/1.1\r\nHost: odd.example\r\n\r\n")
    row = rows_of(talk.packets).flow
    assert (row["application"], row["server_name"]) == ("http", "odd.example")


def test_heads_run_out() -> None:
    """With 16 heads in use the next split hello has no name; its packets count, whole hellos have names."""
    hello = client_hello()
    packets, rest = [], []
    for number in range(20):
        talk = Conversation(sport=2_000 + number, step=1_000).open().up(ACK, hello[:50])
        packets += talk.packets
        talk.packets.clear()
        rest += talk.up(ACK, hello[50:]).packets
    whole = Conversation(sport=9_000).open().up(ACK, hello).packets
    rows = rows_of(packets + whole + rest)
    named = {row["client_port"] for row in rows.flows if row["server_name"]}
    assert named == {*range(2_000, 2_016), 9_000}
    assert sum(row["payload_up"] for row in rows.flows) == 21 * len(hello)
    assert max(row["reassembly_peak"] for row in rows.health) == 16


def test_the_head_is_given_up_after_3_s() -> None:
    """A hello whose rest comes 5 s later has no name; the head is free for others."""
    hello = client_hello()
    talk = Conversation(step=1_000).open().up(ACK, hello[:50])
    packets = [*talk.packets, Packet(talk.ts + 4 * SECOND, icmp(8, 0))]
    talk.packets.clear()
    talk.ts += 5 * SECOND
    talk.up(ACK, hello[50:])
    rows = rows_of(packets + talk.packets)
    (row,) = [row for row in rows.flows if row["protocol"] == 6]
    assert row["server_name"] == ""
    assert max(row["reassembly_peak"] for row in rows.health) == 1


def test_data_with_the_syn() -> None:
    """A hello in the SYN itself (TCP Fast Open, RFC 7413) is read."""
    hello = client_hello()
    talk = Conversation()
    talk.up(SYN, hello)
    assert rows_of(talk.packets).flow["server_name"] == "www.example.org"


def test_a_hello_mid_stream() -> None:
    """A connection picked up at its hello, the handshake missed, is named all the same."""
    frame = tcp(ACK | PSH, 55, 66, client_hello())
    assert rows_of([Packet(1, frame)]).flow["server_name"] == "www.example.org"


def test_keep_alive_before_the_hello() -> None:
    """A probe below the first byte does not end the looking."""
    talk = Conversation().open().up(ACK, b"\0", seq=1_000, keep=True).up(ACK, client_hello())
    assert rows_of(talk.packets).flow["server_name"] == "www.example.org"


@pytest.mark.parametrize("closed", [True, False])
def test_a_hello_of_one_byte_a_segment(closed: bool) -> None:
    """It is named at its last byte, whether the connection ends or not."""
    talk = Conversation(step=1_000).open()
    for octet in client_hello():
        talk.up(ACK, bytes([octet]))
    packets = talk.close().packets if closed else talk.packets
    assert rows_of(packets).flow["server_name"] == "www.example.org"
