"""One download over HTTP: asked conditionally, resumed where it broke off, bounded in size and time.

Nothing here knows what a list is: bytes go to a file, and the caller judges them.
"""

import json
import os
import re
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import HTTPError

from blocklists.sources import UpdateSettings, shown

USER_AGENT = "spanwatch"
#: Redirects followed before a source counts as going in circles. Our default.
REDIRECTS = 5
#: Answers after which it is worth asking again (RFC 9110, section 15).
PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
#: First wait before another attempt, doubled each time, and the longest (s). Our defaults.
WAIT_S, WAIT_MOST_S = 1.0, 30.0
#: Bytes a second below which a download is given up, measured over so many seconds. Our defaults.
SLOWEST, SLOW_S = 500, 60.0
#: Bytes taken from the socket at once.
_CHUNK = 1 << 16

Progress = Callable[[int, int | None], None]


class FetchError(OSError):
    """A download that can't be had now: one line with what and mend."""


class _PassingError(Exception):
    """Worth another attempt, after a wait that the server may have named."""

    def __init__(self, what: str, wait_s: float | None = None, *, unreached: bool = False) -> None:
        super().__init__(what)
        self.wait_s = wait_s
        self.unreached = unreached


class Validators(NamedTuple):
    """What a server says by which it knows a version again (RFC 9110, section 8.8)."""

    etag: str = ""
    last_modified: str = ""

    @property
    def strong(self) -> str:
        """The one that may stand in If-Range (RFC 9110, section 13.1.5); empty none."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


NOTHING_KNOWN = Validators()


class Client:
    """Connections to any number of servers, through the proxies that the environment names."""

    def __init__(self, settings: UpdateSettings, stop: threading.Event | None = None) -> None:
        """`stop`: once set, downloads end with FetchError."""
        self._settings = settings
        self._stop = stop or threading.Event()
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._unreached: set[str] = set()
        self._lock = threading.Lock()

    def close(self) -> None:
        for pool in self._pools.values():
            pool.clear()

    def fetch(
        self, url: str, part: Path, known: Validators = NOTHING_KNOWN, progress: Progress = lambda *_: None
    ) -> Validators | None:
        """Downloads `url` into `part` and returns its validators; None where it is what `known` says.

        A `part` that an earlier call left is continued, if the server still has that version. Raises
        FetchError, or OSError where the disk refuses (`part` is then removed).
        """
        wait = WAIT_S
        host = urlsplit(url).netloc
        # A server that could not be reached is asked once for each of its other lists: it may be a thousand.
        attempts = 1 if host in self._unreached else self._settings.attempts
        for left in range(attempts - 1, -1, -1):
            try:
                found = self._attempt(url, part, known, progress)
                self._unreached.discard(host)
                return found
            except _PassingError as error:
                if not left or self._stop.is_set():
                    if error.unreached:
                        self._unreached.add(host)
                    raise FetchError(f"{shown(url)}: {error}; try again later") from None
                if error.wait_s is not None and error.wait_s > WAIT_MOST_S:
                    raise FetchError(
                        f"{shown(url)}: {error}; the server asks for {error.wait_s:,.0f} s of patience"
                    ) from None
                self._stop.wait(max(wait, error.wait_s or 0))
                wait = min(2 * wait, WAIT_MOST_S)
            except FetchError:
                raise
            except OSError:
                _forget(part)
                raise
        raise AssertionError("unreachable")

    def text(self, url: str, part: Path) -> str:
        """A small document as text. Raises FetchError, OSError."""
        _forget(part)
        self.fetch(url, part)
        try:
            return part.read_text("utf-8", "replace")
        finally:
            _forget(part)

    def _attempt(self, url: str, part: Path, known: Validators, progress: Progress) -> Validators | None:
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        begun = _resumable(url, part)
        if begun is not None:
            headers["Range"] = f"bytes={part.stat().st_size}-"
            headers["If-Range"] = begun.strong
        else:
            if known.etag:
                headers["If-None-Match"] = known.etag
            if known.last_modified:
                headers["If-Modified-Since"] = known.last_modified
        answer, asked = self._open(url, headers)
        try:
            return self._take(answer, asked, url, part, begun, progress)
        except HTTPError as error:
            raise _PassingError(f"the connection broke: {_reason(error)}") from None
        finally:
            # What is left unread would stand in the way of the next question on this connection.
            answer.close()

    def _take(
        self,
        answer: urllib3.BaseHTTPResponse,
        asked: str,
        url: str,
        part: Path,
        begun: Validators | None,
        progress: Progress,
    ) -> Validators | None:
        if answer.status == 304 and begun is None:
            return None
        if answer.status == 416:
            _forget(part)
            raise _PassingError("the server has another version than the one begun", 0)
        if answer.status not in (200, 206):
            raise _refused(answer, asked)
        place = part.stat().st_size if begun is not None else 0
        coded = answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity")
        if answer.status == 206:
            if coded or begun is None or not _continues(answer.headers.get("Content-Range", ""), place):
                _forget(part)
                raise _PassingError("the server sent another part than was asked for", 0)
            validators = begun
        else:
            place = 0
            # What an earlier version left must not be taken for the beginning of this one.
            _forget(part)
            validators = Validators(answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""))
            _note(url, part, NOTHING_KNOWN if coded else validators)
        most = self._settings.list_bytes
        size = answer.headers.get("Content-Length", "")
        total = place + int(size) if size.isdecimal() and not coded else None
        if total is not None and total > most:
            _forget(part)
            raise _too_large(asked, total, most)
        mark, counted = time.monotonic(), 0
        with open(part, "ab" if place else "wb") as out:
            while chunk := answer.read1(_CHUNK, decode_content=True):
                out.write(chunk)
                place += len(chunk)
                counted += len(chunk)
                if place > most:
                    _forget(part)
                    raise _too_large(asked, place, most)
                if self._stop.is_set():
                    raise FetchError(f"{shown(url)}: interrupted; the next update continues it")
                if (spent := time.monotonic() - mark) >= SLOW_S:
                    if counted < SLOWEST * spent:
                        raise _PassingError(f"only {counted / spent:,.0f} bytes a second")
                    mark, counted = time.monotonic(), 0
                progress(place, total)
            out.flush()
            os.fsync(out.fileno())
        _notes(part).unlink(missing_ok=True)
        return validators

    def _open(self, url: str, headers: dict[str, str]) -> tuple[urllib3.BaseHTTPResponse, str]:
        """The answer, and the address that gave it: redirects are followed, never from https to http."""
        first = urlsplit(url)
        asked = url
        for _ in range(REDIRECTS + 1):
            parts = urlsplit(asked)
            sent = dict(headers)
            if (parts.hostname, parts.port) == (first.hostname, first.port) and first.username:
                login = f"{unquote(first.username)}:{unquote(first.password or '')}"
                sent |= urllib3.make_headers(basic_auth=login)
            bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
            try:
                answer = self._pool(parts.scheme, parts.hostname or "").request(
                    "GET", bare, headers=sent, redirect=False, retries=False, preload_content=False
                )
            except HTTPError as error:
                raise _unreached(asked, error) from None
            if answer.status not in (301, 302, 303, 307, 308) or not answer.headers.get("Location"):
                return answer, asked
            answer.close()
            try:
                target = urljoin(asked, answer.headers["Location"])
                to = urlsplit(target)
                usable = to.scheme in ("http", "https") and bool(to.hostname) and to.port != 0
            except ValueError:
                usable = False
            if not usable:
                raise FetchError(f"{shown(asked)}: redirects to what is no web address; mend the address")
            if parts.scheme == "https" and to.scheme == "http":
                raise FetchError(
                    f"{shown(asked)}: redirects to {shown(target)}, which is not encrypted; "
                    "mend the address, or give that one if it is meant"
                )
            asked = target
        raise FetchError(f"{shown(url)}: redirects more than {REDIRECTS} times; mend the address")

    def _pool(self, scheme: str, host: str) -> urllib3.PoolManager:
        proxies = urllib.request.getproxies()
        proxy = "" if urllib.request.proxy_bypass(host) else proxies.get(scheme) or proxies.get("all") or ""
        with self._lock:
            if proxy not in self._pools:
                timeout = urllib3.Timeout(connect=self._settings.connect_s, read=self._settings.silence_s)
                if not proxy:
                    self._pools[proxy] = urllib3.PoolManager(timeout=timeout)
                else:
                    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
                    if parts.scheme not in ("http", "https"):
                        raise FetchError(
                            f"proxy {shown(proxy)}: only http and https proxies are spoken to; "
                            f"set {scheme}_proxy to one"
                        )
                    login = None
                    if parts.username:
                        login = urllib3.make_headers(
                            proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}"
                        )
                    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
                    self._pools[proxy] = urllib3.ProxyManager(bare, proxy_headers=login, timeout=timeout)
            return self._pools[proxy]


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _note(url: str, part: Path, validators: Validators) -> None:
    _notes(part).write_text(json.dumps({"url": shown(url), **validators._asdict()}), "utf-8")


def _resumable(url: str, part: Path) -> Validators | None:
    """Validators of the version that `part` is the beginning of; None where there is none to continue."""
    try:
        noted = json.loads(_notes(part).read_text("utf-8"))
        validators = Validators(str(noted["etag"]), str(noted["last_modified"]))
        if noted["url"] == shown(url) and validators.strong and part.stat().st_size:
            return validators
    except (OSError, ValueError, KeyError, TypeError):
        pass
    _forget(part)
    return None


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


def _continues(content_range: str, place: int) -> bool:
    """RFC 9110, section 14.4."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", content_range.strip())
    return found is not None and int(found[1]) == place


def _refused(answer: urllib3.BaseHTTPResponse, url: str) -> Exception:
    what = f"the server says {answer.status} {answer.reason or ''}".strip()
    if answer.status in PASSING:
        after = answer.headers.get("Retry-After", "")
        return _PassingError(what, float(after) if after.isdecimal() else None)
    return FetchError(f"{shown(url)}: {what}; mend the address in sources.toml, or remove the list")


def _too_large(url: str, size: int, most: int) -> FetchError:
    return FetchError(
        f"{shown(url)}: {size:,} bytes, more than the {most:,} allowed; "
        "raise list_bytes in [update] if that is right"
    )


def _unreached(url: str, error: HTTPError) -> Exception:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return FetchError(
                f"{shown(url)}: its certificate does not hold: {cause.verify_message}; "
                "where a filter inspects TLS, add its authority to the system's (or set SSL_CERT_FILE)"
            )
        cause = cause.__cause__ or cause.__context__ or getattr(cause, "original_error", None)
    return _PassingError(f"cannot connect: {_reason(error)}", unreached=True)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return re.sub(r"^.*?(?:>|\)): ?", "", text)[:200] or type(error).__name__
