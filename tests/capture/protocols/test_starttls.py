"""Protocols that turn to TLS inside their stream."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.outcomes import DONE, MORE, NOT
from capture.protocols.starttls import UPGRADING, read_upgrade, read_upgrade_answer, watch_upgrade
from pipeline.records import APPLICATIONS
from tests.capture.packets import ACK, SECOND, Conversation, client_hello, rows_of, server_hello, small_table
from tests.capture.protocols.streams import FLOW, fresh_flow, octets, read

START_TLS_OID = b"1.3.6.1.4.1.1466.20037"
LDAP_REQUEST = b"\x30\x1d\2\1\1\x77\x18\x80\x16" + START_TLS_OID
LDAP_ANSWER = b"\x30\x0c\2\1\1\x78\7\x0a\1\0\4\0\4\0"
SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"
MYSQL_GREETING = b"\x0e\0\0\0\x0a8.0.36\0" + bytes(6)
MYSQL_REQUEST = b"\x20\0\0\1\x0d\xaa\xff\1\0\0\0\1\x21" + bytes(23)
RDP_REQUEST = b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0"
RDP_ANSWER = b"\3\0\0\x13\x0e\xd0\0\0\x12\x34\0\2\x1f\x08\0\2\0\0\0"
PROCEED = b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
STREAM = b"<?xml version='1.0'?><stream:stream to='example.org' xmlns='jabber:client'>"

#: By application: port, and what the sides say in turn, the server first ("" nothing).
TALKS = {
    "smtp": (
        2_525,
        [
            b"220 mx.example ESMTP\r\n",
            b"EHLO me\r\n",
            b"250-mx.example\r\n250 STARTTLS\r\n",
            b"STARTTLS\r\n",
            b"220 2.0.0 Ready\r\n",
        ],
    ),
    "imap": (
        143,
        [
            b"* OK IMAP4rev1 ready\r\n",
            b"a1 CAPABILITY\r\n",
            b"* CAPABILITY STARTTLS\r\na1 OK done\r\n",
            b"a2 STARTTLS\r\n",
            b"a2 OK begin\r\n",
        ],
    ),
    "pop3": (
        110,
        [b"+OK POP3 ready\r\n", b"CAPA\r\n", b"+OK\r\nSTLS\r\n.\r\n", b"stls\r\n", b"+OK begin\r\n"],
    ),
    "ftp": (21, [b"220 FTP ready\r\n", b"AUTH TLS\r\n", b"234 go on\r\n"]),
    "ldap": (389, [b"", LDAP_REQUEST, LDAP_ANSWER]),
    "postgresql": (5_432, [b"", SSL_REQUEST, b"S"]),
    "mysql": (3_306, [MYSQL_GREETING, MYSQL_REQUEST, b""]),
    "rdp": (3_389, [b"", RDP_REQUEST, RDP_ANSWER]),
    "xmpp": (
        5_222,
        [
            b"",
            STREAM,
            STREAM + b"<stream:features/>",
            b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            PROCEED,
        ],
    ),
}


def conversation(word: str, pause: int = 0, size: int = 9_999, step: int = 1_000) -> Conversation:
    """The talk of an application that turns to TLS, with a pause before each turn, in segments of a size."""
    port, turns = TALKS[word]
    talk = Conversation(dport=port, step=step).open()
    hellos = [client_hello(b"mail.example"), server_hello(0x0303)]
    for number, said in enumerate(turns + hellos if len(turns) % 2 else turns[:-1] + hellos):
        talk.ts += pause * SECOND
        for at in range(0, len(said), size):
            (talk.up if number % 2 else talk.down)(ACK, said[at : at + size])
    return talk


@pytest.mark.parametrize("pause", [0, 5])
@pytest.mark.parametrize("word", TALKS)
def test_the_hellos_are_read(word: str, pause: int) -> None:
    """Name, version and fingerprint come from the hellos; the application stays the one that carries them."""
    rows = rows_of(conversation(word, pause).packets, idle_tcp_s=600).flows
    row = rows[-1]
    assert (row["server_name"], row["name_source"]) == ("mail.example", "sni")
    assert (row["application"], row["tls_version"], row["hello"]) == (word, "1.2", 11)
    assert row["ja4"].startswith("t13d")


@pytest.mark.parametrize("word", [word for word in TALKS if word != "mysql"])
@pytest.mark.parametrize("size", [100, 9])
def test_small_segments(word: str, size: int) -> None:
    """Segments that cut everything leave the hellos readable, where the command is in one of them."""
    if word == "xmpp" and size == 9:
        pytest.skip("its command is longer than a segment, and begins no stream")
    row = rows_of(conversation(word, size=size).packets).flow
    assert (row["server_name"], row["hello"]) == ("mail.example", 11)


def test_the_hello_behind_the_command_in_any_order() -> None:
    """A hello whose second segment comes first is put together behind the command."""
    talk = conversation("smtp")
    packets = [p for p in talk.packets if b"mail.example" not in p.data]
    hello = client_hello(b"mail.example")
    late = Conversation(dport=2_525, ts=talk.ts, seq=talk.up_next - len(hello), ack=talk.down_next)
    late.up(ACK, hello[:60]).up(ACK, hello[60:])
    row = rows_of(packets + late.packets[::-1]).flow
    assert row["server_name"] == "mail.example"


def test_a_refused_command() -> None:
    """Where the server will not, the talk goes on in the clear and ends as what it was."""
    talk = (
        Conversation(dport=25)
        .open()
        .down(ACK, b"220 mx\r\n")
        .up(ACK, b"EHLO me\r\n")
        .down(ACK, b"250 mx\r\n")
    )
    talk.up(ACK, b"STARTTLS\r\n").down(ACK, b"454 not now\r\n").up(ACK, b"AUTH PLAIN AGEAYg==\r\n")
    talk.down(ACK, b"535 no\r\n")
    row = rows_of(talk.packets).flow
    assert (row["application"], row["hello"], row["logins_failed"]) == ("smtp", 0, 1)


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"EHLO me\r\nMAIL FROM:<a>\r\n", NOT),
        (b"STARTTLS\r\nQUIT\r\n", DONE),
        (b"a STARTTLS\r\n", MORE),
        (b"STARTTLSX\r\n", NOT),
        (b"AUTH TLS-C\r\n", MORE),
        (b"\x30\x1d\2\1\1\x63\x18" + bytes(24), NOT),
        (b"\0\0\0\x08\0\3\0\0", NOT),
        (MYSQL_REQUEST[:5] + b"\x82" + MYSQL_REQUEST[6:], NOT),
        (b"<stream:x>", NOT),
    ],
)
def test_commands(data: bytes, outcome: int) -> None:
    """Only the command itself makes a reader wait for a hello."""
    fresh_flow()
    assert read(read_upgrade, data) == outcome


@pytest.mark.uncompiled
@settings(max_examples=500)
@given(
    octets(
        b"STARTTLS\r\n",
        b"AUTH TLS\r\n",
        LDAP_REQUEST,
        LDAP_ANSWER,
        SSL_REQUEST,
        MYSQL_REQUEST,
        RDP_REQUEST,
        b"S",
        RDP_ANSWER,
        PROCEED,
        b"<starttls/>",
        client_hello(),
        b"\x16\3\1",
    ),
    st.booleans(),
    st.sampled_from([word for word, chosen in zip(APPLICATIONS, UPGRADING, strict=True) if chosen] + [""]),
)
def test_any_bytes_are_read_within_bounds(data: bytes, final: bool, word: str) -> None:
    """No bytes make readers or watchers read outside of them; what they say stays what they may say."""
    code = APPLICATIONS.index(word)
    for reader in (read_upgrade, read_upgrade_answer):
        fresh_flow(word, outer=code, watch=code)
        read(reader, data, final)
    for up, done in itertools.product((0, 1), (0, 3)):
        fresh_flow(word, outer=code, watch=code, done=done)
        if data and word:
            assert read(
                lambda table, buf, start, end, _, i, up=up: watch_upgrade(table, buf, start, end, up, i), data
            ) in (0, 1)
    assert small_table().flows[FLOW].head == -1
