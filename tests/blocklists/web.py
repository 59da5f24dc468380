"""A web server on loopback that keeps to HTTP, and breaks it where a test says so."""

import contextlib
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Page:
    """What stands at one path, and how it is answered."""

    def __init__(self, body: bytes | str = b"", **how) -> None:
        self.body = body.encode() if isinstance(body, str) else body
        self.etag = how.pop("etag", f'"{hashlib.sha256(self.body).hexdigest()[:12]}"')
        self.last_modified = how.pop("last_modified", "")
        self.statuses = how.pop("statuses", [])
        """Statuses of the first answers, before it is answered as it should be."""
        self.headers = how.pop("headers", {})
        self.cuts = how.pop("cuts", [])
        """After so many bytes the connection of the first answers ends."""
        self.pause = how.pop("pause", 0.0)
        """Seconds between two bytes."""
        self.ranges = how.pop("ranges", True)
        self.location = how.pop("location", "")
        self.length = how.pop("length", True)
        assert not how, how


class Web:
    """The pages of a server, and what it was asked: (path, headers) of each request."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def url(self, path: str) -> str:
        return self.address + path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = "/" + self.path.split("/", 3)[3] if self.path.startswith("http") else self.path
        self.web.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        page = self.web.pages.get(path)
        if page is None:
            return self._send(404, b"<html>not here</html>", {"Content-Type": "text/html"})
        if page.location:
            return self._send(302, b"", {"Location": page.location})
        if page.statuses and (status := page.statuses.pop(0)) != 200:
            return self._send(status, b"sorry", page.headers)
        head = dict(page.headers)
        if page.etag:
            head["ETag"] = page.etag
        if page.last_modified:
            head["Last-Modified"] = page.last_modified
        if self._same(page, "If-None-Match", "If-Modified-Since"):
            return self._send(304, b"", head)
        asked = self.headers.get("Range", "")
        if asked and page.ranges and self._same(page, "If-Range", "If-Range"):
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(page.body):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(page.body)}"})
            head["Content-Range"] = f"bytes {begin}-{len(page.body) - 1}/{len(page.body)}"
            return self._send(206, page.body[begin:], head, page)
        return self._send(200, page.body, head, page)

    def do_CONNECT(self):
        self.web.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as other:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_relay, args=(other, self.connection), daemon=True)
            back.start()
            _relay(self.connection, other)
            back.join(5)
        self.close_connection = True

    def _same(self, page, by_etag, by_time):
        said = self.headers.get(by_etag), self.headers.get(by_time)
        return (page.etag and page.etag in said) or (page.last_modified and page.last_modified in said)

    def _send(self, status, body, headers, page=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if page is None or page.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if page is not None and page.cuts:
            body = body[: page.cuts.pop(0)]
            self.close_connection = True
        if page is None or not page.length:
            self.close_connection = True
        with contextlib.suppress(OSError):
            if page is not None and page.pause:
                for place in range(len(body)):
                    self.wfile.write(body[place : place + 1])
                    self.wfile.flush()
                    time.sleep(page.pause)
            else:
                self.wfile.write(body)


def _relay(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def served(certificate: Path | None = None) -> Iterator[Web]:
    """A server on a free port, until the block ends; with a certificate file (key in it) over TLS."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    handler.web = Web(f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield handler.web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
