"""Text that came off the wire: valid UTF-8 and fit to be shown, so that no reader trips over it."""

import pyarrow as pa


def valid_text(column: pa.Array) -> pa.Array:
    """The column with bytes of text that are no UTF-8 written `\\xNN`, at any depth of its type.

    Raises ArrowInvalid where the offsets themselves are damaged.
    """
    if pa.types.is_string(column.type):
        raw = column.view(pa.binary())
        raw.validate(full=True)
        texts = [
            None if value is None else value.decode("utf-8", "backslashreplace") for value in raw.to_pylist()
        ]
        return pa.array(texts, pa.string())
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, valid_text(column.dictionary))
    if pa.types.is_map(column.type):
        keys, items = valid_text(column.keys), valid_text(column.items)
        return pa.MapArray.from_arrays(column.offsets, keys, items, type=column.type)
    if pa.types.is_list(column.type):
        return pa.ListArray.from_arrays(column.offsets, valid_text(column.values), type=column.type)
    return column


def printable(text: str) -> str:
    """The text with what no screen shows, or what turns its direction, as U+FFFD."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def valid_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with all its text valid, its offsets and indices checked. Raises ArrowInvalid."""
    try:
        batch.validate(full=True)
        return batch
    except pa.ArrowInvalid:
        columns = [valid_text(column) for column in batch.columns]
    repaired = pa.RecordBatch.from_arrays(columns, schema=batch.schema)
    repaired.validate(full=True)
    return repaired
