"""Splitting by the clients' hosts: complete, the same for ever, a host in one place."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import ADDRESS, MAC, RECORDS, SCHEMAS, address_bytes
from pipeline.stream.kafka_headers import headers_of, message_of
from pipeline.stream.message import PLAIN, Message, decode, encode
from pipeline.stream.split import OWNER, partition_of, split
from tests.pipeline.batches import batch, message


def rows(batches: list[pa.RecordBatch]) -> list[str]:
    return sorted(str(row) for one in batches for row in one.to_pylist())


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(list(SCHEMAS)), st.integers(0, 60), st.integers(1, 40), st.integers(0, 2**32),
    st.sampled_from(["", "north", "s\u00fcd"]), st.sampled_from(["lz4", "zstd"]),
)  # fmt: skip
def test_parts_are_the_message(
    records: str, count: int, partitions: int, seed: int, site: str, compression: str
) -> None:
    """No row is lost, invented or changed; parts are numbered, spans are theirs, and again gives the same."""
    whole = message(records, count, seed)
    parts = split(whole, site, partitions, compression)
    assert rows([decode(part) for _, part in parts]) == rows([decode(whole)])
    assert [part.part for _, part in parts] == list(range(len(parts)))
    assert {part.parts for _, part in parts} == {len(parts)}
    assert len({part.token for _, part in parts}) == len(parts)
    assert all(0 <= place < partitions for place, _ in parts)
    assert sorted({place for place, _ in parts}) == [place for place, _ in parts]
    assert sum(part.rows for _, part in parts) == count
    if count:
        assert min(part.first for _, part in parts) == whole.first
        assert max(part.last for _, part in parts) == whole.last
    assert split(whole, site, partitions, compression) == parts
    for _, part in parts:
        assert message_of(headers_of(part), part.payload, records) == part


@pytest.mark.parametrize("records", list(OWNER))
def test_a_host_stays_in_one_partition(records: str) -> None:
    """Whatever the batch, its number and its other rows: the owner and the site alone decide."""
    places: dict[object, set[int]] = {}
    for sequence in range(4):
        for place, part in split(message(records, 400, sequence), "north", 5):
            for owner in decode(part)[OWNER[records]].to_pylist():
                places.setdefault(owner, set()).add(place)
    assert len(places) > 100
    assert {len(found) for found in places.values()} == {1}


def test_where_hosts_go_is_known() -> None:
    """The hash may never change: a new one would spread a host over partitions, and split repeats anew."""
    hosts = pa.array(
        [address_bytes(f"10.0.0.{n}") for n in range(8)] + [address_bytes("2001:db8::1")], ADDRESS
    )
    assert partition_of(hosts, "north", 6).tolist() == [0, 3, 4, 0, 3, 1, 1, 1, 1]
    assert partition_of(hosts, "south", 6).tolist() == [0, 1, 0, 4, 4, 5, 2, 0, 1]
    assert partition_of(pa.array([0, 1, 2**48 - 1], MAC), "north", 6).tolist() == [4, 5, 4]
    sliced = hosts.slice(3, 4)
    assert partition_of(sliced, "north", 6).tolist() == [0, 3, 4, 0, 3, 1, 1, 1, 1][3:7]


def test_hosts_are_spread_evenly() -> None:
    """Neighbouring addresses of one school use every partition about alike."""
    packed = b"".join(address_bytes(f"10.1.{high}.{low}") for high in range(16) for low in range(256))
    hosts = pa.Array.from_buffers(ADDRESS, 4_096, [None, pa.py_buffer(packed)])
    for partitions in (2, 6, 12, 64):
        counts = np.bincount(partition_of(hosts, "north", partitions), minlength=partitions)
        assert counts.min() > 0.6 * 4_096 / partitions
        assert counts.max() < 1.5 * 4_096 / partitions


def test_what_need_not_be_split_goes_as_it_is() -> None:
    """One partition, no rows, health, a single host: the same payload, and the token of the log."""
    for whole, partitions in (
        (message("flows", 50, 1), 1),
        (message("flows", 0, 1), 6),
        (message("health", 5, 1), 6),
        (message("flows", 1, 1), 6),
    ):
        [(_, part)] = split(whole, "north", partitions)
        assert part is whole
        assert part.token == "gate/b1/1"


def test_an_older_schema_stays_what_it_is() -> None:
    """Parts of a message of schema 1 are of schema 1, and decode as the message does."""
    whole = message("flows", 200, 3)
    old = [i for i, field in enumerate(RECORDS["flows"]) if field.since == 1]
    made = batch("flows", 200, 3)
    schema = pa.schema([PLAIN["flows"].field(i) for i in old])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([made.column(i) for i in old], schema=schema))
    older = whole._replace(schema=1, payload=sink.getvalue().to_pybytes())
    parts = split(older, "north", 6)
    assert len(parts) > 1
    assert {part.schema for _, part in parts} == {1}
    assert rows([decode(part) for _, part in parts]) == rows([decode(older)])


def test_a_damaged_message_is_refused() -> None:
    """It says so; the caller sets it aside."""
    whole = message("dns", 30, 1)
    damaged = whole._replace(payload=whole.payload[:-40])
    with pytest.raises(ValueError, match="not readable"):
        split(damaged, "north", 6)


def test_zstd_is_smaller() -> None:
    """Which is what the setting is for."""
    made = batch("flows", 4_000)
    whole = encode("flows", made, sensor="gate", boot="b", sequence=0)

    def size(compression: str) -> int:
        return sum(len(part.payload) for _, part in split(whole, "north", 3, compression))

    assert size("zstd") < size("lz4")


def test_a_part_has_its_own_token() -> None:
    """The store tells parts of a batch apart."""
    tokens = [part.token for _, part in split(message("flows", 100, 9), "north", 3)]
    assert tokens == [f"gate/b1/9/{n}" for n in range(3)]
    assert Message("gate", "b1", 9, "flows", 4, 1, 1, 1, b"").token == "gate/b1/9"
