"""Multicast DNS: questions to the link and their answers, hostile messages."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import (
    CLIENT,
    T0,
    Packet,
    address_record,
    dns,
    labels,
    record,
    rows_of,
    udp,
)

GROUP, GROUP6 = "224.0.0.251", "ff02::fb"
DEVICE, OTHER = "10.1.2.60", "10.1.2.61"
FLUSH = 0x8001
"""Class of a unique record (RFC 6762, 10.2)."""
SERVICE = b"_airplay._tcp.local"


def message(*records: bytes, extra: Sequence[bytes] = (), flags: int = 0x8400) -> bytes:
    return dns(0, None, flags=flags, records=records, additional=extra)


def question(*names: tuple[bytes, int], klass: int = 1) -> bytes:
    asked = b"".join(labels(name) + struct.pack("!HH", kind, klass) for name, kind in names)
    return struct.pack("!HHHHHH", 0, 0, len(names), 0, 0, 0) + asked


def said(
    data: bytes,
    ts: int = T0,
    *,
    source: str = DEVICE,
    target: str = GROUP,
    sport: int = 5_353,
    dport: int = 5_353,
) -> Packet:
    return Packet(ts, udp(data, sport, dport, source=source, target=target, ttl=255))


def address(name: bytes, ip: str, ttl: int = 120) -> bytes:
    return address_record(ip, ttl, labels(name))


def service(instance: bytes, host: bytes, kind: bytes = SERVICE) -> list[bytes]:
    """PTR, SRV and TXT of an instance (RFC 6763, 4 to 6)."""
    full = bytes([len(instance)]) + instance + labels(kind)
    return [
        record(12, full, 4_500, labels(kind)),
        record(33, struct.pack("!HHH", 0, 0, 7_000) + labels(host), 120, full, FLUSH),
        record(16, b"\x0dmodel=Box3,1a\x05k=abc", 4_500, full, FLUSH),
    ]


def test_an_answer_to_the_group_answers_its_askers() -> None:
    """Everyone who asked for the name has the answer, though it repeats no question; others wait on."""
    packets = [
        said(question((b"Tv.local", 1), (b"tv.local", 28)), T0, source=CLIENT),
        said(question((b"tv.local", 1)), T0 + 1_000, source=OTHER),
        said(message(address(b"TV.local", DEVICE)), T0 + 5_000),
    ]
    rows = sorted(rows_of(packets).dns, key=lambda row: (row["qtype"], row["client"]))
    assert [(row["client"], row["server"], row["qname"], row["answered"]) for row in rows] == [
        (CLIENT, DEVICE, "tv.local", True),
        (OTHER, DEVICE, "tv.local", True),
        (CLIENT, GROUP, "tv.local", False),
    ]
    assert [(row["rtt_us"], row["addresses"], row["min_ttl"]) for row in rows[:2]] == [
        (5_000, [DEVICE], 120),
        (4_000, [DEVICE], 120),
    ]
    assert {row["transport"] for row in rows} == {"mdns"}


def test_an_answer_to_one_host_answers_it_alone() -> None:
    """A reply to a single asker (RFC 6762, 5.4 and 6.7), with or without the question, is not another's."""
    asked = [said(question((b"tv.local", 1)), T0 + n, source=s) for n, s in enumerate((CLIENT, OTHER))]
    rows = rows_of([*asked, said(message(address(b"tv.local", DEVICE)), T0 + 9, target=OTHER)]).dns
    assert {row["client"]: row["answered"] for row in rows} == {CLIENT: False, OTHER: True}
    legacy = dns(77, b"tv.local", flags=0)
    reply = dns(77, b"tv.local", flags=0x8400, records=[address_record(DEVICE, 10)])
    (row,) = rows_of(
        [
            said(legacy, source=CLIENT, sport=50_000),
            said(reply, T0 + 700, target=CLIENT, dport=50_000),
        ]
    ).dns
    assert (row["id"], row["rtt_us"], row["addresses"], row["client"]) == (77, 700, [DEVICE], CLIENT)


def test_a_service_is_answered_once() -> None:
    """Of several devices that offer a service the first answers the question; targets are told."""
    ask = said(question((SERVICE, 12)), source=CLIENT)
    answers = [
        said(message(service(b"TV %d" % n, b"tv.local")[0]), T0 + 10 + n, source=f"10.1.2.{60 + n}")
        for n in range(3)
    ]
    (row,) = rows_of([ask, *answers]).dns
    assert (row["server"], row["answers"]) == (DEVICE, ["tv\\0320._airplay._tcp.local"])


def test_questions_for_any_type() -> None:
    """A question for any type gets all of the name's records, and no other name's."""
    data = message(address(b"tv.local", DEVICE), address(b"pc.local", OTHER), address(b"tv.local", "fe80::1"))
    (row,) = rows_of([said(question((b"tv.local", 255)), source=CLIENT), said(data, T0 + 1)]).dns
    assert (row["qtype"], row["addresses"]) == (255, [DEVICE, "fe80::1"])


@pytest.mark.parametrize(
    "answer",
    [
        said(message(address(b"tv.local", DEVICE, 0)), T0 + 1),
        said(message(address(b"tv.local", CLIENT)), T0 + 1, source=CLIENT),
        said(message(extra=[address(b"tv.local", DEVICE)]), T0 + 1),
        said(message(address(b"tv.local", DEVICE)), T0 + 5_000_001),
    ],
    ids=["goodbye", "its own", "not in the answer section", "late"],
)
def test_what_is_no_answer(answer: Packet) -> None:
    """A goodbye, the asker's own announcement, an additional record and a late answer answer nothing."""
    (row,) = rows_of([said(question((b"tv.local", 1)), source=CLIENT), answer]).dns
    assert row["answered"] is False


def test_an_announcement_is_no_row() -> None:
    """Records that nobody asked for make sightings, no rows."""
    rows = rows_of([said(message(address(b"tv.local", DEVICE)))])
    assert (rows.dns, rows.flow["application"]) == ([], "mdns")


@pytest.mark.parametrize(("target", "flags", "transport"), [(DEVICE, 0x0100, "udp"), (DEVICE, 0, "mdns")])
def test_a_resolver_on_this_port(target: str, flags: int, transport: str) -> None:
    """A question to one host that wants recursion is an ordinary one (RFC 6762, 18.6)."""
    rows = rows_of(
        [said(dns(5, b"www.example.org", flags=flags), source=CLIENT, target=target, sport=50_000)]
    )
    assert rows.dns[0]["transport"] == transport
    assert rows.flow["application"] == ("dns" if transport == "udp" else "mdns")


@pytest.mark.compiled
def test_many_askers_of_one_name() -> None:
    """Of thousands of waiting questions for one name a bounded number is answered; each is a row."""
    asked = [
        said(question((b"tv.local", 1)), T0 + n, source=f"10.2.{n >> 8}.{n & 255}") for n in range(3_000)
    ]
    rows = rows_of([*asked, said(message(address(b"tv.local", DEVICE)), T0 + 5_000)], flows=4_096).dns
    assert len(rows) == 3_000
    assert [row["answered"] for row in rows].count(True) == 64


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damaged_messages(data: st.DataObject) -> None:
    """Whatever becomes of a message, it ends, stays in bounds, and gives at most eight sightings."""
    whole = message(
        *service(b"TV", b"tv.local"), address(b"tv.local", DEVICE), extra=[address(b"b.local", "fe80::1")]
    )
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    rows = rows_of([said(question((SERVICE, 12), (b"tv.local", 255)), source=CLIENT), said(cut, T0 + 1)])
    assert len(rows.sightings) <= 8


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_any_records(data: bytes) -> None:
    """Any bytes behind a header that promises much are read within bounds, and say no more than eight."""
    for flags in (0, 0x8400):
        rows = rows_of([said(struct.pack("!HHHHHH", 0, flags, 40, 200, 0, 200) + data)])
        assert len(rows.sightings) <= 8
