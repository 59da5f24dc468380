"""Who is asking."""

import httpx

from api.signin import COOKIE
from tests.api.conftest import Running


def test_header_outranks_cookie(school: Running) -> None:
    """A wrong header is not rescued by a good cookie."""
    cookies = {COOKIE: school.token("engineer")}
    with httpx.Client(base_url=school.base, cookies=cookies) as client:
        assert client.get("/v1/flows").status_code == 200
        assert client.get("/v1/flows", headers={"authorization": "Bearer sw_no"}).status_code == 401


def test_the_scheme_may_be_in_any_case(school: Running) -> None:
    """RFC 9110 section 11.1: schemes are case-insensitive."""
    answer = httpx.get(
        f"{school.base}/v1/health", headers={"authorization": f"bEARER {school.token('engineer')}"}
    )
    assert answer.status_code == 200


def test_a_revoked_token_ends_a_session(scratch: Running) -> None:
    """The cookie is worth what its token is worth."""
    text = scratch.access.create("leaving", ["engineer"])
    with httpx.Client(base_url=scratch.base, cookies={COOKIE: text}) as client:
        assert client.get("/v1/health").status_code == 200
        scratch.access.revoke(next(token.id for token in scratch.access.list() if token.name == "leaving"))
        assert client.get("/v1/health").status_code == 401
