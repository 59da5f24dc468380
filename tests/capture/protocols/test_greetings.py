"""Protocols of lines: what servers greet with, what clients ask first."""

import pytest

from tests.capture.applications import DOWN, UP, of_client, of_datagram, of_server, of_stream


@pytest.mark.parametrize(
    ("line", "port", "application"),
    [
        (b"220 mail.example ESMTP ready\r\n", 12_345, "smtp"),
        (b"220 mail.example at your service\r\n", 25, "smtp"),
        (b"554 no SMTP service here\r\n", 12_345, "smtp"),
        (b"220 example FTP server\r\n", 12_345, "ftp"),
        (b"220-Welcome\r\n220 to the files\r\n", 21, "ftp"),
        (b"220 anything\r\n", 12_345, ""),
        (b"200 news.example NNRP ready\r\n", 12_345, "nntp"),
        (b"201 no posting\r\n", 119, "nntp"),
        (b"+OK POP3 ready <1.2@example>\r\n", 12_345, "pop3"),
        (b"+OK\r\n", 6_379, "redis"),
        (b"* OK IMAP4rev1 ready\r\n", 12_345, "imap"),
        (b":irc.example NOTICE * :looking up\r\n", 12_345, "irc"),
        (b":irc.example 001 me :Welcome\r\n", 12_345, "irc"),
        (b":something else\r\n", 12_345, ""),
    ],
)
def test_greetings(line: bytes, port: int, application: str) -> None:
    """A server's first line names its protocol, by its words or else by its port."""
    assert of_server(line, port=port) == application


@pytest.mark.parametrize(
    ("line", "application"),
    [
        (b"EHLO me.example\r\n", "smtp"),
        (b"helo me.example\r\n", "smtp"),
        (b"AUTH TLS\r\n", "ftp"),
        (b"CAPA\r\n", "pop3"),
        (b"a1 CAPABILITY\r\n", "imap"),
        (b"A.002 login me secret\r\n", "imap"),
        (b"a1 SOMETHING\r\n", ""),
        (b"MODE READER\r\n", "nntp"),
        (b"NICK me\r\nUSER me 0 * :Me\r\n", "irc"),
        (b"USER me 0 * :Me\r\n", "irc"),
        (b"USER me\r\n", ""),
        (b"<?xml version='1.0'?><stream:stream to='example' xmlns='jabber:client'>", "xmpp"),
        (b"<?xml version='1.0'?><note>no stream of messages, whatever it may be</note>", ""),
        (b'{"id":1,"method":"mining.subscribe","params":[]}\n', "stratum"),
        (b'{"id":1,"jsonrpc":"2.0","method":"login","params":{}}\n', "stratum"),
        (b'{"id":1,"jsonrpc":"2.0","method":"echo","params":[]}\n', ""),
        (b"0 node_a 17.7\n", "tinc"),
        (b"0 node_a 99\n", ""),
        (b"\xff\xfd\x01\xff\xfb\x1f", "telnet"),
        (b"\xff\xfb\x90\x44 sound", ""),
        (b"<34>1 2024-01-01T00:00:00Z host app - - text\n", "syslog"),
        (b"<999>no such priority", ""),
    ],
)
def test_clients(line: bytes, application: str) -> None:
    """A client's first line names its protocol."""
    assert of_client(line) == application


def test_user_behind_a_greeting() -> None:
    """USER belongs to file transfer where a greeting said 220, and to mail where it said +OK."""
    assert of_stream((DOWN, b"220 hello\r\n"), (UP, b"USER me\r\n")) == "ftp"
    assert of_stream((DOWN, b"+OK hello\r\n"), (UP, b"USER me\r\n")) == "pop3"


def test_xml_in_two_segments() -> None:
    """A stream of messages that opens in the second segment is known."""
    talk = [(UP, b"<?xml version='1.0'?>"), (UP, b"<stream:stream to='example'>")]
    assert of_stream(*talk, port=5_222) == "xmpp"


def test_syslog_datagram() -> None:
    """A priority in brackets and text."""
    assert of_datagram(b"<13>Oct 11 22:14:15 host su: text") == "syslog"
    assert of_datagram(b"<html>") == ""
