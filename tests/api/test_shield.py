"""What stands before every answer."""

import http.client

import httpx
import pytest

from api.shield import host_name, is_loopback
from tests.api.conftest import Running


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:8080", "127.9.9.9:1"])
def test_loopback_names(host: str) -> None:
    """What names this machine alone."""
    assert is_loopback(host_name(host))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "10.0.0.1", "[::2]"]
)
def test_other_names(host: str) -> None:
    """What does not."""
    assert not is_loopback(host_name(host))


def test_a_name_that_was_made_to_resolve_here_gets_nothing(school: Running) -> None:
    """Bound to loopback, another Host is refused, token or not (DNS rebinding)."""
    answer = school.get("/v1/flows", "engineer", host="evil.example")
    assert answer.status_code == 421
    assert "rows" not in answer.text


def test_every_answer_carries_the_headers(school: Running) -> None:
    """Policy, nosniff, no referrer and no framing, on pages, data and refusals."""
    for path in ("/", "/v1/flows", "/healthz", "/static/spanwatch.css", "/nothing"):
        headers = httpx.get(school.base + path).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_head_is_get_without_the_body(school: Running) -> None:
    """HEAD has GET's status and length and no body."""
    headers = {"authorization": f"Bearer {school.token('engineer')}"}
    for path in ("/", "/health", "/v1/health?from=-1h&to=now", "/healthz"):
        head = httpx.head(school.base + path, headers=headers)
        assert head.status_code == 200, path
        assert head.content == b""


def test_overlong_questions_are_refused(school: Running) -> None:
    """A query of many kilobytes and a large body are answered 400, and the service lives on."""
    assert school.get("/v1/flows?client=" + "1" * 20_000, "engineer").status_code == 400
    assert httpx.post(f"{school.base}/sign-in", content=b"x" * 10_000).status_code == 400
    connection = http.client.HTTPConnection(school.base.removeprefix("http://"))
    connection.request(
        "POST",
        "/sign-in",
        body=iter([b"a" * 10]),
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert connection.getresponse().status == 400
    connection.close()
    assert school.get("/healthz").status_code == 200
