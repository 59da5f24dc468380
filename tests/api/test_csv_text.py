"""CSV that is safe to open."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.csv_text import cell, csv_chunks


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx", "\rx"])
def test_formulas_are_disarmed(text: str) -> None:
    """A cell that a spreadsheet would run begins with an apostrophe."""
    assert cell(text) == f"'{text}"
    assert cell([text, "b"]).startswith("'")


def test_numbers_stay_numbers() -> None:
    """Negative numbers are no formulas; unknown is empty, not zero."""
    assert (cell(-3), cell(0.5), cell(None), cell(0), cell(True)) == (-3, 0.5, "", 0, "true")


def test_lists_and_maps_are_one_cell() -> None:
    """Parts are joined with semicolons."""
    assert (cell(["a", "b"]), cell({"x": 1.0, "y": 2.0})) == ("a;b", "x=1.0;y=2.0")


@given(st.lists(st.text(st.characters(exclude_characters="\x00"), max_size=20), min_size=1, max_size=1_200))
def test_every_reader_gets_the_rows_back(texts: list[str]) -> None:
    """Over all chunks, commas, quotes and line ends survive, and the count is right."""
    whole = "".join(csv_chunks(["a", "b"], ({"a": text, "b": 1} for text in texts)))
    rows = list(csv.reader(io.StringIO(whole, newline="")))
    assert rows[0] == ["a", "b"]
    assert [row[0].removeprefix("'") for row in rows[1:]] == [text.removeprefix("'") for text in texts]


def test_only_a_header_without_rows() -> None:
    """No rows is a header."""
    assert "".join(csv_chunks(["a"], [])) == "a\r\n"
