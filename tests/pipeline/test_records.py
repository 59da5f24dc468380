"""Record schemas and their text forms."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import (
    RECORDS,
    SCHEMAS,
    address_bytes,
    address_text,
    community_id,
    json_rows,
    mac_text,
    time_text,
)


@given(st.ip_addresses())
def test_addresses_there_and_back(address: object) -> None:
    """16 bytes and text say the same; IPv4 is mapped, and shown as a dotted quad."""
    packed = address_bytes(str(address))
    assert len(packed) == 16
    assert address_bytes(address_text(packed)) == packed


def test_mapped_addresses_are_dotted() -> None:
    """Both spellings of an IPv4 address are one."""
    assert address_text(address_bytes("::ffff:192.0.2.1")) == "192.0.2.1"
    assert address_bytes("192.0.2.1") == address_bytes("::ffff:192.0.2.1")


def test_mac_and_time_text() -> None:
    """A MAC is six pairs, a time RFC 3339 with microseconds."""
    assert mac_text(0x0016_3E00_66_9E) == "00:16:3e:00:66:9e"
    assert time_text(1_700_000_000_000_001) == "2023-11-14T22:13:20.000001Z"


@pytest.mark.parametrize(
    ("client", "server", "client_port", "server_port", "protocol", "expected"),
    [
        # The specification's own baselines (community-id-spec, seed 0).
        ("128.232.110.120", "66.35.250.204", 34855, 80, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        ("66.35.250.204", "128.232.110.120", 80, 34855, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        ("192.168.1.52", "8.8.8.8", 54585, 53, 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ],
)
def test_community_id(
    client: str, server: str, client_port: int, server_port: int, protocol: int, expected: str
) -> None:
    """The specification's baselines, in both directions."""
    found = community_id(address_bytes(client), address_bytes(server), client_port, server_port, protocol)
    assert found == expected


@pytest.mark.parametrize("kind", list(RECORDS))
def test_every_field_says_what_it_is(kind: str) -> None:
    """Each field of each record has a note, and its schema carries it."""
    for field in RECORDS[kind]:
        assert field.note
        assert SCHEMAS[kind].field(field.name).metadata[b"note"].decode() == field.note
    assert len({field.name for field in RECORDS[kind]}) == len(RECORDS[kind])


def test_rows_are_ready_for_json() -> None:
    """Addresses, MACs, times and maps are text; what is not known stays null."""
    schema = SCHEMAS["sightings"]
    row = {
        "ts": 1_700_000_000_000_001, "vlan": 20, "source": "dhcp_ack", "mac": 0x00163E00669E,
        "ip": address_bytes("10.0.0.1"), "name": "desk", "value": "10.0.0.1", "attributes": [("lease", "60")],
    }  # fmt: skip
    batch = pa.RecordBatch.from_pylist([row], schema=schema)
    assert json_rows("sightings", batch) == [
        row | {"ts": "2023-11-14T22:13:20.000001Z", "mac": "00:16:3e:00:66:9e", "ip": "10.0.0.1",
               "attributes": {"lease": "60"}}
    ]  # fmt: skip
