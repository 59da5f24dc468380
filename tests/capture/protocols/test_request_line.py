"""Protocols that their first line names."""

import pytest

from tests.capture.applications import of_client, of_datagram, of_server


@pytest.mark.parametrize(
    ("line", "application"),
    [
        (b"INVITE sip:b@example.org SIP/2.0\r\nVia: x\r\n", "sip"),
        (b"SUBSCRIBE sip:b@example.org SIP/2.0\r\n", "sip"),
        (b"SIP/2.0 200 OK\r\n", "sip"),
        (b"RQNT 1201 endpoint/1@gw.example MGCP 1.0\r\n", "mgcp"),
        (b"NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\n", "ssdp"),
        (b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n", "ssdp"),
        (b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\n", "bittorrent"),
        (b"INVITE nobody to anything\r\n", ""),
        (b"TEXT\r\n SIP/2.0 in the second line", ""),
    ],
)
def test_datagrams(line: bytes, application: str) -> None:
    """A request's or an answer's protocol stands in its first line."""
    assert of_datagram(line) == application


@pytest.mark.parametrize(
    ("line", "application"),
    [
        (b"OPTIONS rtsp://cam.example/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", "rtsp"),
        (b"REGISTER sip:example.org SIP/2.0\r\n", "sip"),
    ],
)
def test_streams(line: bytes, application: str) -> None:
    """Over TCP, too."""
    assert of_client(line) == application


def test_server() -> None:
    """A camera's answer alone tells."""
    assert of_server(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n") == "rtsp"
