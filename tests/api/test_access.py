"""Tokens: kept as hashes, ended by time or by hand."""

import sqlite3
import time
from pathlib import Path

import pytest

from api.access import PREFIX, Access


@pytest.fixture
def access(tmp_path: Path):
    opened = Access(tmp_path / "access.sqlite")
    yield opened
    opened.close()


def test_a_token_is_recognised(access: Access) -> None:
    """A fresh token gives back its name and roles, in the order of roles.toml."""
    text = access.create("front desk", ["helpdesk", "engineer"])
    identity = access.check(text)
    assert text.startswith(PREFIX)
    assert identity is not None
    assert (identity.name, identity.roles) == ("front desk", ("engineer", "helpdesk"))


def test_the_file_does_not_hold_the_token(access: Access, tmp_path: Path) -> None:
    """Neither the token nor its random part is on disk, and nobody else may read the file."""
    text = access.create("a", ["auditor"])
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert text.removeprefix(PREFIX).encode() not in kept
    assert access.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "sw_", "sw_x", "Bearer", "sw_" + "a" * 43, "sw_\ud800", "x" * 5_000])
def test_other_texts_are_nobody(access: Access, text: str) -> None:
    """What was never given out opens nothing."""
    access.create("a", ["auditor"])
    assert access.check(text) is None


def test_revoked_and_expired_tokens_are_nobody(access: Access) -> None:
    """A token ends at once when revoked, and by itself when its days are over."""
    revoked, short = access.create("a", ["auditor"]), access.create("b", ["auditor"], days=1e-5)
    access.revoke(access.list()[0].id if access.list()[0].name == "a" else access.list()[1].id)
    time.sleep(1.1)
    assert access.check(revoked) is None
    assert access.check(short) is None


def test_tokens_for_ever(access: Access) -> None:
    """Days None means no end."""
    identity = access.check(access.create("probe", ["administrator"], None))
    assert identity is not None
    assert identity.expires is None


def test_use_is_noted(access: Access) -> None:
    """The list tells when a token was last used."""
    text = access.create("a", ["auditor"])
    assert access.list()[0].last_used is None
    access.check(text)
    assert access.list()[0].last_used is not None


@pytest.mark.parametrize(
    ("name", "roles", "days", "said"),
    [
        ("a", ["king"], 1, "king"),
        ("a", [], 1, "role"),
        (" ", ["auditor"], 1, "name"),
        ("a", ["auditor"], 0, "days"),
    ],
)
def test_refusals_say_the_mend(access: Access, name: str, roles: list[str], days: float, said: str) -> None:
    """Unknown roles, no role, no name and no time are refused with a reason."""
    with pytest.raises(ValueError, match=said):
        access.create(name, roles, days)


def test_unknown_ids_cannot_be_revoked(access: Access) -> None:
    """Revoking what is not there says so."""
    with pytest.raises(KeyError, match="token list"):
        access.revoke("ffff")


def test_two_processes_share_the_file(access: Access) -> None:
    """A token made through one handle is known to another at once, and so are keys."""
    other = Access(access.path)
    try:
        assert other.check(access.create("a", ["auditor"])) is not None
        assert other.key("pseudonyms") == access.key("pseudonyms") != access.key("cursors")
    finally:
        other.close()


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    """A file that is no database raises one line with the mend."""
    path = tmp_path / "access.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(OSError, match=r"cannot open token file .*; make"):
        Access(path)


def test_a_role_that_was_removed_grants_nothing(access: Access) -> None:
    """Roles in the file that are no longer in roles.toml are left out."""
    text = access.create("a", ["auditor"])
    with sqlite3.connect(access.path) as db:
        db.execute("UPDATE tokens SET roles = 'auditor,emperor'")
    db.close()
    identity = access.check(text)
    assert identity is not None
    assert identity.roles == ("auditor",)
