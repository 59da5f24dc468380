"""Batches of records with the columns a test cares about, the rest at rest."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from pipeline.records import ADDRESS, SCHEMAS, address_bytes

PACIFIC = ZoneInfo("America/Los_Angeles")
STUDENT, STAFF, GUEST = "10.20.1.2", "10.30.1.2", "10.40.1.2"
#: A Wednesday, inside and outside the starter's duty hours.
DUTY = datetime(2026, 11, 18, 10, tzinfo=PACIFIC)
EVENING = datetime(2026, 11, 18, 19, tzinfo=PACIFIC)


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


def us(moment: datetime) -> int:
    """µs since 1970 UTC."""
    return round(moment.timestamp() * 1_000_000)


def flow(name: str, client: str = STUDENT, at: datetime = DUTY, **more: Any) -> dict[str, Any]:
    """A TLS flow to a name."""
    return {
        "client": client,
        "server": "198.51.100.7",
        "server_port": 443,
        "server_name": name,
        "start": us(at),
        **more,
    }


def classified(classifier: Any, records: str, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows with what a classifier or judge adds."""
    return classifier.classify(records, batch(records, *rows), "sensor").to_pylist()
