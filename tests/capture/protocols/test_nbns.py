"""NetBIOS: name questions and answers, registrations, node status, datagrams, hostile names."""

import ipaddress
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import CLIENT, T0, Packet, rows_of, udp

BROADCAST, HOST, OTHER = "10.1.255.255", "10.1.2.70", "10.1.2.71"
NB, NBSTAT, NULL = 32, 33, 10
GROUP = 0x8000
MAC = "02:00:00:00:00:01"


def encoded(name: bytes, suffix: int = 0x20, pad: bytes = b" ", scope: bytes = b"") -> bytes:
    """A name in its first and second level form (RFC 1001, 14.1; RFC 1002, 4.1)."""
    whole = name.ljust(15, pad)[:15] + bytes([suffix])
    return b"\x20" + b"".join(bytes([65 + (o >> 4), 65 + (o & 15)]) for o in whole) + scope + b"\0"


def question(name: bytes, kind: int = NB, ident: int = 7) -> bytes:
    return struct.pack("!HHHHHH", ident, 0x0110, 1, 0, 0, 0) + name + struct.pack("!HH", kind, 1)


def answer(name: bytes, data: bytes, kind: int = NB, ident: int = 7, rcode: int = 0, ttl: int = 300) -> bytes:
    head = struct.pack("!HHHHHH", ident, 0x8580 | rcode, 0, 1, 0, 0)
    return head + name + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def entry(ip: str, flags: int = 0) -> bytes:
    return struct.pack("!H", flags) + ipaddress.IPv4Address(ip).packed


def registration(name: bytes, ip: str, flags: int = 0, operation: int = 5) -> bytes:
    head = struct.pack("!HHHHHH", 9, operation << 11 | 0x0110, 1, 0, 0, 1)
    data = entry(ip, flags)
    return head + name + struct.pack("!HH", NB, 1) + b"\xc0\x0c" + struct.pack("!HHIH", NB, 1, 0, 6) + data


def status(*names: tuple[bytes, int, int], unit: bytes = bytes(6)) -> bytes:
    """Data of a node's status: names with suffix and flags, then its unit id (RFC 1002, 4.2.18)."""
    listed = b"".join(n.ljust(15) + bytes([suffix]) + struct.pack("!H", flags) for n, suffix, flags in names)
    return bytes([len(names)]) + listed + unit + bytes(40)


def sent(data: bytes, ts: int = T0, source: str = CLIENT, target: str = BROADCAST, port: int = 137) -> Packet:
    return Packet(ts, udp(data, port, port, source=source, target=target))


def test_a_question_to_all_and_its_answer() -> None:
    """A broadcast question is answered by whoever has the name; id, type and suffix are kept."""
    rows = rows_of(
        [
            sent(question(encoded(b"FileServ"))),
            sent(answer(encoded(b"FILESERV"), entry(HOST)), T0 + 900, HOST, CLIENT),
        ]
    )
    (row,) = rows.dns
    assert row == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "client": CLIENT,
        "server": HOST,
        "vlan": 0,
        "transport": "nbns",
        "id": 7,
        "qname": "fileserv",
        "qtype": NB,
        "rcode": 0,
        "ra": True,
        "ede": None,
        "answers": ["<20>"],
        "addresses": [HOST],
        "min_ttl": 300,
        "rtt_us": 900,
        "answered": True,
        "aa": True,
        "soa": None,
    }
    assert {flow["application"] for flow in rows.flows} == {"nbns"}


def test_a_question_without_an_answer() -> None:
    """It is a row with its suffix, and null where an answer would speak."""
    (row,) = rows_of([sent(question(encoded(b"WPAD", 0)))]).dns
    assert (row["qname"], row["answers"], row["rcode"], row["answered"]) == ("wpad", ["<00>"], None, False)


def test_two_that_claim_one_name() -> None:
    """The second claim of a name, by another address, is a row of its own."""
    name = encoded(b"WPAD", 0)
    claims = [sent(answer(name, entry(ip)), T0 + 5 + n, ip, CLIENT) for n, ip in enumerate((HOST, OTHER))]
    rows = rows_of([sent(question(name)), *claims, claims[0]]).dns
    assert [(row["server"], row["addresses"]) for row in rows] == [(HOST, [HOST]), (OTHER, [OTHER])]


def test_a_negative_answer() -> None:
    """A name server's refusal, whose record is of type NULL, answers the question."""
    name = encoded(b"NOBODY")
    refusal = sent(answer(name, b"", NULL, rcode=3), T0 + 1, HOST, CLIENT)
    (row,) = rows_of([sent(question(name), target=HOST), refusal]).dns
    assert (row["rcode"], row["addresses"], row["rtt_us"]) == (3, [], 1)


def test_several_addresses() -> None:
    """A name of a group or of a host with several cards has several addresses."""
    data = entry(HOST, GROUP) + entry(OTHER, GROUP)
    (row,) = rows_of([sent(answer(encoded(b"GROUP", 0x1C), data), T0, HOST, CLIENT)]).dns
    assert (row["addresses"], row["rtt_us"]) == ([HOST, OTHER], None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (encoded(b"*", 0, b"\0"), "*"),
        (encoded(b"A.B C"), "a\\046b c"),
        (encoded(b"\x01\x02__MSBROWSE__\x02", 1), "\\001\\002__msbrowse__\\002"),
        (encoded(b"X\xe9"), "x\\233"),
        (encoded(b"LONGESTNAME1234"), "longestname1234"),
        (encoded(b"HOST", scope=b"\x06School\x05local"), "host.school.local"),
    ],
)
def test_forms_of_names(name: bytes, text: str) -> None:
    """Names are lower case without padding; a scope stands behind a dot; odd octets are escaped."""
    (row,) = rows_of([sent(question(name))]).dns
    assert row["qname"] == text


@pytest.mark.parametrize(
    "name",
    [
        b"\x04host\0",
        b"\x20" + b"a" * 32 + b"\0",
        b"\x20" + b"Q" * 32 + b"\0",
        encoded(b"CUT")[:-2],
        b"\xc0\x0c",
    ],
)
def test_other_names_are_refused(name: bytes) -> None:
    """What is not in first level form is no NetBIOS name."""
    assert rows_of([sent(question(name))]).dns == []


def test_node_status() -> None:
    """A node's names are the answers; its own, workgroup and MAC a sighting; its users are left out."""
    data = status(
        (b"LAB-PC", 0, 0), (b"SCHOOL", 0, GROUP), (b"LAB-PC", 0x20, 0), (b"ANNA", 3, 0),
        unit=bytes.fromhex("0200000000aa"),
    )  # fmt: skip
    everything = encoded(b"*", 0, b"\0")
    rows = rows_of(
        [
            sent(question(everything, NBSTAT), target=HOST),
            sent(answer(everything, data, NBSTAT), T0 + 4, HOST, CLIENT),
        ]
    )
    (row,) = rows.dns
    assert (row["qname"], row["qtype"], row["rtt_us"]) == ("*", NBSTAT, 4)
    assert row["answers"] == ["<00>", "lab-pc<00>", "school<00>", "lab-pc<20>"]
    (seen,) = rows.sightings
    assert (seen["source"], seen["mac"], seen["ip"]) == ("nbns", "02:00:00:00:00:aa", HOST)
    assert (seen["name"], seen["attributes"]) == ("lab-pc", {"domain": "school"})


def sightings(*packets: Packet) -> list[tuple[Any, ...]]:
    rows = rows_of(packets)
    assert rows.dns == []
    return [(row["name"], row["ip"], row["mac"], row["attributes"]) for row in rows.sightings]


@pytest.mark.parametrize("operation", [5, 8, 9, 15])
def test_registrations(operation: int) -> None:
    """A host that registers or refreshes its name is sighted once, whichever service it names."""
    packets = [
        sent(registration(encoded(b"LAB-PC", suffix), HOST, operation=operation), T0 + suffix, HOST)
        for suffix in (0, 0x20)
    ]
    assert sightings(*packets) == [("lab-pc", HOST, MAC, {})]


def test_registrations_of_groups_and_users() -> None:
    """A group tells the workgroup alone; the name of who is logged on is not told."""
    group = sent(registration(encoded(b"SCHOOL", 0), HOST, GROUP), source=HOST)
    user = sent(registration(encoded(b"ANNA", 3), HOST), source=HOST)
    browser = sent(registration(encoded(b"SCHOOL", 0x1E), HOST, GROUP), source=HOST)
    assert sightings(group, user, browser) == [("", HOST, MAC, {"domain": "school"})]


def test_a_registration_for_another_address() -> None:
    """A name registered for another address than the packet's has no MAC."""
    assert sightings(sent(registration(encoded(b"LAB-PC", 0), OTHER), source=HOST)) == [
        ("lab-pc", OTHER, "00:00:00:00:00:00", {})
    ]


def test_releases_and_their_like_say_nothing() -> None:
    """A release, a wait, and answers to a registration make neither row nor sighting."""
    release = sent(registration(encoded(b"LAB-PC", 0), HOST, operation=6), source=HOST)
    confirmed = struct.pack("!H", 9) + b"\xad\x80" + answer(encoded(b"LAB-PC", 0), entry(HOST))[4:]
    waiting = struct.pack("!H", 9) + b"\xbc\x00" + answer(encoded(b"LAB-PC", 0), b"\x29\x10")[4:]
    assert sightings(release, *(sent(d, source=HOST, target=CLIENT) for d in (confirmed, waiting))) == []


def datagram(
    source: bytes, target: bytes, ip: str = HOST, kind: int = 0x11, rest: bytes = b"\xffSMB"
) -> bytes:
    names = source + target
    head = struct.pack("!BBH4sHHH", kind, 2, 1, ipaddress.IPv4Address(ip).packed, 138, len(names + rest), 0)
    return head + names + rest


@pytest.mark.parametrize(("suffix", "attributes"), [(0x1D, {"domain": "school"}), (0x20, {})])
def test_datagrams(suffix: int, attributes: dict[str, str]) -> None:
    """A host's announcement to the browsers names it and its workgroup."""
    data = datagram(encoded(b"LAB-PC", 0), encoded(b"SCHOOL", suffix))
    assert sightings(sent(data, source=HOST, port=138)) == [("lab-pc", HOST, MAC, attributes)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        datagram(encoded(b"LAB-PC", 0), b"", kind=0x13),
        datagram(b"\x04host\0", encoded(b"SCHOOL", 0x1D)),
        datagram(encoded(b"ANNA", 3), encoded(b"SCHOOL", 0x1D)),
        datagram(encoded(b"LAB-PC", 0), b"")[:30],
    ],
)
def test_what_is_no_datagram_of_a_host(data: bytes) -> None:
    """Errors, other names, a user's messages and cut ones sight nobody."""
    assert sightings(sent(data, source=HOST, port=138)) == []


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damaged_messages(data: st.DataObject) -> None:
    """Whatever becomes of a message, it stays in bounds and gives a row and a sighting at most."""
    whole = data.draw(
        st.sampled_from(
            [
                question(encoded(b"HOST", scope=b"\x06School")),
                answer(encoded(b"HOST"), entry(HOST) * 3),
                answer(encoded(b"*", 0, b"\0"), status((b"A", 0, 0), (b"B", 0, GROUP)), NBSTAT),
                registration(encoded(b"HOST"), HOST),
                datagram(encoded(b"HOST", 0), encoded(b"SCHOOL", 0x1D)),
            ]
        )
    )
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    rows = rows_of([sent(cut, port=data.draw(st.sampled_from([137, 138])))])
    assert len(rows.dns) <= 1
    assert len(rows.sightings) <= 1
