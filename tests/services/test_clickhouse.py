"""The servers that stand in for a ClickHouse on another machine do what one does."""

import gzip
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import lz4.frame
import pytest

from pipeline.settings import load_settings
from pipeline.store.client import open_store
from tests.services.clickhouse import CurrentServer, small_disk

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CurrentServer]:
    with CurrentServer(tmp_path_factory.mktemp("current")) as server:
        yield server


def ask(
    server: CurrentServer, path: str, body: bytes | None = None, **headers: str
) -> tuple[bytes, dict[str, str]]:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/{path}", body, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as reply:
        return reply.read(), dict(reply.headers)


def refused(server: CurrentServer, path: str, body: bytes | None = None) -> tuple[str, bytes]:
    """Code and text of the exception that a request ends with."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, path, body)
    with caught.value as reply:
        return reply.headers["X-ClickHouse-Exception-Code"], reply.read()


def test_statements_come_in_url_and_body(current: CurrentServer) -> None:
    """A query in the URL, in the body or in both is one query; parameters and settings are of the URL."""
    assert ask(current, "?query=SELECT+1")[0] == b"1\n"
    assert ask(current, "?query=SELECT", b"2")[0] == b"2\n"
    assert ask(current, "?param_a=x", b"SELECT {a:String} FORMAT JSONCompact")[0].count(b'"x"') == 1
    assert ask(current, "?max_block_size=77", b"SELECT getSetting('max_block_size')")[0] == b"77\n"
    assert ask(current, "", b"SELECT getSetting('max_block_size')")[0] != b"77\n"


def test_long_parameters_come_as_a_form(current: CurrentServer) -> None:
    """A client that has more to say than fits into the URL sends a form, which is the same question."""
    settings = load_settings(store={"dsn": current.dsn()})
    with open_store(settings) as store:
        [row] = store.rows("SELECT length({many:Array(String)}) AS n", {"many": ["10.20.0.1"] * 2_000})
    assert row == {"n": 2_000}


def test_rows_in_a_body_are_inserted(current: CurrentServer) -> None:
    """Data after FORMAT goes in, also compressed, and with the token twice only once."""
    ask(
        current,
        "",
        b"CREATE TABLE t (x UInt8) ENGINE = MergeTree ORDER BY x "
        b"SETTINGS non_replicated_deduplication_window = 9",
    )
    ask(current, "?query=INSERT+INTO+t+FORMAT+JSONEachRow", b'{"x": 1}')
    ask(current, "", b"INSERT INTO t (x) FORMAT TSV\n2\n3\n")
    for packed, name in ((gzip.compress(b"4\n"), "gzip"), (lz4.frame.compress(b"5\n"), "lz4")):
        ask(current, "?query=INSERT+INTO+t+FORMAT+TSV", packed, **{"Content-Encoding": name})
    for _ in range(2):
        ask(current, "?query=INSERT+INTO+t+FORMAT+TSV&insert_deduplication_token=a", b"6\n")
    assert ask(current, "?query=SELECT+groupArraySorted(9)(x)+FROM+t")[0] == b"[1,2,3,4,5,6]\n"


def test_answers_are_compressed_where_that_is_asked(current: CurrentServer) -> None:
    """`enable_http_compression=1` and Accept-Encoding together, as at a server."""
    body, headers = ask(current, "?query=SELECT+7&enable_http_compression=1", **{"Accept-Encoding": "gzip"})
    assert gzip.decompress(body) == b"7\n"
    assert headers["Content-Encoding"] == "gzip"
    assert json.loads(headers["X-ClickHouse-Summary"]).keys() == {"read_rows"}


def test_errors_tell_their_code(current: CurrentServer) -> None:
    """A failed statement has ClickHouse's code in a header and its text in the body."""
    code, text = refused(current, "?query=SELECT+%2B")
    assert code == "62"
    assert text.startswith(b"Code: 62. DB::Exception: Syntax error")


def test_a_killed_server_comes_back_with_its_rows(current: CurrentServer) -> None:
    """kill -9 and a start on the same port: what was inserted is there."""
    ask(current, "", b"CREATE TABLE k (x UInt8) ENGINE = MergeTree ORDER BY x")
    ask(current, "?query=INSERT+INTO+k+FORMAT+TSV", b"1\n")
    current.kill()
    with pytest.raises(urllib.error.URLError, match="refused"):
        ask(current, "ping")
    current.start()
    assert ask(current, "?query=SELECT+x+FROM+k")[0] == b"1\n"


def test_it_can_be_paused_and_slowed(current: CurrentServer) -> None:
    """A paused server answers when it goes on; a slow one after its delay."""
    answers: list[bytes] = []
    current.pause()
    waiting = threading.Thread(target=lambda: answers.append(ask(current, "ping")[0]))
    waiting.start()
    waiting.join(0.3)
    assert answers == []
    current.resume()
    waiting.join(10)
    assert answers == [b"Ok.\n"]
    current.slow(0.3)
    begun = time.monotonic()
    ask(current, "?query=SELECT+1")
    assert time.monotonic() - begun >= 0.3
    current.slow(0)


def test_its_disk_can_be_full(tmp_path: Path) -> None:
    """On a full disk an insert fails with the engine's own error, and works again when there is room."""
    with small_disk(tmp_path / "disk", 64 << 20) as disk, CurrentServer(disk.folder) as server:
        ask(server, "", b"CREATE TABLE f (x String) ENGINE = MergeTree ORDER BY x")
        rows = b"".join(b"%032d\n" % number for number in range(50_000))
        disk.fill()
        assert refused(server, "?query=INSERT+INTO+f+FORMAT+TSV", rows)[0] == "243"
        disk.empty()
        ask(server, "?query=INSERT+INTO+f+FORMAT+TSV", rows)
        assert ask(server, "?query=SELECT+count()+FROM+f")[0] == b"50000\n"


def test_a_password_is_asked_for(tmp_path: Path) -> None:
    """A server with a password refuses others with code 516."""
    with CurrentServer(tmp_path, password="secret") as server:
        assert refused(server, "?query=SELECT+1")[0] == "516"
        assert ask(server, "?query=SELECT+1&password=secret")[0] == b"1\n"
