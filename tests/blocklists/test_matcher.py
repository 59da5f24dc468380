"""The compiled matcher against a plain Python one, and its file."""

import os

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists import taxonomy
from blocklists.build import Builder, Statement
from blocklists.matcher import UNLISTED, LabelSet, Matcher, Source

SOURCE = Source("made", "Made", "made.txt", "domains", (), False, "", 0)


def matcher_of(statements):
    """A matcher over (name, mask, service, exception) rows; a row's line is its place from 1."""
    builder = Builder()
    source = builder.source(SOURCE)
    for line, (name, mask, service, exception) in enumerate(statements, 1):
        builder.add([name], [line], [builder.statement(Statement(mask, service, source, exception))])
    return builder.build()


def listed(*names):
    return matcher_of([(name, 1, "", False) for name in names])


def suffixes(name):
    labels = name.split(".")
    return [".".join(labels[i:]) for i in range(len(labels))]


def oracle(statements, name):
    """Label set of a name, worked out suffix by suffix from the shortest."""
    by_name = {}
    for listed_name, *said in statements:
        by_name.setdefault(listed_name, []).append(said)
    mask, service, away = 0, "", 0
    for suffix in reversed(suffixes(name)):
        said = by_name.get(suffix)
        if said is None:
            continue
        own, named = 0, ""
        for row_mask, row_service, exception in said:
            if exception:
                away |= row_mask
            else:
                own |= row_mask
                named = named or row_service
        mask = (own & ~away) or (mask & ~away)
        service = named or service
    return LabelSet(mask, service)


LABEL = st.sampled_from(["a", "b", "ab", "a-b", "aa", "com", "co", "x1"])
NAME = st.lists(LABEL, min_size=1, max_size=5).map(".".join)
LISTED = st.lists(LABEL, min_size=2, max_size=4).map(".".join)
STATEMENT = st.tuples(LISTED, st.integers(0, 7), st.sampled_from(["", "One", "Two"]), st.booleans())


def test_matches_at_label_boundaries_only():
    """A listed name matches itself and what is below it, never a longer label with the same end."""
    found = listed("foo.com").match(
        pa.array(["foo.com", "www.foo.com", "xfoo.com", "foo.com.org", "com", "oo.com"])
    )
    assert (found >= 0).tolist() == [True, True, False, False, False, False]


def test_the_longest_suffix_wins():
    """A longer listed name replaces the categories of the one it lies below."""
    matcher = matcher_of([("example.org", 1, "", False), ("shop.example.org", 2, "", False)])
    assert matcher.labels("www.example.org") == LabelSet(1, "")
    assert matcher.labels("a.shop.example.org") == LabelSet(2, "")


@given(st.lists(STATEMENT, max_size=30), st.lists(NAME, max_size=30))
@settings(max_examples=300, deadline=None)
def test_agrees_with_a_plain_matcher(statements, asked):
    """Every name has the labels that looking up its suffixes one by one gives."""
    matcher = matcher_of(statements)
    asked = asked + [name for name, *_ in statements]
    found = matcher.set_ids(pa.array(asked, pa.string()))
    for name, place in zip(asked, found.tolist(), strict=True):
        expected = oracle(statements, name)
        assert (matcher.sets[place] if place >= 0 else UNLISTED) == expected
        if place < 0:
            assert not any(
                suffix == listed_name for suffix in suffixes(name) for listed_name, *_ in statements
            )


@settings(deadline=None)
@given(st.sets(LISTED, max_size=40), st.lists(st.text(alphabet="ab.-\0é", max_size=20), max_size=20))
def test_any_text_may_be_asked(names, asked):
    """Odd names (empty labels, dots at the ends, other bytes) match only if a suffix is listed."""
    entries = listed(*names).match(pa.array(asked, pa.string()))
    for name, entry in zip(asked, entries.tolist(), strict=True):
        assert (entry >= 0) == any(suffix in names for suffix in suffixes(name))


def test_slices_nulls_and_large_strings():
    """A slice of an array, one with nulls, a large-string one and an empty one are answered alike."""
    matcher = listed("foo.com", "bar.org")
    names = pa.array(["x.foo.com", None, "bar.org", "other.net", "foo.com"])
    whole = matcher.match(names).tolist()
    assert [entry >= 0 for entry in whole] == [True, False, True, False, True]
    assert matcher.match(names.slice(2, 3)).tolist() == whole[2:]
    assert matcher.match(names.cast(pa.large_string())).tolist() == whole
    assert matcher.match(pa.array([], pa.string())).tolist() == []
    assert matcher.match(pa.nulls(2, pa.string())).tolist() == [-1, -1]


def test_an_empty_matcher_knows_nothing():
    """Without any list every name is unlisted."""
    assert listed().match(pa.array(["foo.com"])).tolist() == [-1]
    assert listed().lookup("foo.com").matched == ""


def test_lookup_names_list_and_line():
    """A look-up gives each listed suffix, the longest first, with list and line."""
    found = matcher_of(
        [("example.org", 1, "", False), ("a.example.org", 2, "One", False), ("a.example.org", 4, "", True)]
    ).lookup("B.A.Example.ORG.")
    assert (found.name, found.matched, found.service) == ("b.a.example.org", "a.example.org", "One")
    assert found.categories == taxonomy.names_of(2)
    assert [(o.name, o.line, o.exception) for o in found.origins] == [
        ("a.example.org", 2, False), ("a.example.org", 3, True), ("example.org", 1, False),
    ]  # fmt: skip


def test_the_file_gives_the_same_answers(tmp_path):
    """A matcher opened from its file answers, explains and is versioned like the one that wrote it."""
    matcher = matcher_of([(f"n{i}.example.org", 1 + i % 3, "One", False) for i in range(500)])
    path = tmp_path / "compiled"
    matcher.save(path)
    opened = Matcher.open(path)
    asked = pa.array([f"www.n{i}.example.org" for i in range(600)])
    assert opened.match(asked).tolist() == matcher.match(asked).tolist()
    assert opened.lookup("n7.example.org") == matcher.lookup("n7.example.org")
    assert opened.version == matcher.version
    assert os.listdir(tmp_path) == ["compiled"]
