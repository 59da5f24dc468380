"""HTTPS and SVCB records: the text of target, protocols, port and encrypted hellos."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.packets import ANSWER, ASKED, answered, dns, labels, record, rows_of


def parameter(key: int, value: bytes) -> bytes:
    return struct.pack("!HH", key, len(value)) + value


H2_H3 = parameter(1, b"\x02h2\x02h3")
HINTS = parameter(4, bytes([192, 0, 2, 1])) + parameter(6, bytes(16))
KEYS = parameter(5, b"\0\x45\xfe\x0d" + bytes(67))


def told(*data: bytes, kind: int = 65) -> list[str]:
    """Answers of a row with one record of the kind for each of the data."""
    records = [record(kind, value, 300) for value in data]
    (row,) = rows_of([answered(dns(7, b"www.example.org", kind, flags=ANSWER, records=records))]).dns
    assert (row["qtype"], row["min_ttl"], row["addresses"]) == (kind, 300, [])
    return row["answers"]


@pytest.mark.parametrize("kind", [64, 65])
def test_services(kind: int) -> None:
    """Target (`.` the owner itself), protocols, port and ECH are told; hints are no addresses."""
    service = b"\0\1" + b"\0" + H2_H3 + HINTS + KEYS
    other = b"\0\2" + labels(b"Pool.Example.net") + H2_H3 + parameter(3, b"\x20\xfb")
    assert told(service, other, kind=kind) == [". alpn=h2,h3 ech", "pool.example.net alpn=h2,h3 port=8443"]


def test_aliases_are_names() -> None:
    """An alias (priority 0) is its target's name alone, as of a CNAME."""
    assert told(b"\0\0" + labels(b"svc.example.net")) == ["svc.example.net"]
    assert told(b"\0\0" + ASKED) == ["www.example.org"]


def test_odd_protocols_are_escaped() -> None:
    """What would make the list ambiguous is escaped."""
    assert told(b"\0\1\0" + parameter(1, b"\x04a,b\xff\x03c d")) == [". alpn=a\\044b\\255,c\\032d"]


@pytest.mark.parametrize(
    "data", [b"", b"\0\1", b"\0\1\x05abc", b"\0\1\xc0\xff", b"\0\1" + b"\x3f" + b"x" * 20]
)
def test_broken_records(data: bytes) -> None:
    """A record without a sound target says nothing, and its message is read on."""
    assert told(data, b"\0\0" + labels(b"next.example")) == ["next.example"]


@pytest.mark.parametrize("rest", [b"\0\1", b"\0\1\0\x09\x02h2", parameter(1, b"\x09h2"), parameter(3, b"\1")])
def test_broken_parameters_end_the_record(rest: bytes) -> None:
    """A parameter that overruns its record or value is not told."""
    (text,) = told(b"\0\1" + labels(b"a.example") + rest)
    assert text == "a.example"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=120))
def test_any_record(data: bytes) -> None:
    """Whatever a record holds, the message gives its row, and the record behind is read."""
    assert told(data, b"\0\0" + labels(b"next.example"))[-1] == "next.example"
