"""`token` as a user calls it."""

from pathlib import Path

import pytest

from api.access import Access
from spanwatch.cli import DONE, main

Captured = pytest.CaptureFixture[str]


def test_token_life(tmp_path: Path, capsys: Captured) -> None:
    """A token that was made works, is listed without itself, and no longer works once revoked."""
    state = ["--state", str(tmp_path)]
    assert (
        main([*state, "token", "create", "desk [north]", "--role", "helpdesk", "--role", "auditor"]) == DONE
    )
    token = capsys.readouterr().out.strip()
    access = Access(tmp_path / "access.sqlite")
    identity = access.check(token)
    assert identity is not None
    assert set(identity.roles) == {"helpdesk", "auditor"}
    assert main([*state, "token", "list"]) == DONE
    listed = capsys.readouterr().out
    assert "desk [north]" in listed
    assert token not in listed
    assert main([*state, "token", "revoke", identity.token_id]) == DONE
    assert access.check(token) is None
    access.close()
