"""Text off the wire."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import printable, valid_batch, valid_text

ODD = b"caf\xe9 \xff"
SHOWN = "caf\\xe9 \\xff"


def odd_text(*values: bytes) -> pa.Array:
    return pa.array(values, pa.binary()).view(pa.string())


def test_valid_text_is_left_as_it_is() -> None:
    """A batch of valid text comes back as the same object."""
    batch = pa.record_batch({"name": ["a", "größe"]})
    assert valid_batch(batch) is batch


def test_odd_bytes_are_escaped_at_any_depth() -> None:
    """Bytes that are no UTF-8 become `\\xNN` in text, dictionaries, lists and maps, and the type stays."""
    offsets = pa.array([0, 1], pa.int32())
    batch = pa.record_batch(
        {
            "text": odd_text(ODD),
            "kind": pa.DictionaryArray.from_arrays(pa.array([0], pa.uint8()), odd_text(ODD)),
            "texts": pa.ListArray.from_arrays(offsets, odd_text(ODD)),
            "attributes": pa.MapArray.from_arrays(offsets, odd_text(ODD), odd_text(b"ok")),
        }
    )
    valid = valid_batch(batch)
    assert valid.schema == batch.schema
    assert valid.to_pylist() == [
        {"text": SHOWN, "kind": SHOWN, "texts": [SHOWN], "attributes": [(SHOWN, "ok")]},
    ]


def test_nulls_stay_null() -> None:
    """A null beside odd bytes is still a null."""
    column = pa.array([None, ODD], pa.binary()).view(pa.string())
    assert valid_text(column).to_pylist() == [None, SHOWN]


def test_damaged_offsets_are_refused() -> None:
    """Offsets that point outside the text raise instead of reading there."""
    offsets = np.array([0, 200, 3], np.int32)
    column = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(offsets), pa.py_buffer(b"abc")])
    with pytest.raises(pa.ArrowInvalid):
        valid_batch(pa.RecordBatch.from_arrays([column], ["name"]))


@given(st.lists(st.binary(max_size=12), max_size=8))
def test_every_byte_sequence_becomes_text(values: list[bytes]) -> None:
    """Whatever the bytes, the result is valid and of the same length."""
    column = valid_text(odd_text(*values))
    column.validate(full=True)
    assert [text.encode() for text in column.to_pylist()] == [
        value.decode("utf-8", "backslashreplace").encode() for value in values
    ]


def test_what_no_screen_shows_is_replaced() -> None:
    """Control characters and those that turn the writing's direction become U+FFFD; letters stay."""
    assert printable("größe 漢字") == "größe 漢字"
    assert printable("a\x1b[31m\u202eb\n") == "a\ufffd[31m\ufffdb\ufffd"
