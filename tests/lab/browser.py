"""Headless Chromium on a host of the lab, with a fresh profile each time."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence

from tests.lab.certificates import Certificates
from tests.lab.network import Lab

PAGE_TITLE = "Lab page"
"""Title of configuration/page.html."""
BROWSER = (
    "chromium",
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--ignore-certificate-errors",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-client-side-phishing-detection",
    "--disable-domain-reliability",
    "--metrics-recording-only",
    "--no-pings",
    "--dns-prefetch-disable",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication,InterestFeed",
)


def open_page(lab: Lab, host: str, url: str, *, quic_for: str = "", seconds: int = 20) -> None:
    """Opens a page in headless Chromium with a fresh profile; `quic_for` is a name it must try QUIC with."""
    pin = Certificates.pin(lab.path / "public-ca")
    with tempfile.TemporaryDirectory(dir=lab.path, ignore_cleanup_errors=True) as profile:
        options = [f"--user-data-dir={profile}", f"--ignore-certificate-errors-spki-list={pin}"]
        if quic_for:
            options.append(f"--origin-to-force-quic-on={quic_for}:443")
        try:
            lab.run(
                host,
                [*BROWSER, *options, "--dump-dom", url],
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            _end(lab, host)


def open_tabs(lab: Lab, host: str, urls: Sequence[str], seconds: int) -> int:
    """Opens each address in a tab of headless Chromium, as fast as it takes them; how many show their page.

    By the browser's own HTTP interface (Chrome DevTools Protocol). It is ended after `seconds`.
    """
    pin = Certificates.pin(lab.path / "public-ca")
    near = "http://127.0.0.1:9222/json"
    with tempfile.TemporaryDirectory(dir=lab.path, ignore_cleanup_errors=True) as profile:
        options = [f"--user-data-dir={profile}", f"--ignore-certificate-errors-spki-list={pin}"]
        options += ["--remote-debugging-port=9222", "--renderer-process-limit=4", "about:blank"]
        lab.start(host, [*BROWSER, *options], f"{host}-chromium.log")
        try:
            lab.wait_for(host, ["curl", "-sf", "-o", "/dev/null", f"{near}/version"], 30)
            for url in urls:
                lab.run(host, ["curl", "-sf", "-o", "/dev/null", "-X", "PUT", f"{near}/new?{url}"])
            time.sleep(seconds)
            shown = json.loads(lab.run(host, ["curl", "-sf", f"{near}/list"]).stdout)
        finally:
            _end(lab, host)
    return sum(tab["url"] in urls and tab["title"] == PAGE_TITLE for tab in shown)


def _end(lab: Lab, host: str) -> None:
    lab.run(
        host,
        [
            "sh",
            "-c",
            f"for p in $(ip netns pids {lab.hosts[host].namespace}); do "
            "grep -qs chromium /proc/$p/comm && kill -9 $p; done",
        ],
        check=False,
    )
