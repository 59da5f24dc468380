"""What tests of downloads share."""

import pytest

from blocklists import fetch
from tests.blocklists.web import served


@pytest.fixture
def web(monkeypatch):
    """A server of lists on loopback, asked without a proxy and again without a wait."""
    monkeypatch.setattr(fetch, "WAIT_S", 0.01)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with served() as web:
        yield web
