"""A message: one record batch on its way from a sensor to the workers, with its name for ever.

The payload is one Arrow IPC stream (schema, one batch, end) whose buffers are LZ4 frames. The
headers repeat what a reader must know without opening it.
"""

from typing import NamedTuple

import pyarrow as pa

from pipeline.records import RECORDS, SCHEMA_VERSION, SCHEMAS
from pipeline.text import valid_batch

#: First and last event time of each kind of record.
SPAN = {"flows": ("start", "end"), "dns": ("ts", "ts"), "sightings": ("ts", "ts"), "health": ("ts", "ts")}
#: The schemas without their notes, which would be most of a small message.
PLAIN = {kind: pa.schema([field.remove_metadata() for field in schema]) for kind, schema in SCHEMAS.items()}
# A thread pool for columns of some kilobytes costs a third more CPU than it does work.
WRITE_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
READ_OPTIONS = pa.ipc.IpcReadOptions(use_threads=False)


class Message(NamedTuple):
    """Headers and payload. `(sensor, boot, sequence)` names the batch for ever, `part` a part of it."""

    sensor: str
    boot: str
    """One run of the sensor, or one replayed file."""
    sequence: int
    """From 0, one higher with each batch of the boot, whatever its kind."""
    records: str
    """Kind of record: a key of `pipeline.records.SCHEMAS`."""
    schema: int
    """Version of the schema the payload was written with."""
    rows: int
    first: int
    """Earliest event time in the batch, µs since 1970; 0 without rows."""
    last: int
    """Latest event time in the batch, µs since 1970; 0 without rows."""
    payload: bytes
    """Arrow IPC stream, LZ4."""
    part: int = 0
    """Which part of the batch this is, from 0: on Kafka a batch is split by the clients' hosts."""
    parts: int = 1
    """Parts of the batch that have rows; 1 where it was not split."""

    @property
    def token(self) -> str:
        """Deduplication token at the store."""
        whole = f"{self.sensor}/{self.boot}/{self.sequence}"
        return whole if self.parts == 1 else f"{whole}/{self.part}"


def encode(records: str, batch: pa.RecordBatch, *, sensor: str, boot: str, sequence: int) -> Message:
    """Message of one batch. Raises ValueError where the batch does not follow `SCHEMAS[records]`."""
    schema = _schema(records)
    if not batch.schema.equals(schema):
        raise ValueError(f"cannot encode a batch of {records}: {_difference(batch.schema, schema)}")
    for field in schema:
        if not field.nullable and batch[field.name].null_count:
            raise ValueError(f"cannot encode a batch of {records}: column {field.name} holds nulls")
    if sequence < 0:
        raise ValueError(f"cannot encode a batch of {records}: sequence {sequence} is below 0")
    first, last = _span(records, batch)
    payload = _payload(batch.columns, PLAIN[records], WRITE_OPTIONS)
    return Message(sensor, boot, sequence, records, SCHEMA_VERSION, batch.num_rows, first, last, payload)


def part_of(message: Message, batch: pa.RecordBatch, *, part: int, parts: int, compression: str) -> Message:
    """The message with the rows of `batch` alone, some of those it decodes to; in its own schema version."""
    schema = PLAIN[message.records]
    columns = batch.columns
    if message.schema < SCHEMA_VERSION:
        sent = [i for i, field in enumerate(RECORDS[message.records]) if field.since <= message.schema]
        schema, columns = pa.schema([schema.field(i) for i in sent]), [columns[i] for i in sent]
    first, last = _span(message.records, batch)
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
    return message._replace(
        rows=batch.num_rows,
        first=first,
        last=last,
        payload=_payload(columns, schema, options),
        part=part,
        parts=parts,
    )


def _payload(columns: list[pa.Array], schema: pa.Schema, options: pa.ipc.IpcWriteOptions) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    payload: bytes = sink.getvalue().to_pybytes()
    return payload


def _span(records: str, batch: pa.RecordBatch) -> tuple[int, int]:
    """First and last event time, µs; 0 without rows."""
    if not batch.num_rows:
        return 0, 0
    start, end = SPAN[records]
    first = int(batch[start].view(pa.int64()).to_numpy().min())
    return first, int(batch[end].view(pa.int64()).to_numpy().max())


def decode(message: Message) -> pa.RecordBatch:
    """Batch of a message, its offsets and indices checked, its text valid UTF-8.

    Bytes of text that are no UTF-8 come back as `\\xNN`. Raises ValueError, in one line, on a
    damaged payload, an unknown kind, a newer schema version, or headers that contradict it. Columns that
    an older version did not have are empty text and 0.
    """
    where = f"message {message.token} of {message.records}"
    schema = _schema(message.records)
    if not 1 <= message.schema <= SCHEMA_VERSION:
        raise ValueError(
            f"{where} has schema version {message.schema}, this program reads 1 to {SCHEMA_VERSION}; "
            "update the worker before the sensors"
        )
    newer = {field.name for field in RECORDS[message.records] if field.since > message.schema}
    sent = pa.schema([field for field in schema if field.name not in newer])
    try:
        with pa.ipc.open_stream(pa.py_buffer(message.payload), options=READ_OPTIONS) as reader:
            if not reader.schema.equals(sent):
                raise ValueError(f"{where} is not readable: {_difference(reader.schema, sent)}")
            batches = list(reader)
        if len(batches) != 1:
            raise ValueError(f"{where} is not readable: it holds {len(batches)} batches instead of one")
        columns = dict(zip(sent.names, batches[0].columns, strict=True))
        for name in newer:
            columns[name] = pa.repeat(_before(schema.field(name)), len(batches[0]))
        batch = _checked(pa.RecordBatch.from_arrays([columns[n] for n in schema.names], schema=schema))
    except (pa.ArrowException, OSError, EOFError, MemoryError, OverflowError) as error:
        raise ValueError(f"{where} is not readable: {' '.join(str(error).split()) or 'damaged'}") from None
    if batch.num_rows != message.rows:
        raise ValueError(f"{where} is not readable: {batch.num_rows} rows, its header says {message.rows}")
    return batch


def _before(field: pa.Field) -> pa.Scalar:
    """What batches say of a column that their version did not have."""
    if field.nullable:
        return pa.scalar(None, field.type)
    return pa.scalar("" if pa.types.is_string(field.type) else 0, field.type)


def _schema(records: str) -> pa.Schema:
    try:
        return SCHEMAS[records]
    except KeyError:
        raise ValueError(f"unknown kind of record {records!r}; known are {', '.join(SCHEMAS)}") from None


def _difference(found: pa.Schema, wanted: pa.Schema) -> str:
    for field in wanted:
        index = found.get_field_index(field.name)
        if index < 0:
            return f"column {field.name} is missing"
        if not found.field(index).equals(field):
            return f"column {field.name} is {found.field(index).type}, not {field.type}"
    return "its columns are not those of the schema, or not in their order"


def _checked(batch: pa.RecordBatch) -> pa.RecordBatch:
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if column.null_count and not field.nullable:
            raise pa.ArrowInvalid(f"column {field.name} holds {column.null_count} nulls")
    return valid_batch(batch)
