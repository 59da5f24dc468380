"""Pseudonyms: stable in a school year, different beyond it, and nothing left of the address."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pseudonyms import Pseudonyms, school_year

KEYED = Pseudonyms(b"k" * 32)


def us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1e6)


def test_the_school_year_begins_in_july() -> None:
    """30 June belongs to the year that began the July before."""
    assert school_year(us(2026, 6, 30, 23)) == 2025
    assert school_year(us(2026, 7, 1)) == 2026


def test_stable_within_the_year_and_changed_after() -> None:
    """The same host is one pseudonym in March and May, another in September."""
    march, may, autumn = (KEYED.host("main", "10.0.0.1", us(2026, month, 2)) for month in (3, 5, 9))
    assert march == may != autumn


def test_site_and_key_tell_apart() -> None:
    """The same private address at two sites, or under another key, is another pseudonym."""
    at = us(2026, 3, 2)
    words = {
        KEYED.host("main", "10.0.0.1", at),
        KEYED.host("annex", "10.0.0.1", at),
        Pseudonyms(b"l" * 32).host("main", "10.0.0.1", at),
        KEYED.host("main", "10.0.0.2", at),
    }
    assert len(words) == 4


@pytest.mark.parametrize(
    "text",
    [
        "10.20.0.11 asked.", "from 10.20.0.11, to", "fe80::1 answered 00:00:5e:00:00:77", "(2001:db8::5)",
        "::ffff:10.20.0.11", "10.20.0.11:443", "00-00-5E-00-00-77", "a 2001:DB8:0:0:0:0:0:5 b",
    ],
)  # fmt: skip
def test_scrubbing_leaves_no_address(text: str) -> None:
    """Addresses and MACs in any usual form are replaced, the rest stays."""
    scrubbed = KEYED.scrub(text, "main", us(2026, 3, 2))
    for left in ("10.20", "fe80", "2001", "5e:00", "5E-00", "DB8", "ffff"):
        assert left not in scrubbed
    assert "h-" in scrubbed or "d-" in scrubbed


def test_scrubbing_agrees_with_the_column() -> None:
    """The pseudonym in a sentence is that of the subject's column."""
    at = us(2026, 3, 2)
    assert KEYED.host("main", "10.20.0.11", at) in KEYED.scrub("10.20.0.11 tried 51 hosts.", "main", at)


def test_times_and_numbers_stay() -> None:
    """What only looks like an address is left alone."""
    text = "between 09:00:05 and 10:15:00, ratio 0.75, version 1.2.3, 999.1.1.1"
    assert KEYED.scrub(text, "main", 0) == text


@given(st.text(max_size=200))
def test_any_text_can_be_scrubbed(text: str) -> None:
    """Scrubbing never raises."""
    assert isinstance(KEYED.scrub(text, "s", 0), str)
