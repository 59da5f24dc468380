"""The contract of the records: schemas, texts, Community IDs."""

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import (
    ADDRESS,
    KIND,
    RECORDS,
    SCHEMA_VERSION,
    SCHEMAS,
    address_bytes,
    address_text,
    community_id,
    json_rows,
    mac_text,
    time_text,
)
from tests.pipeline.batches import batch


@pytest.mark.parametrize("kind", list(RECORDS))
def test_schemas_follow_the_fields(kind: str) -> None:
    """Each field is a column with its note; kind and version stand in the schema."""
    schema = SCHEMAS[kind]
    assert schema.names == [field.name for field in RECORDS[kind]]
    assert len(set(schema.names)) == len(schema.names)
    assert schema.metadata == {b"records": kind.encode(), b"version": str(SCHEMA_VERSION).encode()}
    for field, column in zip(RECORDS[kind], schema, strict=True):
        assert (column.type, column.nullable) == (field.type, field.nullable)
        assert column.metadata == {b"note": field.note.encode()}
        assert field.note


@pytest.mark.parametrize("kind", list(RECORDS))
def test_closed_sets_of_words(kind: str) -> None:
    """A set's words are different, fit a byte, and only `KIND` columns have one."""
    for field in RECORDS[kind]:
        assert len(set(field.words)) == len(field.words) <= 256
        assert not field.words or field.type == KIND


@given(st.ip_addresses())
def test_addresses_there_and_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """An address has 16 bytes and comes back as the same text, mapped ones as IPv4."""
    packed = address_bytes(str(address))
    assert len(packed) == ADDRESS.byte_width
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert address_text(packed) == str(mapped or address)


@pytest.mark.parametrize("text", ["", "1.2.3", "1.2.3.4.5", "::g", "example.org", "1.2.3.4/8"])
def test_no_addresses(text: str) -> None:
    """What is no address raises ValueError."""
    with pytest.raises(ValueError, match="address"):
        address_bytes(text)


def test_texts() -> None:
    """MACs are pairs of digits, times RFC 3339 with microseconds."""
    assert mac_text(0) == "00:00:00:00:00:00"
    assert mac_text(0x02AB00FF0109) == "02:ab:00:ff:01:09"
    assert time_text(0) == "1970-01-01T00:00:00.000000Z"
    assert time_text(1_772_438_400_000_001) == "2026-03-02T08:00:00.000001Z"
    assert time_text(4_294_967_295_999_999) == "2106-02-07T06:28:15.999999Z"


@pytest.mark.parametrize(
    ("client", "server", "client_port", "server_port", "protocol", "told"),
    [
        # Baseline of the Community ID specification, version 1, seed 0.
        ("128.232.110.120", "66.35.250.204", 34_855, 80, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        ("66.35.250.204", "128.232.110.120", 80, 34_855, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        ("192.168.1.52", "8.8.8.8", 54_585, 53, 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        ("8.8.8.8", "192.168.1.52", 53, 54_585, 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        ("192.168.0.89", "192.168.0.1", 8, 0, 1, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        ("192.168.0.1", "192.168.0.89", 0, 8, 1, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    ],
)
def test_community_ids(
    client: str, server: str, client_port: int, server_port: int, protocol: int, told: str
) -> None:
    """Published identifiers come out for both directions."""
    ends = address_bytes(client), address_bytes(server)
    assert community_id(*ends, client_port, server_port, protocol) == told


@given(
    st.ip_addresses(v=6), st.ip_addresses(v=6), st.integers(0, 65_535), st.integers(0, 65_535),
    st.sampled_from([6, 17, 132, 47]),
)  # fmt: skip
def test_community_ids_have_no_direction(
    a: ipaddress.IPv6Address, b: ipaddress.IPv6Address, port: int, other: int, protocol: int
) -> None:
    """Both directions of a flow have one identifier; ports count where the protocol has them."""
    one = community_id(a.packed, b.packed, port, other, protocol)
    assert one == community_id(b.packed, a.packed, other, port, protocol)
    assert one.startswith("1:")
    if port != other and a != b and protocol != 47:
        assert one != community_id(a.packed, b.packed, other, port, protocol)


def test_mapped_addresses_are_ipv4_to_the_community_id() -> None:
    """An IPv4 flow's identifier is that of four bytes, not of sixteen."""
    mapped = community_id(address_bytes("192.0.2.1"), address_bytes("192.0.2.2"), 1, 2, 6)
    four = community_id(bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]), 1, 2, 6)
    assert mapped == four


@pytest.mark.parametrize("kind", list(RECORDS))
def test_rows_for_people(kind: str) -> None:
    """Every row has every column, null stays null, and flows have their Community ID."""
    made = batch(kind, 50, seed=3)
    rows = json_rows(kind, made)
    assert len(rows) == 50
    extra = {"community_id"} if kind == "flows" else set()
    assert all(set(row) == {*SCHEMAS[kind].names, *extra} for row in rows)
    for field in RECORDS[kind]:
        column = made.column(field.name)
        assert [row[field.name] is None for row in rows] == column.is_null().to_pylist(), field.name


@pytest.mark.parametrize("kind", list(RECORDS))
def test_no_rows(kind: str) -> None:
    """An empty batch has no rows."""
    empty = pa.RecordBatch.from_pylist([], schema=SCHEMAS[kind])
    assert json_rows(kind, empty) == []
