"""Who may ask: tokens, kept as hashes in one SQLite file, and the keys that belong to them.

A token is `sw_` and 32 random bytes; only its SHA-256 is kept, which is enough for a secret of 256
bits (NIST SP 800-63B, section 5.1.2.2: from 112 bits on, a one-way function without salt or iterations
will do).
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from api.roles import ROLES

PREFIX = "sw_"
#: Seconds between two writes of a token's last use.
LAST_USED_STEP_S = 60
DAY_S = 86_400

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, roles TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER, last_used INTEGER, revoked INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS keys (purpose TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT;
"""


class Identity(NamedTuple):
    """Whoever holds a token that is in force."""

    token_id: str
    name: str
    roles: tuple[str, ...]
    expires: int | None
    """Seconds since 1970; None: never."""


class Token(NamedTuple):
    """One line of the token file; times are seconds since 1970."""

    id: str
    name: str
    roles: tuple[str, ...]
    created: int
    expires: int | None
    last_used: int | None
    revoked: int | None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class Access:
    """The token file. Several threads and processes may use it at once; it does not need the store."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file, readable by its owner alone. Raises OSError with a mend."""
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise OSError(
                f"cannot open token file {path}: {error}; make its folder writable, or restore the file"
            ) from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[sqlite3.Cursor]:
        with self._lock, contextlib.closing(self._db.cursor()) as cursor:
            yield cursor

    def create(self, name: str, roles: Sequence[str], days: float | None = 365) -> str:
        """Text of a new token, which is shown this once. `days` None: it never expires.

        Raises ValueError for an unknown role, no role, an empty or overlong name, or days not above 0.
        """
        unknown = sorted(set(roles) - set(ROLES))
        if unknown or not roles:
            what = f"unknown role {unknown[0]!r}" if unknown else "a token needs a role"
            raise ValueError(f"{what}; choose from {', '.join(ROLES)}")
        if not name.strip() or len(name) > 100:
            raise ValueError("a token needs a name of 1 to 100 characters; say whose it is")
        if days is not None and not 0 < days <= 36_500:
            raise ValueError("days must be above 0 and at most 36500; give another number")
        text = PREFIX + secrets.token_urlsafe(32)
        now = int(time.time())
        expires = None if days is None else now + int(days * DAY_S)
        held = ",".join(role for role in ROLES if role in roles)
        with self._cursor() as cursor:
            cursor.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)",
                (secrets.token_hex(4), _digest(text), name.strip(), held, now, expires),
            )
        return text

    def list(self) -> Sequence[Token]:
        """All tokens, oldest first; revoked and expired ones too."""
        with self._cursor() as cursor:
            rows = cursor.execute(
                "SELECT id, name, roles, created, expires, last_used, revoked FROM tokens"
                " ORDER BY created, id"
            ).fetchall()
        return [Token(row[0], row[1], tuple(row[2].split(",")), *row[3:]) for row in rows]

    def revoke(self, token_id: str) -> None:
        """Ends a token now. Raises KeyError where there is none of that id."""
        with self._cursor() as cursor:
            cursor.execute(
                "UPDATE tokens SET revoked = coalesce(revoked, ?) WHERE id = ?", (int(time.time()), token_id)
            )
            if cursor.rowcount == 0:
                raise KeyError(f"no token {token_id!r}; `spanwatch token list` shows the ids")

    def check(self, text: str) -> Identity | None:
        """Who holds this token; None where it is unknown, expired or revoked."""
        if not text.startswith(PREFIX) or len(text) > 200:
            return None
        digest = _digest(text)
        now = int(time.time())
        with self._cursor() as cursor:
            row = cursor.execute(
                "SELECT id, hash, name, roles, expires, last_used, revoked FROM tokens WHERE hash = ?",
                (digest,),
            ).fetchone()
            if row is None or not hmac.compare_digest(row[1], digest):
                return None
            token_id, _, name, roles, expires, last_used, revoked = row
            if revoked is not None or (expires is not None and expires <= now):
                return None
            if last_used is None or now - last_used >= LAST_USED_STEP_S:
                with contextlib.suppress(sqlite3.OperationalError):
                    cursor.execute("UPDATE tokens SET last_used = ? WHERE id = ?", (now, token_id))
        return Identity(token_id, name, tuple(role for role in roles.split(",") if role in ROLES), expires)

    def key(self, purpose: str) -> bytes:
        """The 32 random bytes kept for `purpose`, made at the first call."""
        with self._cursor() as cursor:
            cursor.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (purpose, secrets.token_bytes(32)))
            return cursor.execute("SELECT key FROM keys WHERE purpose = ?", (purpose,)).fetchone()[0]
