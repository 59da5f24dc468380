"""Signing in and out of the pages: the token goes into a cookie that scripts and other sites never see."""

import time
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from api.access import Identity
from api.problems import Problem
from api.signin import COOKIE, Desk
from api.view import page as show

router = APIRouter(include_in_schema=False)


def set_cookie(request: Request, response: Response, token: str, identity: Identity) -> None:
    """The browser keeps the token as long as it holds."""
    age = None if identity.expires is None else max(identity.expires - int(time.time()), 0)
    response.set_cookie(
        COOKIE, token, max_age=age, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


def signing_in(request: Request, desk: Desk, token: str) -> Response:
    """To the overview with the cookie set, or the form again."""
    identity = desk.access.check(token.strip())
    if identity is None:
        failed = "This token is unknown, expired or revoked. Paste another one."
        return show(request, "sign_in.html", status=401, failed=failed)
    response = RedirectResponse("/", 303)
    set_cookie(request, response, token.strip(), identity)
    return response


def _same_origin(request: Request) -> None:
    """Raises Problem 403 where another site's page sent the form."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign or site not in ("same-origin", "none"):
        raise Problem(403, "the form came from another site", "sign in on this service's own page")


@router.post("/sign-in")
async def sign_in(request: Request, desk: Desk) -> Response:
    """Takes the form's token."""
    _same_origin(request)
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    return signing_in(request, desk, form.get("token", [""])[0])


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """Forgets the cookie; the token itself holds on until it is revoked."""
    _same_origin(request)
    response = RedirectResponse("/", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
