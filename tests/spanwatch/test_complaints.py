"""What goes wrong again and again."""

import logging
from typing import Any

import pytest

from spanwatch import complaints
from spanwatch.complaints import Complaints


def test_a_kind_is_logged_once_in_a_while(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status has the last line of a key, the log the first of each kind, and another after a while."""
    status: dict[str, Any] = {}
    told = Complaints(logging.getLogger("test"), status)
    for line in ("one", "two"):
        told.tell("error", "store", line)
    told.tell("error", "kafka", "three")
    assert status == {"error": "three"}
    assert caplog.messages == ["one", "three"]
    monkeypatch.setattr(complaints, "COMPLAINT_S", 0.0)
    told.tell("error", "store", "four")
    assert caplog.messages == ["one", "three", "four"]
