"""One connection to a store, whichever way it is reached; here chDB and HTTP."""

import json
import logging
from collections.abc import Mapping
from typing import Any, Protocol

import clickhouse_connect
import pyarrow as pa

from pipeline.text import valid_batch

#: Seconds to wait for a server to take a connection, and for the next bytes of an answer. Our defaults; a
#: DSN's `connect_timeout` and `send_receive_timeout` go before them.
CONNECT_S, ANSWER_S = 10, 300
#: The latter for the statements of migrations, which may write all rows anew; a DSN's does not go before it.
#: Our default.
MIGRATION_S = 7 * 86_400
SESSION = {
    "session_timezone": "UTC",
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
}

# The drivers report through exceptions, which is enough.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL + 1)
logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL + 1)

Parameters = Mapping[str, Any] | None


class Connection(Protocol):
    """For one thread at a time. It raises what its driver raises (`pipeline.store.faults`)."""

    def insert(self, table: str, batch: pa.Table, settings: Mapping[str, Any]) -> None:
        """Insert one block, columns by name."""

    def arrow(self, sql: str, parameters: Parameters) -> pa.Table:
        """A query's result, with valid text."""

    def rows(self, sql: str, parameters: Parameters) -> list[dict[str, Any]]:
        """A query's result ready for JSON."""

    def command(self, sql: str, parameters: Parameters, settings: Mapping[str, Any]) -> Any:
        """Run a statement; its one value, if it has one."""

    def close(self) -> None: ...


class ConnectConnection:
    """chDB, or a server over HTTP, through clickhouse-connect."""

    def __init__(self, dsn: str, database: str | None, settings: Mapping[str, Any]) -> None:
        options: dict[str, Any] = {"settings": SESSION | dict(settings), "database": database}
        if not dsn.startswith("chdb:"):
            options |= {"autogenerate_session_id": False, "connect_timeout": CONNECT_S}
            # The driver goes by the port, not by the DSN's scheme.
            options["secure"] = dsn.startswith("https:")
        self._client = clickhouse_connect.get_client(dsn=dsn, **options)

    def insert(self, table: str, batch: pa.Table, settings: Mapping[str, Any]) -> None:
        self._client.insert_arrow(table, batch, settings=dict(settings))

    def arrow(self, sql: str, parameters: Parameters) -> pa.Table:
        raw = self._client.raw_query(sql, dict(parameters or {}), fmt="ArrowStream")
        with pa.ipc.open_stream(raw) as reader:
            batches = [valid_batch(batch) for batch in reader]
            return pa.Table.from_batches(batches, reader.schema)

    def rows(self, sql: str, parameters: Parameters) -> list[dict[str, Any]]:
        answer = json.loads(self._client.raw_query(sql, dict(parameters or {}), fmt="JSONCompact"))
        names = [column["name"] for column in answer["meta"]]
        return [dict(zip(names, row, strict=True)) for row in _dotted(answer)]

    def command(self, sql: str, parameters: Parameters, settings: Mapping[str, Any]) -> Any:
        return self._client.command(sql, dict(parameters or {}), settings=dict(settings))

    def close(self) -> None:
        self._client.close()


def _dotted(answer: dict[str, Any]) -> list[list[Any]]:
    rows: list[list[Any]] = answer["data"]
    for index, column in enumerate(answer["meta"]):
        if "IPv6" in column["type"]:
            for row in rows:
                row[index] = dotted(row[index])
    return rows


def dotted(value: Any) -> Any:
    """Addresses as text, IPv4-mapped ones as dotted quads, at any depth."""
    if isinstance(value, str):
        return value[7:] if value.startswith("::ffff:") and "." in value else value
    if isinstance(value, list):
        return [dotted(item) for item in value]
    if isinstance(value, dict):
        return {dotted(key): dotted(item) for key, item in value.items()}
    return value
