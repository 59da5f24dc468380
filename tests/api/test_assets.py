"""Style, scripts and icon."""

import gzip
from pathlib import Path

import pytest

from api.assets import vega_bundle
from tests.api.conftest import Running


@pytest.mark.parametrize("name", ["spanwatch.css", "icon.svg"])
def test_what_the_sign_in_form_needs_is_open(school: Running, name: str) -> None:
    """Style and icon come without a token, once, and then by their tag."""
    first = school.get(f"/static/{name}")
    assert first.status_code == 200
    again = school.get(f"/static/{name}", **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_no_other_file_can_be_had(school: Running, everyone: tuple[str, ...]) -> None:
    """Names outside the list, up the tree or encoded, are 404."""
    for name in ("../access.py", "..%2faccess.py", "%2e%2e/roles.toml", "charts.js.map", "/etc/passwd"):
        assert school.get(f"/static/{name}", *everyone).status_code == 404, name


def test_the_chart_script_is_ours(school: Running) -> None:
    """It is served from here, to whoever signed in."""
    answer = school.get("/static/charts.js", "auditor")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "vegaEmbed" in answer.text


@pytest.mark.slow
def test_the_chart_library_is_made_once(tmp_path: Path) -> None:
    """Vega comes out of the package, is kept on disk, and holds the interpreter that needs no eval."""
    data, tag = vega_bundle(tmp_path)
    kept = next(tmp_path.glob("vega-*.js.gz"))
    before = kept.stat().st_mtime_ns
    assert b"vegaEmbed" in gzip.decompress(data)
    assert vega_bundle(tmp_path)[1] == tag
    assert kept.stat().st_mtime_ns == before
