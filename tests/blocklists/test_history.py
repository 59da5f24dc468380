"""Since when names are listed, over several compilations, against a plain Python record of it."""

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.build import Builder, Statement
from blocklists.history import NOTHING, UNKNOWN, Since
from blocklists.matcher import Matcher, Source

NAMES = [
    "a.example",
    "b.example",
    "x.b.example",
    "c.example",
    "b-c.example",
    "d.test",
    "192.0.2.0/24",
    "2001:db8::/32",
]
LISTS = ["one", "two", "three"]
CONTENT = st.dictionaries(st.sampled_from(LISTS), st.lists(st.sampled_from(NAMES), max_size=8), max_size=3)


def compiled(content, past=NOTHING, at=0):
    """A matcher over lists and their names, in the lists' order; a name's line is its place from 1."""
    builder = Builder(past, Since("", at, False))
    for name, listed in content.items():
        source = builder.source(Source(name, name, "", "domains", (), False, "", len(listed)))
        said = builder.statement(Statement(1 << LISTS.index(name), "", source, False))
        for line, entry in enumerate(listed, 1):
            if "/" in entry:
                builder.add_network(ipaddress.ip_network(entry), line, said)
            else:
                builder.add([entry], [line], [said])
    return builder.build()


def told(matcher: Matcher):
    """(list, name) → the time since when."""
    return {
        (origin.source.name, name): origin.since.at
        for name in NAMES
        for origin in matcher.lookup(name.partition("/")[0]).origins
        if origin.name == name
    }


@settings(deadline=None)
@given(st.lists(CONTENT, min_size=1, max_size=6))
def test_agrees_with_a_plain_record(contents):
    """Whatever lists come, go, change order and come again, each name has been on its list since it came."""
    past, before, known = NOTHING, {}, {}
    for at, content in enumerate(contents, 1):
        matcher = compiled(content, past, at)
        pairs = {(name, entry) for name, listed in content.items() for entry in listed}
        known = {pair: known.get(pair, at) for pair in pairs}
        assert told(matcher) == known
        for source in matcher.sources:
            new, old = set(content[source.name]), set(before.get(source.name, ()))
            assert (source.added, source.removed) == (len(new - old), len(old - new)), source.name
        past, before = matcher.past(), content
        # Versions that nothing refers to are forgotten.
        assert {since.at for since in past.versions} == {*known.values(), at}


def test_the_version_is_told(tmp_path):
    """A name is listed since the version that brought it, in the file as in memory."""
    first = compiled({"one": ["a.example"]}, at=100)
    second = compiled({"one": ["a.example", "b.example"]}, first.past(), 200)
    second.save(tmp_path / "compiled")
    for matcher in (second, Matcher.open(tmp_path / "compiled")):
        assert matcher.lookup("a.example").origins[0].since == Since(first.version, 100, False)
        assert matcher.lookup("x.b.example").origins[0].since == Since(second.version, 200, False)


def test_the_past_does_not_change_the_version():
    """The same content is the same version, however it came about."""
    content = {"one": ["a.example", "b.example", "192.0.2.0/24"]}
    assert (
        compiled(content, compiled({"one": ["a.example"]}, at=1).past(), 2).version
        == compiled(content).version
    )


def test_nobody_knows():
    """Lists that are compiled for the moment have no time since when."""
    builder = Builder()
    source = builder.source(Source("one", "One", "", "domains", (), False, "", 1))
    builder.add(["a.example"], [1], [builder.statement(Statement(1, "", source, False))])
    since = builder.build().lookup("a.example").origins[0].since
    assert (since.at, since.or_earlier) == (UNKNOWN.at, True)


def test_more_versions_than_can_be_told_apart(monkeypatch):
    """The oldest are told as the oldest that is kept; nothing is told as younger than the newest."""
    monkeypatch.setattr("blocklists.history.MOST_VERSIONS", 3)
    names = [f"n{number}.example" for number in range(5)]
    matcher = compiled({"one": names[:1]}, at=1)
    for at in range(2, 6):
        matcher = compiled({"one": names[:at]}, matcher.past(), at)
    assert [matcher.lookup(name).origins[0].since.at for name in names] == [3, 3, 3, 4, 5]
