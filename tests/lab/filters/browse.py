"""Chromium as a client of the filter lab, one for all visits of a client: it loads one page after the other.

Each visit has a context of its own, so that no connection and no cache serves two.

Chromium speaks QUIC to a server with an unknown root only where it is told to force it, and then never falls
back to TCP, as it otherwise does. With the option FALLBACK a second Chromium without QUIC loads what failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.certificates import Certificates
from tests.lab.filters.scenario import BLOCK_MARK, PAGE_MARK, Got, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

CHROMIUM = "/usr/bin/chromium"
FALLBACK = "--fall-back-to-tcp"
"""Option of a visit over QUIC; all others are Chromium's own."""
QUIC_PATIENCE_S = 4.0
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-domain-reliability",
    "--no-pings",
    "--dns-prefetch-disable",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication",
)
FORCE_QUIC = "--origin-to-force-quic-on=*"
HOW = "performance.getEntriesByType('navigation')[0]?.nextHopProtocol ?? ''"


class Browsers:
    """Chromium by its flags, each started when it is first asked for; to be used by one thread."""

    def __init__(self, authorities: Sequence[Path]) -> None:
        """`authorities`: folders of the CAs whose leaves it trusts (`Certificates`)."""
        pins = ",".join(Certificates.pin(folder) for folder in authorities)
        self._trust = f"--ignore-certificate-errors-spki-list={pins}"
        self._running: dict[tuple[str, ...], Browser] = {}
        self._playwright: Playwright | None = None

    def _browser(self, flags: tuple[str, ...]) -> Browser:
        from playwright.sync_api import sync_playwright

        if self._playwright is None:
            self._playwright = sync_playwright().start()
        if flags not in self._running:
            self._running[flags] = self._playwright.chromium.launch(
                executable_path=CHROMIUM, args=[*FLAGS, self._trust, *flags]
            )
        return self._running[flags]

    def load(self, url: str, flags: tuple[str, ...], timeout_s: float) -> tuple[Got, int, int, str]:
        """What came of one page: whose it is, 0 or 1 for an error, bytes, the protocol or the error."""
        from playwright.sync_api import Error

        context = self._browser(flags).new_context()
        try:
            page = context.new_page()
            answer = page.goto(url, timeout=timeout_s * 1000, wait_until="load")
            body = answer.body() if answer else b""
            seen = f"{page.inner_text('body')} {answer.headers.get('x-lab', '') if answer else ''}"
            if BLOCK_MARK in seen:
                return "block_page", 0, len(body), page.evaluate(HOW)
            return "page" if PAGE_MARK in seen else "nothing", 0, len(body), page.evaluate(HOW)
        except Error as error:
            return "nothing", 1, 0, error.message.splitlines()[0]
        finally:
            context.close()

    def close(self) -> None:
        """Ends them all."""
        for browser in self._running.values():
            browser.close()
        if self._playwright is not None:
            self._playwright.stop()


_thread = ThreadPoolExecutor(1, "chromium")
_browsers: list[Browsers] = []


def chromium(visit: Visit, options: Sequence[str], path: str, timeout_s: float) -> tuple[Got, int, int, str]:
    """A page load; waits for its turn."""
    return _thread.submit(_visit, visit, options, path, timeout_s).result()


def _visit(visit: Visit, options: Sequence[str], path: str, timeout_s: float) -> tuple[Got, int, int, str]:
    if not _browsers:
        _browsers.append(Browsers([Path.cwd() / "public-ca"]))
    scheme = "http" if visit.cell.protocol == "http" else "https"
    url = f"{scheme}://{visit.name}{path}"
    flags = tuple(option for option in options if option != FALLBACK)
    if visit.cell.protocol != "quic":
        return _browsers[0].load(url, flags, timeout_s)
    falls_back = FALLBACK in options
    said = _browsers[0].load(url, (*flags, FORCE_QUIC), QUIC_PATIENCE_S if falls_back else timeout_s)
    if said[0] == "nothing" and falls_back:
        return _browsers[0].load(url, flags, timeout_s)
    return said


def close() -> None:
    """Ends what was started."""
    for browsers in _browsers:
        _thread.submit(browsers.close).result()
