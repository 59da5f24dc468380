"""v2fly's domain-list-community."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocklists import v2fly
from blocklists.entries import BrokenListError, Entry, Problem
from blocklists.reading import read_list
from tests.blocklists.lists_made import V2FLY, folder, tar, zipped


def entries(path, part, **options):
    return [item for item in read_list(path, "v2fly", part=part, **options) if isinstance(item, Entry)]


@pytest.mark.parametrize("packing", ["folder", "data", "tar", "zip"])
def test_a_list_with_its_includes(tmp_path, packing):
    """Includes are followed; each rule has the file and line it stands on; `full:` is the name alone."""
    path = tmp_path / "lists"
    if packing in ("folder", "data"):
        path.mkdir()
        folder(path, V2FLY)
        path = path / "data" if packing == "data" else path
    else:
        path.write_bytes(tar(V2FLY) if packing == "tar" else zipped(V2FLY))
    found = list(read_list(path, "v2fly", part="category-porn"))
    inside = "" if packing == "data" else "data/"
    assert [(e.name, e.member, e.line, e.exact) for e in found if isinstance(e, Entry)] == [
        ("site.example.org", f"{inside}pornsite", 1, False),
        ("other.site.example.net", f"{inside}pornsite", 2, False),
        ("alone.example.org", f"{inside}category-porn", 2, True),
    ]
    assert {e.categories for e in found if isinstance(e, Entry)} == {("adult",)}
    assert [(p.line, p.kind) for p in found if isinstance(p, Problem)] == [(3, "skipped"), (4, "skipped")]


def test_all_lists_that_mean_something(tmp_path):
    """Without a part every list that the mapping knows is read, the others are told together."""
    found = list(read_list(folder(tmp_path, V2FLY), "v2fly"))
    services = {e.name: e.service for e in found if isinstance(e, Entry)}
    assert services["facebook.example"] == "Facebook"
    assert "example.net" not in services
    (others,) = [p for p in found if isinstance(p, Problem) and p.kind == "unmapped"]
    assert others.lines == 2
    assert "unknown-list" in others.what


def test_a_file_alone_includes_its_neighbours(tmp_path):
    """The path of one list is that list, with what it includes beside it."""
    folder(tmp_path, V2FLY)
    found = list(read_list(tmp_path / "data" / "category-porn", "v2fly", categories=("adult",)))
    assert next(e.name for e in found if isinstance(e, Entry)) == "site.example.org"


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("include:b", ["plain", "ads", "cn", "both"]),
        ("include:b @ads", ["ads", "both"]),
        ("include:b @-ads", ["plain", "cn"]),
        ("include:b @ads @-cn", ["ads"]),
        ("include:b @cn @ads", ["both"]),
        ("include:c @ads", ["ads", "both"]),
        ("INCLUDE:B @ADS", ["ads", "both"]),
    ],
)
def test_attributes_pick_rules(tmp_path, rule, names):
    """`@a` takes rules that have the attribute, `@-a` those that have not, through every include."""
    path = folder(tmp_path, {
        "data/a": rule.encode(),
        "data/b": b"plain.example.org\nads.example.org @ads\ncn.example.org @cn # x\n"
        b"both.example.org @cn @ads\n",
        "data/c": b"include:b\n",
    })  # fmt: skip
    assert [e.name.partition(".")[0] for e in entries(path, "a", categories=("adult",))] == names


def test_affiliations_and_attributes_of_a_part(tmp_path):
    """`&list` adds a rule to that list, too, even to one without a file; `list@a` are rules with `@a`."""
    path = folder(
        tmp_path,
        {"data/a": b"one.example.org @ads &other &A2\ntwo.example.org\n", "data/other": b"x.example.org\n"},
    )
    assert [e.name for e in entries(path, "other", categories=("adult",))] == [
        "one.example.org",
        "x.example.org",
    ]
    assert [e.name for e in entries(path, "a2", categories=("adult",))] == ["one.example.org"]
    assert [e.name for e in entries(path, "a@ads", categories=("adult",))] == ["one.example.org"]


def test_includes_that_loop_or_lead_nowhere(tmp_path):
    """A loop and a missing list are refused once, with their line; the rest is read."""
    path = folder(tmp_path, {
        "data/a": b"include:b\none.example.org\n",
        "data/b": b"include:a\ninclude:nothing\ninclude:b\ntwo.example.org\n",
    })  # fmt: skip
    found = list(read_list(path, "v2fly", part="a", categories=("adult",)))
    assert [e.name for e in found if isinstance(e, Entry)] == ["two.example.org", "one.example.org"]
    told = [(p.member, p.line, p.kind) for p in found if isinstance(p, Problem)]
    assert told == [("data/b", 1, "refused"), ("data/b", 2, "refused"), ("data/b", 3, "refused")]


def test_what_is_no_rule_is_refused(tmp_path):
    """Unknown kinds, bare words behind a rule and binary lines are refused with their line."""
    path = folder(tmp_path, {"data/a": b"glob:*.org\na.example.org cn\n\0\nfull:\ncom\nok.example.org\n"})
    found = list(read_list(path, "v2fly", part="a", categories=("adult",)))
    assert [(p.line, p.kind) for p in found if isinstance(p, Problem)] == [
        (1, "refused"), (2, "refused"), (3, "refused"), (4, "refused"), (5, "held"),
    ]  # fmt: skip


def test_includes_that_multiply_are_bounded(tmp_path, monkeypatch):
    """Lists that include each other in every combination end with an error, in bounded time."""
    monkeypatch.setattr(v2fly, "MAX_RULES", 10_000)
    files = {
        f"data/l{i}": "".join(f"include:l{i + 1} @x{j}\n" for j in range(8)).encode() for i in range(12)
    } | {"data/l12": b"example.org\n"}
    with pytest.raises(BrokenListError, match="more than 10,000 rules"):
        list(read_list(folder(tmp_path, files), "v2fly", part="l0", categories=("adult",)))


def test_too_much_text(tmp_path, monkeypatch):
    """Lists that are larger than any published ones are refused as a whole."""
    monkeypatch.setattr(v2fly, "MAX_BYTES", 10_000)
    with pytest.raises(BrokenListError, match="more than"):
        list(read_list(folder(tmp_path, {"data/a": b"example.org\n" * 1_000}), "v2fly", part="a"))


_word = st.sampled_from(
    ["include:a", "include:b", "full:x.org", "@ads", "@-ads", "&b", "&c", "#", "regexp:(", "é", "\0"]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(_word | st.text(max_size=6), max_size=4), max_size=8))
def test_any_lists_can_be_read(tmp_path, lines):
    """Whatever the lists say, reading ends with entries and problems."""
    text = "\n".join(" ".join(line) for line in lines).encode("utf-8", "surrogatepass")
    path = folder(tmp_path, {"data/a": text, "data/b": text[::-1]})
    for item in read_list(path, "v2fly", part="a", categories=("adult",)):
        assert item.member.startswith("data/")
        assert item.line >= 1
