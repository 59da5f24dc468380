"""Cursors: opaque, signed, and a place between rows rather than a number of rows."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import NamedTuple

_SEAL_BYTES = 12


class Place(NamedTuple):
    """Where a page ended. Rows that arrive later do not move it."""

    question: str
    """Digest of endpoint and filters: a cursor continues only its own question."""
    first: int
    last: int
    """The range, as it was when the first page was asked."""
    time: int
    tie: str
    """Tie-breaker of the last row given: a number as text, or an id."""
    skip: int
    """Rows with exactly this time and tie already given."""


def question(endpoint: str, asked: dict[str, list[str]]) -> str:
    """Digest of what is asked."""
    text = json.dumps([endpoint, sorted((k, sorted(v)) for k, v in asked.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def seal(place: Place, key: bytes) -> str:
    """The cursor of a place."""
    body = json.dumps(place, separators=(",", ":")).encode()
    mark = hmac.new(key, body, hashlib.sha256).digest()[:_SEAL_BYTES]
    return base64.urlsafe_b64encode(mark + body).decode().rstrip("=")


def unseal(cursor: str, key: bytes) -> Place:
    """The place of a cursor. Raises ValueError where it is not one of ours."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    mark, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
    if not body or not hmac.compare_digest(mark, hmac.new(key, body, hashlib.sha256).digest()[:_SEAL_BYTES]):
        raise ValueError("cursor: not one that was given out here; start again without it")
    return Place(*json.loads(body))
