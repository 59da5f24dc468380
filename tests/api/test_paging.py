"""Cursors: only ours, only for their own question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.paging import Place, question, seal, unseal

KEY = b"k" * 32
PLACE = Place("q", 1, 2, 3, "18446744073709551615", 4)


def test_a_place_comes_back() -> None:
    """What was sealed is unsealed."""
    assert unseal(seal(PLACE, KEY), KEY) == PLACE


@given(st.text(max_size=120))
def test_other_texts_are_refused(text: str) -> None:
    """Nothing but our own cursors is taken, and the reason is a ValueError."""
    with pytest.raises(ValueError, match="cursor"):
        unseal(text, KEY)


def test_changed_cursors_are_refused() -> None:
    """Every changed character breaks the seal, and so does another key."""
    cursor = seal(PLACE, KEY)
    for at in range(len(cursor) - 1):
        changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        with pytest.raises(ValueError, match="cursor"):
            unseal(changed, KEY)
    with pytest.raises(ValueError, match="cursor"):
        unseal(cursor, b"l" * 32)


def test_questions_differ_by_filter_not_by_order() -> None:
    """The digest is of what is asked."""
    assert question("flows", {"a": ["1", "2"], "b": ["3"]}) == question(
        "flows", {"b": ["3"], "a": ["2", "1"]}
    )
    assert question("flows", {"a": ["1"]}) != question("dns", {"a": ["1"]}) != question("dns", {"a": ["2"]})
