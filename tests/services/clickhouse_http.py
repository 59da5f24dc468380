"""ClickHouse's HTTP interface over the current engine (chDB), as a program: `FOLDER PORT [option…]`.

As much of the interface as clients ask: statements and settings in the URL, `param_…`, INSERT with a body
in any format, compression both ways, chunked bodies, codes of errors in headers, `/ping`. Sessions,
progress, roles and several statements in one request are left out. Rows are stored below FOLDER/data;
where FOLDER/delay holds a number, every statement waits for so many seconds first.

`--cluster NAME` makes it a cluster of that name, one shard alone. The embedded engine takes no orders from a
keeper and copies nothing to replicas, so `ON CLUSTER` is left out and a Replicated engine is its plain one.
"""

import argparse
import gzip
import json
import re
import signal
import ssl
import tempfile
import threading
import time
import uuid
from base64 import b64decode
from collections import OrderedDict
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame

#: What the interface takes for itself (ClickHouse's documentation, HTTP interface): no settings.
OWN = {
    "query", "query_id", "database", "default_format", "user", "password", "quota_key", "role", "compress",
    "decompress", "session_id", "session_timeout", "session_check", "buffer_size", "wait_end_of_query",
    "client_protocol_version", "stacktrace", "enable_http_compression", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
INSERT = re.compile(rb"\s*(INSERT\s+INTO\s.{1,60000}?)\s+FORMAT\s+(\w+)[ \t]*\r?\n", re.I | re.S)
FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.I)
#: Status by code of the exception; 500 for all others (ClickHouse, exceptionCodeToHTTPStatus).
STATUS = {
    62: 400,
    36: 400,
    47: 404,
    60: 404,
    81: 404,
    46: 404,
    16: 404,
    50: 404,
    115: 404,
    516: 403,
    241: 500,
}
AUTHENTICATION_FAILED = 516
#: Settings of a server that is the only one of its cluster; nobody listens on the port.
CLUSTER = """<clickhouse><tcp_port>9000</tcp_port><remote_servers><{name}><shard>
<internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>9000</port></replica>
</shard></{name}></remote_servers></clickhouse>"""
ALONE = [
    (re.compile(rb" ON CLUSTER `\w+`"), b""),
    (re.compile(rb"\bReplicated(\w*MergeTree)\('[^']*', '[^']*'(?:, |(?=\)))"), rb"\1("),
    (re.compile(rb"\breplicated_deduplication_window_seconds = \d+"), b"index_granularity = 8192"),
    (re.compile(rb"\breplicated_deduplication_window"), b"non_replicated_deduplication_window"),
]
#: Connections to the engine kept for the next statement with the same settings.
IDLE = 16


class RefusalError(Exception):
    """A statement that failed: ClickHouse's code, and its text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Answer(NamedTuple):
    body: bytes
    format: str
    """Empty: the statement has no result."""
    rows: int


class Engine:
    """chDB over one folder, for as many threads as come."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._anchor = chdb.connect(path)
        self._idle: OrderedDict[tuple[Any, ...], list[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def _take(self, database: str, settings: dict[str, str]) -> tuple[Any, tuple[Any, ...]]:
        key = (database, tuple(sorted(settings.items())))
        with self._lock:
            kept = self._idle.get(key)
            if kept:
                return kept.pop(), key
        handle = chdb.connect(self._path)
        try:
            if database:
                handle.query(f"USE `{database}`")
            for name, value in settings.items():
                if not re.fullmatch(r"\w+", name):
                    raise RefusalError(
                        115, f"Code: 115. DB::Exception: Setting {name} is no name. (UNKNOWN_SETTING)"
                    )
                handle.query(f"SET {name} = {_quoted(value)}")
        except BaseException:
            handle.close()
            raise
        return handle, key

    def _give_back(self, handle: Any, key: tuple[Any, ...]) -> None:
        with self._lock:
            self._idle.setdefault(key, []).append(handle)
            self._idle.move_to_end(key)
            over = []
            while sum(map(len, self._idle.values())) > IDLE:
                oldest = next(iter(self._idle))
                over += self._idle[oldest][:1]
                del self._idle[oldest][:1]
                if not self._idle[oldest]:
                    del self._idle[oldest]
        for old in over:
            old.close()

    def run(
        self, sql: bytes, database: str, settings: dict[str, str], parameters: dict[str, str], default: str
    ) -> Answer:
        """Raises RefusalError."""
        named = FORMAT.search(sql)
        # With names, since a statement without a result gives nothing, and one without rows gives those.
        form = named[1].decode() if named else default or "TabSeparatedWithNames"
        try:
            handle, key = self._take(database, settings)
            try:
                result = handle.query(sql.decode("utf-8", "surrogateescape"), form, params=parameters)
                body, rows = result.bytes() or b"", result.rows_read()
            except BaseException:
                handle.close()
                raise
            self._give_back(handle, key)
        except RuntimeError as error:
            found = re.search(r"Code: (\d+)\.", str(error))
            text = str(error)
            raise RefusalError(
                int(found[1]) if found else 1002, text[text.find("Code: ") :] if found else text
            ) from None
        if named or default or not body:
            return Answer(body, form if body else "", rows)
        return Answer(body[body.find(b"\n") + 1 :], "TabSeparated", rows)

    def close(self) -> None:
        with self._lock:
            for handle in [self._anchor, *(handle for kept in self._idle.values() for handle in kept)]:
                handle.close()


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _form(kind: str, body: bytes) -> dict[str, str]:
    """Fields of a form (RFC 7578) by their names; files are none of ours."""
    whole = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    return {
        str(part.get_param("name", header="Content-Disposition")): part.get_payload(decode=True).decode(
            "utf-8", "surrogateescape"
        )
        for part in whole.get_payload()
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    engine: Engine
    folder: Path
    password: str
    cluster: str

    def log_message(self, template: str, *args: Any) -> None:
        print(f"{time.time():.3f} {template % args}"[:200], flush=True)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                part = self.rfile.read(size)
                if len(part) < size:
                    raise ConnectionResetError("the client went away in the middle of a body")
                parts.append(part)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            body = b"".join(parts)
        else:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            if len(body) < size:
                raise ConnectionResetError("the client went away in the middle of a body")
        match self.headers.get("Content-Encoding", "identity"):
            case "gzip":
                return gzip.decompress(body)
            case "lz4":
                return lz4.frame.decompress(body)
            case _:
                return body

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        accepted = re.split(r"[,\s]+", self.headers.get("Accept-Encoding", ""))
        if headers.pop("compress", "") and body:
            if "lz4" in accepted:
                body, headers["Content-Encoding"] = lz4.frame.compress(body), "lz4"
            elif "gzip" in accepted:
                body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            "X-ClickHouse-Server-Display-Name": "chdb",
            "X-ClickHouse-Timezone": "UTC",
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _authenticate(self, asked: dict[str, str]) -> None:
        given = self.headers.get("X-ClickHouse-Key") or asked.get("password", "")
        basic = self.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            given = b64decode(basic.removeprefix("Basic ")).decode().partition(":")[2]
        if given != self.password:
            raise RefusalError(
                AUTHENTICATION_FAILED,
                "Code: 516. DB::Exception: default: Authentication failed: password is incorrect, or there "
                "is no user with such name. (AUTHENTICATION_FAILED)",
            )

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/ping":
            self._reply(200, b"Ok.\n", {})
        else:
            self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True, errors="surrogateescape"))
        body = self._body()
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):
            # Long parameters come this way.
            asked |= _form(kind, body)
            body = b""
        headers = {"X-ClickHouse-Query-Id": asked.get("query_id") or str(uuid.uuid4())}
        if asked.get("enable_http_compression") == "1":
            headers["compress"] = "yes"
        delay = self.folder / "delay"
        if delay.exists():
            time.sleep(float(delay.read_text() or 0))
        try:
            self._authenticate(asked)
            answer = self._run(asked, body)
        except RefusalError as refusal:
            headers["X-ClickHouse-Exception-Code"] = str(refusal.code)
            self._reply(STATUS.get(refusal.code, 500), f"{refusal}\n".encode("utf-8", "replace"), headers)
            return
        if answer.format:
            headers["X-ClickHouse-Format"] = answer.format
        headers["X-ClickHouse-Summary"] = json.dumps({"read_rows": str(answer.rows)})
        self._reply(200, answer.body, headers)

    def _run(self, asked: dict[str, str], body: bytes) -> Answer:
        statement = asked.get("query", "").encode("utf-8", "surrogateescape")
        whole = statement + (b"\n" if statement and body else b"") + body
        settings = {name: value for name, value in asked.items() if name not in OWN and name[:6] != "param_"}
        parameters = {name[6:]: value for name, value in asked.items() if name.startswith("param_")}
        database = asked.get("database", "") or self.headers.get("X-ClickHouse-Database", "")
        insert = INSERT.match(whole)
        if self.cluster:
            for pattern, plain in ALONE if insert is None else []:
                whole = pattern.sub(plain, whole)
        if insert is None or insert[2].lower() == b"values":
            return self.engine.run(whole, database, settings, parameters, asked.get("default_format", ""))
        with tempfile.NamedTemporaryFile(suffix=".insert") as file:
            file.write(memoryview(whole)[insert.end() :])
            file.flush()
            clause = ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items())
            sql = b"%s FROM INFILE '%s' %s FORMAT %s" % (
                insert[1], file.name.encode(), f"SETTINGS {clause}".encode() if clause else b"", insert[2],
            )  # fmt: skip
            self.engine.run(sql, database, {}, parameters, "Null")
        return Answer(b"", "", 0)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        print(f"{time.time():.3f} connection of {client_address} ended early", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--password", default="")
    parser.add_argument("--certificate", type=Path, help="PEM with certificate and key: https")
    parser.add_argument("--cluster", default="")
    parser.add_argument("--config", type=Path, help="XML of the engine's settings")
    options = parser.parse_args()
    path = str(options.folder / "data")
    if options.config:
        path += f"?config-file={options.config}"
    elif options.cluster:
        (options.folder / "cluster.xml").write_text(CLUSTER.format(name=options.cluster))
        path += f"?config-file={options.folder / 'cluster.xml'}"
    Handler.engine = Engine(path)
    Handler.folder, Handler.password = options.folder, options.password
    Handler.cluster = options.cluster
    server = Server(("127.0.0.1", options.port), Handler)
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)
    Handler.engine.close()


if __name__ == "__main__":
    main()
