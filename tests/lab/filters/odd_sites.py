"""Web sites that behave as real ones do on their bad and odd days, with no filter anywhere.

`python -m tests.lab.filters.odd_sites KIND KEY CHAIN EXPIRED-CHAIN ADDRESS…` serves TCP 80 and 443 of these
addresses until it is ended. KIND is a word of INSIDE or INSTEAD. With `--some` only names whose first label
ends in an even digit meet it, and the others get an ordinary page: a server with one sick site on it.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

from tests.lab.filters import client_hello
from tests.lab.filters.scenario import PAGE_MARK

PATIENCE_S = 30
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, no time
ALERT_UNRECOGNIZED_NAME = bytes([21, 3, 3, 0, 2, 2, 112])  # RFC 8446, section 6
ALERT_INTERNAL_ERROR = bytes([21, 3, 3, 0, 2, 2, 80])
KEPT_ALIVE_S = 1.0
SLOW_S = {"slow": 5.0, "slower": 20.0}

# Status and bytes of a page.
PAGES = {
    "tiny": (200, 300),
    "small": (200, 1_500),
    "middle": (200, 5_000),
    "large": (200, 60_000),
    "empty": (204, 0),
    "forbidden": (403, 900),
    "missing": (404, 700),
    "error": (500, 600),
    "legal": (451, 900),
}


def page(status: int, size: int) -> bytes:
    """An HTTP/1.1 answer with the marker of a real page, its body `size` bytes long."""
    body = f"<!doctype html><title>{PAGE_MARK}</title>".encode() if size else b""
    body += b"." * max(0, size - len(body))
    head = f"HTTP/1.1 {status} Page\r\nX-Lab: {PAGE_MARK}\r\nContent-Type: text/html\r\n"
    if size:
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def request(stream: socket.socket) -> bool:
    """Whether a request's head came."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = stream.recv(16_384)
        if not data:
            return False
        head += data
    return True


def reset(stream: socket.socket) -> None:
    """Closes with a reset instead of a FIN."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


def serve_pages(stream: socket.socket, kind: str) -> None:
    """Answers requests with the page of that kind until the client goes."""
    while request(stream):
        stream.sendall(page(*PAGES[kind]))


def serve_slowly(stream: socket.socket, kind: str) -> None:
    """The first byte comes late."""
    if request(stream):
        time.sleep(SLOW_S[kind])
        stream.sendall(page(*PAGES["large"]))


def serve_and_reset(stream: socket.socket, _: str) -> None:
    """A whole page, and a reset once the client has had time to take it."""
    if request(stream):
        stream.sendall(page(*PAGES["large"]))
        time.sleep(KEPT_ALIVE_S)
        reset(stream)


def serve_half(stream: socket.socket, _: str) -> None:
    """Breaks off in the middle of the page with a reset."""
    if request(stream):
        answer = page(*PAGES["large"])
        stream.sendall(answer[: len(answer) // 2])
        time.sleep(0.3)
        reset(stream)


def serve_nothing(stream: socket.socket, _: str) -> None:
    """Takes the request and never answers."""
    if request(stream):
        time.sleep(PATIENCE_S)


def hello_reset(stream: socket.socket, _: str) -> None:
    """A reset as the answer to the first bytes, as from a balancer whose servers are down."""
    reset(stream)


def hello_close(stream: socket.socket, _: str) -> None:
    """A FIN as the answer to the first bytes."""
    stream.recv(client_hello.LONGEST)


def hello_mute(stream: socket.socket, _: str) -> None:
    """Accepts, and never says anything."""
    stream.recv(client_hello.LONGEST)
    time.sleep(PATIENCE_S)


def hello_alert(stream: socket.socket, _: str) -> None:
    """The server knows no such name."""
    stream.recv(client_hello.LONGEST)
    stream.sendall(ALERT_UNRECOGNIZED_NAME)


def hello_error(stream: socket.socket, _: str) -> None:
    """The server is out of order."""
    stream.recv(client_hello.LONGEST)
    stream.sendall(ALERT_INTERNAL_ERROR)


# Behaviours after the handshake, and instead of one.
INSIDE: dict[str, Callable[[socket.socket, str], None]] = {
    **dict.fromkeys(PAGES, serve_pages),
    "expired": lambda stream, _: serve_pages(stream, "large"),
    **dict.fromkeys(SLOW_S, serve_slowly),
    "parting": serve_and_reset,
    "half": serve_half,
    "hung": serve_nothing,
}
INSTEAD: dict[str, Callable[[socket.socket, str], None]] = {
    "refusing": hello_reset,
    "closing": hello_close,
    "mute": hello_mute,
    "unknown": hello_alert,
    "broken": hello_error,
}


def first_bytes(stream: socket.socket) -> bytes:
    """The whole first record or request, left in the socket; empty from a client that left."""
    first, end = b"", time.monotonic() + PATIENCE_S
    while not client_hello.complete(first) and time.monotonic() < end:
        seen = stream.recv(client_hello.LONGEST, socket.MSG_PEEK)
        if not seen:
            return b""
        if seen == first:
            time.sleep(0.005)
        first = seen
    return first


class Sites:
    """What is served: one behaviour, for all names or for some."""

    def __init__(self, kind: str, some: bool, good: ssl.SSLContext, expired: ssl.SSLContext) -> None:
        self.kind = kind
        self.some = some
        self.good = good
        self.expired = expired

    def met_by(self, name: str) -> str:
        """The behaviour that a client of this name meets."""
        label = name.split(".")[0]
        well = self.some and label[-1:].isdigit() and int(label[-1]) % 2 == 1
        return "large" if well else self.kind

    def answer(self, stream: socket.socket, secure: bool) -> None:
        """Serves one connection; a client that goes away ends it."""
        with stream, contextlib.suppress(OSError):
            stream.settimeout(PATIENCE_S)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            first = first_bytes(stream)
            kind = self.met_by(client_hello.server_name(first) if secure else client_hello.host(first))
            if kind in INSTEAD:
                INSTEAD[kind](stream, kind)
            elif secure:
                context = self.expired if kind == "expired" else self.good
                with context.wrap_socket(stream, server_side=True) as inside:
                    INSIDE[kind](inside, kind)
            else:
                INSIDE[kind](stream, kind)


def listen(address: str, port: int, sites: Sites) -> None:
    """Accepts on one port for ever, a thread for each connection."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family, backlog=256) as server:
        while True:
            stream, _ = server.accept()
            threading.Thread(target=sites.answer, args=(stream, port == 443), daemon=True).start()


def context(chain: str, key: str) -> ssl.SSLContext:
    """A server's, with that certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(chain, key)
    made.set_alpn_protocols(["http/1.1"])
    return made


def main() -> None:
    """Serves until it is ended."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("kind", choices=sorted({*INSIDE, *INSTEAD}))
    for name in ("key", "chain", "expired"):
        options.add_argument(name)
    options.add_argument("addresses", nargs="+")
    options.add_argument("--some", action="store_true")
    given = options.parse_args()
    sites = Sites(given.kind, given.some, context(given.chain, given.key), context(given.expired, given.key))
    for address in given.addresses:
        for port in (80, 443):
            threading.Thread(target=listen, args=(address, port, sites), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
