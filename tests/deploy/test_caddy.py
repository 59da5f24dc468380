"""Caddy in front of a running service: TLS, what it passes on, and what it keeps inside."""

import os
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.deploy.composed import DEPLOY
from tests.lab.certificates import Certificates
from tests.services.processes import Program, answers, free_ports

CADDYFILE = DEPLOY / "Caddyfile"

pytestmark = pytest.mark.skipif(not shutil.which("caddy"), reason="caddy is not installed")


@pytest.mark.parametrize("tls", ["internal", "desk@school.example", "CERTIFICATES"])
def test_the_file_is_valid(tls: str, tmp_path: Path) -> None:
    """With each of the three ways to a certificate that its head describes."""
    if tls == "CERTIFICATES":
        key, chain = Certificates(tmp_path / "made", "School").leaf("pages", ("pages.school.example",))
        tls = f"{chain} {key}"
    environment = {
        "SPANWATCH_SITE": "pages.school.example",
        "SPANWATCH_TLS": tls,
        "SPANWATCH_API": "api:8080",
    }
    done = subprocess.run(
        ["caddy", "validate", "--adapter", "caddyfile", "--config", CADDYFILE],
        env=os.environ | environment | {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    formatted = subprocess.run(["caddy", "fmt", CADDYFILE], capture_output=True, text=True, check=True)
    assert formatted.stdout == CADDYFILE.read_text("utf-8")


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = (
            f"{self.path} for {self.headers['X-Forwarded-For']}, {self.headers['X-Forwarded-Proto']}".encode()
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def front(tmp_path: Path) -> Iterator[tuple[str, ssl.SSLContext]]:
    """Address of a Caddy with this file before a service of ours, and what a browser trusts."""
    pages = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    Thread(target=pages.serve_forever, daemon=True).start()
    made = Certificates(tmp_path / "made", "School")
    key, chain = made.leaf("pages", ("localhost",))
    https, plain, health = free_ports(3)
    text = CADDYFILE.read_text("utf-8").replace(":2020", f":{health}")
    text = text.replace("admin off", f"admin off\n\thttp_port {plain}\n\thttps_port {https}")
    (tmp_path / "Caddyfile").write_text(text)
    command = [
        "env", f"HOME={tmp_path}", f"XDG_DATA_HOME={tmp_path}", f"SPANWATCH_SITE=localhost:{https}",
        f"SPANWATCH_TLS={chain} {key}", f"SPANWATCH_API=127.0.0.1:{pages.server_port}",
        "caddy", "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile"),
    ]  # fmt: skip
    program = Program(command, tmp_path / "log", lambda: answers(https) and answers(health))
    program.start()
    try:
        yield f"https://localhost:{https}", ssl.create_default_context(cafile=made.folder / "ca.pem")
    finally:
        program.stop()
        pages.shutdown()
        pages.server_close()


@pytest.mark.service
def test_pages_come_by_tls_and_probes_stay_inside(front: tuple[str, ssl.SSLContext]) -> None:
    """Pages are passed on with who asked, browsers are told to stay with TLS, metrics stay inside."""
    base, context = front
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    with opener.open(f"{base}/v1/health", timeout=20) as reply:
        assert reply.read() == b"/v1/health for 127.0.0.1, https"
        assert reply.headers["Strict-Transport-Security"] == "max-age=31536000"
    for path in ("/metrics", "/healthz", "/readyz"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            opener.open(base + path, timeout=20)
