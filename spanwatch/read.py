"""`spanwatch read`: records of captures on standard output, as JSON lines or one Parquet file.

Others script against this: one object a line, field names of `pipeline.records`, addresses and MACs as
text, times in RFC 3339 with microseconds; with several files each object says which `file` it is from,
and nothing is carried over from one file to the next.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.records import ADDRESS, ADDRESSES, SCHEMAS, json_rows
from pipeline.settings import Settings

TIMES = pa.timestamp("us", "UTC")
#: Stands for the content of a pipe, which can be read only once: the same pipe gives the same ids again.
PIPE = bytes(16)
#: Without the time of the run: the same capture gives the same lines.
FINDINGS = (
    "SELECT * EXCEPT (updated, withdrawn) FROM findings FINAL WHERE withdrawn = ''"
    " ORDER BY `from`, detector, subject"
)
MACS = ("mac", "client_mac", "server_mac")


class Writer(Protocol):
    """Where rows go. `file` is None where only one was asked for."""

    def batch(self, kind: str, batch: pa.RecordBatch, file: str | None) -> None: ...
    def rows(self, table: pa.Table, rows: list[dict[str, Any]], file: str | None) -> None: ...
    def close(self) -> None: ...


class JsonLines:
    """One object a line, UTF-8."""

    def batch(self, kind: str, batch: pa.RecordBatch, file: str | None) -> None:
        self._write(json_rows(kind, batch), file)

    def rows(self, _table: pa.Table, rows: list[dict[str, Any]], file: str | None) -> None:
        self._write(rows, file)

    def _write(self, rows: list[dict[str, Any]], file: str | None) -> None:
        named = {} if file is None else {"file": file}
        lines = (json.dumps(named | row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))

    def close(self) -> None:
        sys.stdout.buffer.flush()


class Parquet:
    """One Parquet file: times as timestamps, all else as in the JSON lines."""

    def __init__(self, kind: str) -> None:
        """Raises ValueError where standard output is a terminal."""
        if sys.stdout.isatty():
            raise ValueError("Parquet is binary and standard output is a terminal; redirect it to a file")
        self._kind = kind
        self._writer: pq.ParquetWriter | None = None

    def batch(self, kind: str, batch: pa.RecordBatch, file: str | None) -> None:
        self._write(_as_text(kind, batch), file)

    def rows(self, table: pa.Table, _rows: list[dict[str, Any]], file: str | None) -> None:
        self._write(table, file)

    def _write(self, table: pa.Table, file: str | None) -> None:
        if file is not None:
            table = table.add_column(0, "file", pa.array([file] * len(table), pa.string()))
        if self._writer is None:
            self._writer = pq.ParquetWriter(sys.stdout.buffer, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is None and self._kind in SCHEMAS:
            self._write(_as_text(self._kind, SCHEMAS[self._kind].empty_table()), None)
        if self._writer is not None:
            self._writer.close()
        sys.stdout.buffer.flush()


def _as_text(kind: str, batch: pa.RecordBatch | pa.Table) -> pa.Table:
    """The batch with addresses and MACs as text, words instead of their numbers, and `community_id`."""
    fields = [pa.field(field.name, _plain_type(field), field.nullable) for field in batch.schema]
    if kind == "flows":
        fields.append(pa.field("community_id", pa.string(), False))
    rows = [row for part in _batches(batch) for row in json_rows(kind, part)]
    columns = []
    for field in fields:
        if field.type == TIMES:
            columns.append(batch.column(field.name))
        elif pa.types.is_map(field.type):
            columns.append(pa.array([list(row[field.name].items()) for row in rows], field.type))
        else:
            columns.append(pa.array([row[field.name] for row in rows], field.type))
    return pa.table(columns, schema=pa.schema(fields))


def _batches(batch: pa.RecordBatch | pa.Table) -> list[pa.RecordBatch]:
    return batch.to_batches() if isinstance(batch, pa.Table) else [batch]


def _plain_type(field: pa.Field) -> pa.DataType:
    if field.name in MACS or field.type == ADDRESS or pa.types.is_dictionary(field.type):
        return pa.string()
    return pa.list_(pa.string()) if field.type == ADDRESSES else field.type


def _sensed(file: str, kind: str, settings: Settings, named: str | None, writer: Writer) -> str:
    """The records of one file to the writer. Returns empty, or the line that says where it was cut off."""
    from capture.sensor import Sensor, file_digest, warm_kernels
    from capture.sources.pcap import open_capture

    warm_kernels()
    with open_capture(file) as capture:
        seed = file_digest(file, settings.sensor) if Path(file).is_file() else PIPE
        sensor = Sensor(settings.sensor, f"file-{seed.hex()}", seed=seed)
        for frames in capture:
            for records, batch in sensor.feed(frames):
                if records == kind:
                    writer.batch(kind, batch, named)
        for records, batch in sensor.finish():
            if records == kind:
                writer.batch(kind, batch, named)
    return capture.truncated


def _found(file: str, settings: Settings, named: str | None, writer: Writer) -> str:
    """The findings of one file, by the same way that a replay goes, with a log and a store that go away."""
    from capture.sensor import run_file
    from spanwatch.services import open_parts

    store = settings.store.model_copy(update={"dsn": "chdb://:memory:"})
    with tempfile.TemporaryDirectory(prefix="spanwatch-") as folder:
        own = settings.model_copy(update={"state": Path(folder), "store": store})
        with open_parts(own) as parts:
            truncated = run_file(file, own.sensor, parts.log, None)
            parts.worker.drain()
            table = parts.store.arrow(FINDINGS)
            writer.rows(table, parts.store.rows(FINDINGS), named)
    return truncated


def run_read(settings: Settings, files: list[str], kind: str, format_: str) -> int:
    """Returns how many files could not be read to their end; each has had its line. Raises OSError."""
    writer: Writer = Parquet(kind) if format_ == "parquet" else JsonLines()
    read = _found if kind == "findings" else lambda file, *rest: _sensed(file, kind, *rest)
    bad = 0
    for file in files:
        try:
            trouble = read(file, settings, file if len(files) > 1 else None, writer)
        except ValueError as error:
            trouble = str(error)
        if trouble:
            bad += 1
            print(f"spanwatch: {trouble}", file=sys.stderr)
    writer.close()
    return bad
