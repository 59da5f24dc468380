"""Numbers and text as people read them."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.units import clean, clock, count, duration, percent, rate, size, span_text

PACIFIC = ZoneInfo("America/Los_Angeles")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_999, "1.0 MB"),
        (12_345_678, "12.3 MB"),
        (2e12, "2.0 TB"),
    ],
)
def test_sizes_are_decimal(value: float, text: str) -> None:
    """Powers of a thousand with one digit."""
    assert size(value).replace("\u00a0", " ") == text


def test_unknown_is_never_zero() -> None:
    """None reads as unknown in every unit."""
    assert {size(None), rate(None), count(None), percent(None), clock(None, PACIFIC)} == {"unknown"}


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.123, "12.3 %"), (0.00001, "< 0.1 %"), (0.99999, "> 99.9 %")],
)
def test_shares_are_not_rounded_to_the_ends(share: float, text: str) -> None:
    """Something is not nothing, and nearly all is not all."""
    assert percent(share).replace("\u202f", " ") == text


def test_times_are_the_site_s() -> None:
    """The zone's clock, with its offset shown, and both offsets across a change."""
    assert clock("2026-03-02T17:00:05Z", PACIFIC) == "2 Mar 2026, 09:00:05"
    text = span_text("2026-03-02T16:10:00Z", "2026-03-02T17:10:00Z", PACIFIC)
    assert text == "2 Mar 2026, 08:10:00 – 09:10:00 (America/Los_Angeles, UTC−08:00)"
    assert "UTC−08:00, then UTC−07:00" in span_text("2026-03-08T08:00:00Z", "2026-03-08T12:00:00Z", PACIFIC)


def test_durations() -> None:
    """Two units at most."""
    texts = [duration(s).replace("\u00a0", " ") for s in (45, 720, 11_100, 187_200)]
    assert texts == ["45 s", "12 min", "3 h 05 min", "2 d 4 h"]


def test_hidden_characters_are_written_out() -> None:
    """Controls, bidi overrides and zero-width characters show; letters of any script stay."""
    assert clean("a\x00b\u202eevil\u200b") == "a\\u0000b\\u202eevil\\u200b"
    assert clean("Grüße 你好") == "Grüße 你好"


@given(st.text())
def test_cleaned_text_can_always_be_written(text: str) -> None:
    """Lone surrogates and the like become ASCII, so the page can be encoded."""
    written = clean(text).encode("utf-8").decode()
    assert all(char.isprintable() or char.isspace() for char in written)
