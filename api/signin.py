"""Who is asking: a bearer token, or the cookie of a browser that signed in with one."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.access import Identity
from api.problems import Problem
from api.roles import Asked, Grant, choose
from api.service import Service, service

COOKIE = "spanwatch_token"

_BEARER = HTTPBearer(
    auto_error=False, description="Token of `spanwatch token create`, as `Authorization: Bearer sw_…`."
)


def signed_in(request: Request, desk: Service) -> Identity | None:
    """Who the request's token belongs to; an `Authorization` header outranks the cookie."""
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, text = header.partition(" ")
        return desk.access.check(text.strip()) if scheme.lower() == "bearer" else None
    text = request.cookies.get(COOKIE, "")
    return desk.access.check(text) if text else None


def require_identity(
    request: Request,
    desk: Annotated[Service, Depends(service)],
    _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None,
) -> Identity:
    """The identity of the request. Raises Problem 401."""
    identity = signed_in(request, desk)
    if identity is None:
        raise Problem(
            401,
            "no token that is in force came with the request",
            "send Authorization: Bearer and a token of `spanwatch token create`, or sign in at /",
        )
    return identity


Desk = Annotated[Service, Depends(service)]
Signed = Annotated[Identity, Depends(require_identity)]


def granted(identity: Identity, endpoint: str, asked: Asked | None = None) -> list[Grant]:
    """Grants that answer the request, the one that shows most first. Raises Problem 403."""
    try:
        return choose(identity.roles, endpoint, asked or Asked())
    except PermissionError as error:
        held = ", ".join(identity.roles) or "no role"
        raise Problem(403, f"{endpoint} is not shown so to {held}", str(error)) from None
