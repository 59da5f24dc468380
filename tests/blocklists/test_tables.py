"""Comma-separated values."""

from blocklists.entries import Entry
from tests.blocklists.read_text import names, problems, read


def test_csv():
    """With a header its columns are used, without one the name stands first; quotes are honoured."""
    text = 'id,Domain,category\n1,"example.org",games\n2,a.example.org,"games,chat"\n3,b.example.org,none\n'
    found = [item for item in read("csv", text) if isinstance(item, Entry)]
    assert [(e.name, e.categories) for e in found] == [
        ("example.org", ("games",)),
        ("a.example.org", ("games", "chat")),
        ("b.example.org", ("none",)),
    ]
    assert names("csv", "example.org,1\nexample.net,2\n") == [(1, "example.org"), (2, "example.net")]


def test_other_delimiters():
    """Semicolons, tabs and bars divide cells where the first row has most of them."""
    for delimiter in ";\t|":
        text = f"host{delimiter}category\nexample.org{delimiter}games, chat\n"
        (entry,) = read("csv", text)
        assert (entry.name, entry.categories) == ("example.org", ("games", "chat"))


def test_a_quoted_cell_may_span_lines():
    """A row's line is where it begins; a quote that stays open takes a bounded number of lines with it."""
    text = 'domain,note\nexample.org,"one\ntwo"\nexample.net,x\n'
    assert names("csv", text) == [(2, "example.org"), (4, "example.net")]
    text = 'domain,note\nexample.org,"open\n' + "a.example.net,x\n" * 40
    found = read("csv", text)
    assert (found[0].line, found[0].kind, found[0].lines) == (2, "refused", 16)
    assert [entry.line for entry in found[1:]] == list(range(18, 43))


def test_an_endless_quote_is_no_more_than_a_line(tmp_path):
    """Open quotes over long lines are refused by their bytes."""
    text = 'domain\n"' + ("x" * 40_000 + "\n") * 30
    kinds = {kind for _, kind in problems("csv", text)}
    assert kinds == {"refused"}
