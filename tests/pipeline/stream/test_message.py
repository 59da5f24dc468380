"""Messages: encoded, decoded, damaged."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import RECORDS, SCHEMA_VERSION, SCHEMAS
from pipeline.stream.message import Message, decode, encode
from tests.pipeline.batches import batch, message

KINDS = list(SCHEMAS)


@pytest.mark.parametrize("records", KINDS)
def test_a_batch_comes_back_unchanged(records: str) -> None:
    """Decoding gives the rows, types and schema notes that were encoded."""
    made = batch(records, 50)
    back = decode(encode(records, made, sensor="gate", boot="b", sequence=3))
    assert back.equals(made)
    assert back.schema.equals(SCHEMAS[records], check_metadata=True)


@pytest.mark.parametrize("records", KINDS)
def test_headers_name_batch_and_time(records: str) -> None:
    """Token, row count, schema version and the span of event time are in the headers."""
    made = batch(records, 50)
    start, end = ("start", "end") if records == "flows" else ("ts", "ts")
    headers = encode(records, made, sensor="gate", boot="b", sequence=3)
    assert headers.token == "gate/b/3"
    assert (headers.records, headers.rows, headers.schema) == (records, 50, SCHEMA_VERSION)
    assert headers.first == pc.min(made[start].cast(pa.int64())).as_py()
    assert headers.last == pc.max(made[end].cast(pa.int64())).as_py()


def test_batches_of_an_older_version_are_read() -> None:
    """Columns that version 1 did not have come back as null, else empty text and 0, the others unchanged."""
    newer = [field.name for field in RECORDS["flows"] if field.since > 1]
    made = batch("flows", 5)
    older = made.drop_columns(newer)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, older.schema.remove_metadata()) as writer:
        writer.write_batch(older.replace_schema_metadata(None))
    headers = encode("flows", made, sensor="gate", boot="b", sequence=0)
    back = decode(headers._replace(schema=1, payload=sink.getvalue().to_pybytes()))
    assert back.schema.equals(SCHEMAS["flows"])
    assert back.drop_columns(newer).equals(older)
    assert {name: set(back[name].to_pylist()) for name in newer} == {
        "certificate": {""}, "issuer": {""}, "logins": {0}, "logins_failed": {0}, "reset_us": {None},
        "bursts_down": {0},
    }  # fmt: skip


def test_a_batch_without_rows_has_no_time() -> None:
    """A batch without rows is a message with 0 for first and last."""
    empty = message("dns", 0, 0)
    assert (empty.rows, empty.first, empty.last) == (0, 0, 0)
    assert decode(empty).num_rows == 0


def test_small_messages_do_not_carry_the_notes() -> None:
    """One health row costs under 5 kB: the notes of the columns stay at home."""
    assert len(message("health", 1, 0).payload) < 5_000


def test_odd_bytes_in_names_are_escaped() -> None:
    """Text that is no UTF-8 goes through and comes back escaped."""
    made = batch("dns", 1)
    odd = pa.array([b"x\xff.example"], pa.binary()).view(pa.string())
    made = made.set_column(made.schema.get_field_index("qname"), SCHEMAS["dns"].field("qname"), odd)
    back = decode(encode("dns", made, sensor="gate", boot="b", sequence=0))
    assert back["qname"].to_pylist() == ["x\\xff.example"]


def test_nulls_where_none_may_be_are_refused() -> None:
    """A null in a counter is an error at the sensor: in the store it would become a zero."""
    made = batch("flows", 1)
    index = made.schema.get_field_index("bytes_up")
    made = made.set_column(index, SCHEMAS["flows"].field("bytes_up"), pa.array([None], pa.uint64()))
    with pytest.raises(ValueError, match="bytes_up holds nulls"):
        encode("flows", made, sensor="gate", boot="b", sequence=0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": SCHEMA_VERSION + 1}, "schema version"),
        ({"records": "gossip"}, "unknown kind of record 'gossip'"),
        ({"records": "dns"}, "column ts is missing"),
        ({"rows": 4}, "5 rows, its header says 4"),
        ({"payload": b""}, "is not readable"),
        ({"payload": b"\xff" * 900}, "is not readable"),
    ],
)
def test_messages_that_contradict_themselves_are_refused(change: dict[str, Any], reason: str) -> None:
    """Damage, an unknown kind, another version or a wrong header is one line that names the message."""
    with pytest.raises(ValueError, match=reason) as caught:
        decode(message("flows", 5, 7)._replace(**change))
    assert "\n" not in str(caught.value)


def test_a_payload_cut_short_is_refused() -> None:
    """No prefix of a payload is taken for the whole, except one that lacks only the end mark."""
    whole = message("flows", 5, 0)
    for length in range(0, len(whole.payload) - 16, 97):
        with pytest.raises(ValueError, match="gate/b1/0"):
            decode(whole._replace(payload=whole.payload[:length]))


def test_other_columns_are_refused_at_the_sensor() -> None:
    """A batch that does not follow the schema is not sent; the message names the column."""
    with pytest.raises(ValueError, match="column sensor is missing"):
        encode("flows", batch("dns", 1), sensor="gate", boot="b", sequence=0)
    with pytest.raises(ValueError, match="below 0"):
        encode("dns", batch("dns", 1), sensor="gate", boot="b", sequence=-1)


WHOLE = {records: message(records, 3, 0) for records in KINDS}


@settings(max_examples=300)
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damaged_bytes_give_rows_or_a_clear_error(records: str, damage: list[tuple[int, int]]) -> None:
    """Whatever bytes are changed, the result is a batch whose text can be read, or ValueError."""
    payload = bytearray(WHOLE[records].payload)
    for place, value in damage:
        payload[place % len(payload)] = value
    try:
        back = decode(WHOLE[records]._replace(payload=bytes(payload)))
    except ValueError:
        return
    back.validate(full=True)
    assert isinstance(WHOLE[records], Message)
