"""Signing in and out."""

import httpx

from api.signin import COOKIE
from tests.api.conftest import Running


def test_the_link_signs_in_and_forgets_the_token(school: Running) -> None:
    """`/?token=` sets a cookie scripts can't read, and leads to an address without the token."""
    answer = httpx.get(f"{school.base}/", params={"token": school.token("engineer")})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age=" in cookie


def test_the_form_signs_in(school: Running) -> None:
    """A pasted token, with spaces around it, opens the overview; signing out closes it."""
    with httpx.Client(base_url=school.base, follow_redirects=True, headers={"accept": "text/html"}) as client:
        assert client.get("/").status_code == 401
        page = client.post("/sign-in", data={"token": f" {school.token('engineer')} "})
        assert page.status_code == 200
        assert "Top talkers" in page.text
        assert client.post("/sign-out").status_code == 401
        assert client.get("/findings").status_code == 401


def test_wrong_tokens_are_told(school: Running) -> None:
    """By link and by form: 401, no cookie, and not the token back."""
    for answer in (
        httpx.get(f"{school.base}/", params={"token": "sw_<b>no"}),
        httpx.post(f"{school.base}/sign-in", data={"token": "sw_<b>no"}),
    ):
        assert answer.status_code == 401
        assert COOKIE not in answer.headers.get("set-cookie", "")
        assert "sw_" not in answer.text
        assert "revoked" in answer.text


def test_other_sites_cannot_sign_anyone_in_or_out(school: Running) -> None:
    """A form sent from elsewhere is refused."""
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        for path in ("/sign-in", "/sign-out"):
            answer = httpx.post(school.base + path, data={"token": school.token("engineer")}, headers=headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
