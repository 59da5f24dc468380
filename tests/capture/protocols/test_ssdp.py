"""SSDP sightings."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import CLIENT, SECOND, T0, Packet, rows_of, udp

GATEWAY = b"urn:schemas-upnp-org:device:InternetGatewayDevice:1"
DEVICE = "10.1.2.9"


def message(first: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join((first, *headers)) + b"\r\n\r\n"


def announced(*headers: bytes, kind: bytes = b"ssdp:alive") -> bytes:
    return message(b"NOTIFY * HTTP/1.1", b"HOST: 239.255.255.250:1900", b"NTS: " + kind, *headers)


def sent(data: bytes, ts: int = T0, sport: int = 1900) -> Packet:
    return Packet(ts, udp(data, sport, 1900, source=DEVICE, target="239.255.255.250", ident=ts & 0x7FFF | 1))


def answered(data: bytes, sport: int = 1900) -> Packet:
    return Packet(T0, udp(data, sport, 50_123, source=DEVICE, target=CLIENT, ident=7))


def one(packet: Packet) -> dict[str, Any]:
    rows = rows_of([packet])
    (row,) = rows.sightings
    assert rows.flow["application"] == "ssdp"
    return row


def test_a_gateway() -> None:
    """A router that announces itself tells its type, software, identity, and the host that describes it."""
    row = one(
        sent(
            announced(
                b"Cache-Control:max-age=1800",
                b"LOCATION: http://user:secret@10.1.2.9:5000/rootDesc.xml?id=7",
                b"Server: OS/1.0 UPnP/1.1 HomeBox/2.3",
                b"NT: " + GATEWAY,
                b"USN: uuid:00000000-0000-1000-8000-020000000001::" + GATEWAY,
                b"BOOTID.UPNP.ORG: 7",
            )
        )
    )
    assert row == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "vlan": 0,
        "source": "ssdp",
        "mac": "02:00:00:00:00:01",
        "ip": DEVICE,
        "name": "",
        "value": GATEWAY.decode(),
        "attributes": {
            "type": "alive",
            "server": "OS/1.0 UPnP/1.1 HomeBox/2.3",
            "usn": "uuid:00000000-0000-1000-8000-020000000001::" + GATEWAY.decode(),
            "location": DEVICE,
        },
    }


@pytest.mark.parametrize(
    ("kind", "told"), [(b"ssdp:byebye", "byebye"), (b"SSDP:Update", "update"), (b"x", None)]
)
def test_kinds_of_announcements(kind: bytes, told: str | None) -> None:
    """Coming, going and changing are told apart."""
    row = one(sent(announced(b"NT: upnp:rootdevice", kind=kind)))
    assert (row["value"], row["attributes"].get("type")) == ("upnp:rootdevice", told)


def test_a_search() -> None:
    """Who searches tells for what, and what it is."""
    search = message(
        b"M-SEARCH * HTTP/1.1",
        b'MAN: "ssdp:discover"',
        b"ST: ssdp:all",
        b"USER-AGENT: OS/11 UPnP/1.1 App/3",
        b"CPFN.UPNP.ORG: Raum 107",
    )
    row = one(sent(search, sport=50_123))
    assert (row["name"], row["value"], row["attributes"]) == (
        "Raum 107",
        "ssdp:all",
        {"type": "search", "agent": "OS/11 UPnP/1.1 App/3"},
    )


@pytest.mark.parametrize("port", [1900, 50_999])
def test_an_answer(port: int) -> None:
    """An answer is of the device that gives it, from whichever port."""
    row = one(
        answered(
            message(b"HTTP/1.1 200 OK", b"st:" + GATEWAY, b"usn:uuid:1", b"location:http://10.1.2.9"), port
        )
    )
    assert (row["ip"], row["value"], row["attributes"]) == (
        DEVICE,
        GATEWAY.decode(),
        {"type": "response", "usn": "uuid:1", "location": DEVICE},
    )


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (b"http://10.1.2.9:80/x", "10.1.2.9"),
        (b"http://box.example", "box.example"),
        (b"http://[fe80::1%25eth0]:8080/", "fe80::1%25eth0"),
        (b"http://[fe80::1", "fe80::1"),
        (b"http://a@b@10.1.2.9?x@y", "10.1.2.9"),
        (b"http:///x", None),
        (b"http://", None),
        (b"10.1.2.9/x", None),
        (b"", None),
    ],
)
def test_hosts_of_locations(url: bytes, host: str | None) -> None:
    """Of a location only the host is told, never user, path or query."""
    row = one(sent(announced(b"NT: a", b"Location: " + url)))
    assert row["attributes"].get("location") == host


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"NOTIFY",
        b"NOTIFY * HTTP/2.0",
        message(b"NOTIFY * HTTP/1.1", b"Host: x"),
        message(b"HTTP/1.1 200 OK", b"Content-Length: 0"),
        message(b"GET / HTTP/1.1", b"ST: x"),
        b"\xff" * 40,
    ],
)
def test_what_is_no_ssdp(data: bytes) -> None:
    """Other messages, and those that name neither type nor identity, are no sightings."""
    assert rows_of([sent(data)]).sightings == []


def test_a_search_without_a_type() -> None:
    """A search that forgot its type is SSDP, and tells nothing."""
    rows = rows_of([sent(b"M-SEARCH * HTTP/1.1\r\n\r\n")])
    assert (rows.sightings, rows.flow["application"]) == ([], "ssdp")


def test_lines_without_carriage_returns() -> None:
    """Lines may end with a line feed alone, and the last one with nothing."""
    row = one(sent(b"NOTIFY * HTTP/1.1\nNT: a b \nNTS:ssdp:alive\nSERVER: x"))
    assert (row["value"], row["attributes"]) == ("a b", {"type": "alive", "server": "x"})


def test_repetition() -> None:
    """The same announcement is told once in 10 minutes, whatever its boot number is."""
    packets = [sent(announced(b"NT: a", b"BOOTID.UPNP.ORG: %d" % n), T0 + n * 60 * SECOND) for n in range(11)]
    assert [row["ts"][14:16] for row in rows_of(packets).sightings] == ["00", "10"]


LINES = st.sampled_from(
    [b"NT: a", b"USN:", b"LOCATION: http://[", b"location: //@:", b"NTS: ssdp:alive", b":", b""]
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [b"NOTIFY * HTTP/1.1\r\n", b"M-SEARCH * HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1."]
    ),
    st.lists(st.one_of(LINES, st.binary(max_size=40)), max_size=8),
)
def test_any_lines(first: bytes, lines: list[bytes]) -> None:
    """Whatever lines a message has, it gives at most one sighting, in bounds."""
    data = first + b"\r\n".join(lines)
    rows = rows_of([sent(data), answered(data, 50_999)])
    assert len(rows.sightings) <= 2
