"""What a client reports of its visits."""

from __future__ import annotations

import pytest

from tests.lab.filters import clients
from tests.lab.filters.scenario import BLOCK_MARK, PAGE_MARK, STOPPED, Cell, Outcome, Truth, Visit, truth

VISIT = Visit("pupil41", f"a-1.{STOPPED}", Cell("curl", "4", "tls13"))


@pytest.mark.parametrize(
    ("received", "got"),
    [
        (f"X-Lab: {PAGE_MARK}\r\n\r\n", "page"),
        (f"<h1>{BLOCK_MARK}</h1>", "block_page"),
        (f"<h1>{BLOCK_MARK}</h1> instead of: {PAGE_MARK}", "block_page"),
        ("HTTP/1.1 200 OK\r\n\r\nelse", "nothing"),
        ("", "nothing"),
    ],
)
def test_what_was_received_is_told_by_its_mark(received: str, got: str) -> None:
    """Neither an exit code nor a status makes a page."""
    assert clients.seen_mark(received) == got


def test_an_outcome_survives_its_line() -> None:
    """What the client's process prints is what the lab reads."""
    outcome = Outcome(VISIT, "nothing", 1.5, 2.5, 28, 0, "timed out “here”")
    assert clients.decode(clients.encode(outcome)) == outcome


@pytest.mark.parametrize(
    ("got", "stopped", "expected"),
    [
        ("page", True, "delivered"),
        ("page", False, "delivered"),
        ("block_page", False, "blocked"),
        ("nothing", True, "blocked"),
        ("nothing", False, "failed"),
        ("address", True, "resolved"),
        ("connection", False, "connected"),
        ("connection", True, "blocked"),
    ],
)
def test_truth_is_what_the_client_got(got: str, stopped: bool, expected: Truth) -> None:
    """Nothing received is a block only where a filter was meant to act."""
    assert truth(Outcome(VISIT, got, 0.0, 1.0, 0, 0), stopped) == expected  # type: ignore[arg-type]


def test_a_program_that_hangs_is_ended() -> None:
    """The exit code says that time ran out."""
    assert clients.run(["sleep", "5"], 0.1) == (clients.GIVEN_UP, "", "no answer in time")
