"""A connection to a server's native port (9000, with TLS 9440): clickhouse-driver, columns from Arrow."""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from clickhouse_driver import Client, defines, errors
from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock
from clickhouse_driver.connection import Connection as DriverConnection
from clickhouse_driver.protocol import ServerPacketTypes
from clickhouse_driver.reader import read_binary_str, read_binary_uint8
from clickhouse_driver.streams.native import BlockInputStream, BlockOutputStream
from clickhouse_driver.util.escape import escape_param
from clickhouse_driver.varint import read_varint, write_varint
from clickhouse_driver.writer import write_binary_str, write_binary_uint8

from pipeline.store import native_block
from pipeline.store.connections import ANSWER_S, CONNECT_S, SESSION, Parameters, dotted
from pipeline.text import valid_batch

#: What a DSN may say after `?`, and what the driver calls it.
OPTIONS = {
    "connect_timeout": "connect_timeout",
    "send_receive_timeout": "send_receive_timeout",
    "ca_cert": "ca_certs",
    "client_cert": "certfile",
    "client_cert_key": "keyfile",
    "verify": "verify",
    "server_host_name": "server_hostname",
    "alt_hosts": "alt_hosts",
}
PLACEHOLDER = re.compile(r"\{(\w+):((?:[^{}']|'[^']*')+)\}")


class _ArrowBlock(ColumnOrientedBlock):  # type: ignore[misc]
    """A block whose columns are Arrow arrays."""


class _In(BlockInputStream):  # type: ignore[misc]
    def read(self, use_numpy: bool | None = None) -> ColumnOrientedBlock:
        BlockInfo().read(self.fin)
        columns, rows = read_varint(self.fin), read_varint(self.fin)
        may_be_custom = self._revision >= defines.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION
        kinds, arrays = [], []
        for _ in range(columns):
            kinds.append((read_binary_str(self.fin), read_binary_str(self.fin)))
            custom = may_be_custom and bool(read_binary_uint8(self.fin))
            kind = native_block.parse(kinds[-1][1])
            arrays.append(native_block.decode(kind, rows, self.fin, custom) if rows else _none(kind))
        return _ArrowBlock(kinds, arrays)

    @property
    def _revision(self) -> int:
        return int(self.context.server_info.used_revision)


class _Out(BlockOutputStream):  # type: ignore[misc]
    def write(self, block: ColumnOrientedBlock) -> None:
        revision = self.context.server_info.used_revision
        block.info.write(self.fout)
        write_varint(block.num_columns, self.fout)
        write_varint(block.num_rows, self.fout)
        for (name, spec), values in zip(block.columns_with_types, block.get_columns(), strict=True):
            write_binary_str(name, self.fout)
            write_binary_str(spec, self.fout)
            if revision >= defines.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION:
                write_binary_uint8(0, self.fout)
            kind = native_block.parse(spec)
            native_block.write_prefix(kind, self.fout)
            native_block.encode(kind, values, self.fout)
        self.finalize()


class _Wire(DriverConnection):  # type: ignore[misc]
    def get_block_in_stream(self) -> BlockInputStream:
        return _In(self.fin, self.context)

    def get_block_out_stream(self) -> BlockOutputStream:
        return _Out(self.fout, self.context)


class _Client(Client):  # type: ignore[misc]
    def __init__(self, *arguments: Any, settings: Mapping[str, Any], **options: Any) -> None:
        super().__init__(*arguments, settings=settings, **options)
        wire = _Wire(*arguments, **options)
        wire.context.settings, wire.context.client_settings = self.settings, self.client_settings
        self.connections: deque[DriverConnection] = deque()
        self.connection: DriverConnection = wire


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _none(kind: native_block.Type) -> pa.Array:
    return pa.array([], native_block.arrow_type(kind))


class NativeConnection:
    """A server's native port. It connects when it is first used, and anew where the connection was lost."""

    def __init__(self, dsn: str, database: str | None, settings: Mapping[str, Any]) -> None:
        """`clickhouse://user:password@host:port`, `clickhouses://` with TLS. Raises ValueError (DSN)."""
        parts = urlsplit(dsn)
        options: dict[str, Any] = {"connect_timeout": CONNECT_S, "send_receive_timeout": ANSWER_S}
        for name, value in parse_qsl(parts.query):
            if name not in OPTIONS:
                raise ValueError(f"store.dsn: {name} is no option of clickhouse://; {', '.join(OPTIONS)} are")
            options[OPTIONS[name]] = value
        for name in ("connect_timeout", "send_receive_timeout"):
            options[name] = float(options[name])
        if "verify" in options:
            options["verify"] = options["verify"].lower() not in ("0", "false", "no")
        if not parts.hostname:
            raise ValueError("store.dsn names no host; give clickhouse://host:port/database")
        self._client = _Client(
            parts.hostname, parts.port, database or "",
            unquote(parts.username or "default"), unquote(parts.password or ""),
            settings={"server_side_params": True}, client_name="spanwatch",
            secure=parts.scheme == "clickhouses", tcp_keepalive=True, **options,
        )  # fmt: skip
        try:
            self._client.connection.connect()
        except BaseException:
            # A refused password leaves the driver's socket open.
            self._client.disconnect()
            raise
        self._session = SESSION | dict(settings)
        #: Settings that the server knows; None: it passes over those that it doesn't.
        self._known: set[str] | None = None
        revision = self._client.connection.server_info.used_revision
        if revision < defines.DBMS_MIN_REVISION_WITH_SETTINGS_SERIALIZED_AS_STRINGS:
            blocks = self._blocks("SELECT name FROM system.settings", None, {})
            self._known = {name for block in blocks for [name] in _rows(block)}

    def insert(self, table: str, batch: pa.Table, settings: Mapping[str, Any]) -> None:
        names = ", ".join(f"`{name}`" for name in batch.schema.names)
        sql = f"INSERT INTO {table} ({names}) VALUES"
        settings = self._settings(settings)
        with self._client.disconnect_on_error(sql, settings):
            self._client.connection.send_query(sql)
            self._client.connection.send_external_tables(None)
            header = self._client.receive_sample_block()
            arrays = [_whole(batch[name]) for name, _ in header.columns_with_types]
            for block in (_ArrowBlock(header.columns_with_types, arrays), ColumnOrientedBlock()):
                self._client.connection.send_data(block)
                self._client.receive_profile_events()
            self._client.receive_end_of_insert_query()

    def _blocks(
        self, sql: str, parameters: Parameters, settings: Mapping[str, Any]
    ) -> Iterator[ColumnOrientedBlock]:
        """What the server sends; the first has no rows and says what the columns are."""
        with self._client.disconnect_on_error(sql, settings):
            wire = self._client.connection
            bound = dict(parameters or {})
            if wire.server_info.used_revision < defines.DBMS_MIN_PROTOCOL_VERSION_WITH_PARAMETERS:
                sql, bound = _filled(sql, bound), {}
            wire.send_query(sql, params={name: _text(value) for name, value in bound.items()})
            wire.send_external_tables(None)
            for packet in self._client.packet_generator():
                if packet.type == ServerPacketTypes.DATA and packet.block.columns_with_types:
                    yield packet.block

    def _settings(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """The session's settings and more, without what an old server would refuse."""
        wanted = self._session | dict(more)
        known = self._known
        return {name: value for name, value in wanted.items() if known is None or name in known}

    def arrow(self, sql: str, parameters: Parameters) -> pa.Table:
        batches = []
        schema = pa.schema([])
        for block in self._blocks(sql, parameters, self._settings({})):
            schema = pa.schema([_field(name, spec) for name, spec in block.columns_with_types])
            batches.append(valid_batch(pa.RecordBatch.from_arrays(block.get_columns(), schema=schema)))
        return pa.Table.from_batches([batch for batch in batches if batch.num_rows], schema)

    def rows(self, sql: str, parameters: Parameters) -> list[dict[str, Any]]:
        found = []
        for block in self._blocks(sql, parameters, self._settings({})):
            names, columns = [], []
            for (name, spec), values in zip(block.columns_with_types, block.get_columns(), strict=True):
                column = native_block.plain(native_block.parse(spec), values)
                names.append(name)
                columns.append([dotted(value) for value in column] if "IPv6" in spec else column)
            found += [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        return found

    def command(self, sql: str, parameters: Parameters, settings: Mapping[str, Any]) -> Any:
        found = [
            row for block in self._blocks(sql, parameters, self._settings(settings)) for row in _rows(block)
        ]
        return found[0][0] if len(found) == 1 and len(found[0]) == 1 else None

    def close(self) -> None:
        self._client.disconnect()


def _rows(block: ColumnOrientedBlock) -> Iterator[tuple[Any, ...]]:
    kinds = [native_block.parse(spec) for _, spec in block.columns_with_types]
    columns = [
        native_block.plain(kind, values) for kind, values in zip(kinds, block.get_columns(), strict=True)
    ]
    return zip(*columns, strict=True)


def _field(name: str, spec: str) -> pa.Field:
    kind = native_block.parse(spec)
    inner = kind.of[0] if kind.name == "LowCardinality" else kind
    return pa.field(name, native_block.arrow_type(kind), inner.name in ("Nullable", "Nothing"))


def _text(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _filled(sql: str, parameters: Mapping[str, Any]) -> str:
    """The statement with its parameters written into it, for servers that know none (before 22.8)."""

    def value(match: re.Match[str]) -> str:
        name, kind = match[1], match[2].strip()
        if name not in parameters:
            raise errors.ServerException(f"DB::Exception: Substitution `{name}` is not set", 456)
        if kind == "Identifier":
            return "`" + re.sub(r"([`\\])", r"\\\1", str(parameters[name])) + "`"
        literal = escape_param(_text(parameters[name]), None)
        return f"CAST({literal}, {escape_param(kind, None)})"

    return PLACEHOLDER.sub(value, sql)
