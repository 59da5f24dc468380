"""From a line to an entry."""

import io

from hypothesis import given
from hypothesis import strategies as st

from blocklists.entries import BrokenListError, Entry, Problem, Said, Skipped, judged, text_lines


def test_what_a_line_says_is_judged_name_by_name():
    """Names, addresses, suffixes, nonsense and skipped lines each have their outcome."""

    def parse(text):
        for word in text.split():
            if word == "stop":
                raise Skipped("the rest")
            yield Said(word)

    found = list(judged(7, "example.org 10.1.1.1 10.2.0.0/15 0.0.0.0/0 com a..b stop example.net", parse))
    assert [(e.name, str(e.network or "")) for e in found if isinstance(e, Entry)] == [
        ("example.org", ""), ("", "10.1.1.1/32"), ("", "10.2.0.0/15"),
    ]  # fmt: skip
    assert [p.kind for p in found if isinstance(p, Problem)] == ["held", "held", "refused", "skipped"]
    assert {item.line for item in found} == {7}


def test_a_broken_list_says_where():
    """The message holds file inside, line, what and mend."""
    assert str(BrokenListError("torn", "fetch it", "a/domains", 3)) == "a/domains:3: torn; fetch it"
    assert str(BrokenListError("torn", "fetch it")) == "torn; fetch it"


@given(st.binary(max_size=300))
def test_every_line_has_its_number(content):
    """Whatever the bytes, each line is there once with its number."""
    found = list(text_lines(io.BytesIO(content)))
    numbers = [item.line if isinstance(item, Problem) else item[0] for item in found]
    assert numbers == list(range(1, len(content.splitlines(keepends=False)) + 1)) or numbers == list(
        range(1, content.count(b"\n") + 1 + (not content.endswith(b"\n") and bool(content)))
    )
