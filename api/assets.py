"""Style, script and icon of the pages, all served from here; Vega comes out of vl-convert, not a CDN."""

import gzip
import hashlib
import threading
from functools import cache
from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.problems import Problem
from api.signin import Desk, Signed

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parent / "static"
_KINDS = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}
#: Needed to sign in, and telling nothing.
_OPEN = ("spanwatch.css", "icon.svg")
_bundling = threading.Lock()


@cache
def _asset(name: str) -> tuple[bytes, str]:
    """Bytes of a file, and its tag."""
    data = (_FOLDER / name).read_bytes()
    return data, hashlib.sha256(data).hexdigest()[:20]


def vega_bundle(folder: Path) -> tuple[bytes, str]:
    """Gzipped script with Vega, Vega-Lite and Vega-Embed, and its tag; made once, then kept in `folder`."""
    import vl_convert

    path = folder / f"vega-{version('vl-convert-python')}.js.gz"
    with _bundling:
        if not path.is_file():
            script = vl_convert.javascript_bundle()  # type: ignore[call-arg]
            data = gzip.compress(script.encode(), 6, mtime=0)
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(data)
            part.replace(path)
        return _kept(path)


@cache
def _kept(path: Path) -> tuple[bytes, str]:
    data = path.read_bytes()
    return data, hashlib.sha256(data).hexdigest()[:20]


def _answer(request: Request, data: bytes, tag: str, kind: str, encoding: str = "") -> Response:
    headers = {"Cache-Control": "private, max-age=3600", "ETag": f'"{tag}"'}
    if encoding:
        headers["Content-Encoding"] = encoding
    if request.headers.get("if-none-match") == f'"{tag}"':
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=kind, headers=headers)


@router.get("/static/vega.js")
def vega(request: Request, desk: Desk, identity: Signed) -> Response:
    """The chart library."""
    data, tag = vega_bundle(desk.settings.state / "pages")
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return _answer(request, gzip.decompress(data), tag, _KINDS[".js"])
    return _answer(request, data, tag, _KINDS[".js"], "gzip")


@router.get("/static/charts.js")
def charts(request: Request, identity: Signed) -> Response:
    """What draws the charts."""
    return _answer(request, *_asset("charts.js"), _KINDS[".js"])


@router.get("/static/{name}")
def open_asset(request: Request, name: str) -> Response:
    """Style and icon, open because the form to sign in needs them."""
    if name not in _OPEN:
        raise Problem(404, f"no file {name[:40]!r}", "see /docs")
    return _answer(request, *_asset(name), _KINDS[Path(name).suffix])
