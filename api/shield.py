"""What stands before every answer: host names, sizes, security headers, HEAD, and the count of requests."""

import ipaddress
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Requests
from api.problems import Problem, problem_response

#: Charts are drawn by Vega with its interpreter, so no script is ever made from text.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: Longest query and body that are read; all questions are far shorter.
MOST_QUERY_BYTES = 16_384
MOST_BODY_BYTES = 4_096


def is_loopback(host: str) -> bool:
    """Whether a host to bind, or a `Host` header without its port, is this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(header: str) -> str:
    """Name or address of a `Host` header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if header.count(":") == 1 else header


class Shield:
    """ASGI middleware around the whole application.

    Bound to loopback, only loopback names are answered: a page elsewhere whose name was made to resolve
    here (DNS rebinding) gets nothing.
    """

    def __init__(self, app: ASGIApp, *, bound: str, requests: Requests) -> None:
        self.app = app
        self.only_loopback = is_loopback(bound)
        self.requests = requests

    def _refusal(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        if self.only_loopback and not is_loopback(host_name(headers.get("host", ""))):
            return Problem(421, "this service listens for this machine alone", "ask 127.0.0.1 or localhost")
        length = headers.get("content-length", "0")
        if (
            len(scope["query_string"]) > MOST_QUERY_BYTES
            or not length.isdigit()
            or int(length) > MOST_BODY_BYTES
        ):
            return Problem(400, "the request is longer than any question here", "shorten it")
        if "transfer-encoding" in headers:
            return Problem(400, "the request has a body of unknown length", "send Content-Length")
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, method, status = time.perf_counter(), scope["method"], 500

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            elif method == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        refusal = self._refusal(scope)
        try:
            if refusal is not None:
                await problem_response(refusal, scope["path"])(scope, receive, guarded)
            else:
                inner = {**scope, "method": "GET"} if method == "HEAD" else scope
                inner["state"] = dict(inner.get("state", {}))
                await self.app(inner, receive, guarded)
                scope = inner
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "other")
            self.requests.count.labels(
                path, method if method in ("GET", "HEAD", "POST") else "other", status
            ).inc()
            self.requests.seconds.labels(path).observe(time.perf_counter() - started)
