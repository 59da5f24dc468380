"""Batches of records with the columns a test cares about, the rest at rest."""

from typing import Any

import pyarrow as pa

from pipeline.records import ADDRESS, SCHEMAS, address_bytes


def _rest(type_: pa.DataType) -> Any:
    if pa.types.is_string(type_) or pa.types.is_dictionary(type_):
        return ""
    if type_ == ADDRESS:
        return bytes(16)
    if pa.types.is_list(type_) or pa.types.is_map(type_):
        return []
    return False if pa.types.is_boolean(type_) else 0


def batch(records: str, *rows: dict[str, Any]) -> pa.RecordBatch:
    """A batch of `records`; addresses as text, times in microseconds."""
    columns = []
    for field in SCHEMAS[records]:
        values = [row.get(field.name, None if field.nullable else _rest(field.type)) for row in rows]
        if field.type == ADDRESS:
            values = [address_bytes(value) if isinstance(value, str) else value for value in values]
        if pa.types.is_dictionary(field.type):
            columns.append(pa.array(values, pa.string()).cast(field.type))
        else:
            columns.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMAS[records])
