"""Lists in folders and archives."""

import pytest

from blocklists.entries import BrokenListError, Entry, Problem
from blocklists.reading import read_list
from tests.blocklists.lists_made import LINKS, TREE, folder, tar, zipped


@pytest.fixture(params=["folder", "tar.gz", "tar", "zip"])
def tree(request, tmp_path):
    """The same lists in every packing."""
    if request.param == "folder":
        return folder(tmp_path, TREE, LINKS)
    path = tmp_path / "lists"
    if request.param == "zip":
        path.write_bytes(zipped(TREE))
    else:
        path.write_bytes(tar(TREE, LINKS, "w:gz" if request.param == "tar.gz" else "w"))
    return path


def test_a_whole_archive(tree):
    """Every category has ours, every line its file; pages and expressions are skipped, others are told."""
    found = list(read_list(tree, "squidguard"))
    names = {
        (e.name or str(e.network), e.member, e.line): e.categories
        for e in found
        if isinstance(e, Entry) and not e.exception
    }
    assert names == {
        ("adult.example.org", "blacklists/adult/domains", 1): ("adult",),
        ("10.0.0.7/32", "blacklists/adult/domains", 2): ("adult",),
        ("whole.example.org", "blacklists/adult/urls", 2): ("adult",),
        ("drogue.example.org", "blacklists/drogue/domains", 1): ("drugs",),
        ("health.example.org", "blacklists/sexual_education/domains", 1): ("sexual_education",),
    }
    taken = {e.name: e.categories for e in found if isinstance(e, Entry) and e.exception}
    assert taken["bank.example.org"] == ()
    assert "adult" in taken["health.example.org"]
    assert "sexual_education" not in taken["health.example.org"]
    told = {(p.member, p.kind): p.lines for p in found if isinstance(p, Problem)}
    assert told[("blacklists/cooking/domains", "skipped")] == 2
    assert told[("blacklists/unheard_of/domains", "unmapped")] == 1
    assert told[("blacklists/adult/urls", "skipped")] == 1
    assert told[("blacklists/adult/expressions", "skipped")] == 1


def test_one_category_of_it(tree):
    """A part alone is read, and carries what its table says."""
    found = list(read_list(tree, "squidguard", part="adult", categories=("adult",)))
    assert [e.name for e in found if isinstance(e, Entry) and e.name] == [
        "adult.example.org", "whole.example.org",
    ]  # fmt: skip
    assert {e.categories for e in found if isinstance(e, Entry)} == {()}


def test_a_part_that_is_not_there(tree):
    """Asking for a category that is missing is an error that names it."""
    with pytest.raises(BrokenListError, match="no part 'nothing'"):
        list(read_list(tree, "squidguard", part="nothing"))


def test_a_twin_is_read_under_its_name(tmp_path):
    """A category that is a link to another is that other."""
    path = tmp_path / "x.tar.gz"
    path.write_bytes(tar(TREE, LINKS))
    (entry,) = read_list(path, "squidguard", part="drugs")
    assert (entry.name, entry.categories) == ("drogue.example.org", ("drugs",))


def test_links_in_a_circle_end(tmp_path):
    """Links that lead to each other are no category."""
    path = tmp_path / "x.tar.gz"
    path.write_bytes(tar(TREE, {"blacklists/a": "b", "blacklists/b": "a"}))
    with pytest.raises(BrokenListError, match="no part 'a'"):
        list(read_list(path, "squidguard", part="a"))


def test_services_in_files(tmp_path):
    """One file a service, its name as the service's."""
    folder(
        tmp_path,
        {"services/tiktok": b"tiktok.example\n", "services/nobody": b"x.example\n", "LICENSE": b"a\n"},
    )
    found = list(read_list(tmp_path, "nextdns"))
    (entry,) = [item for item in found if isinstance(item, Entry)]
    assert (entry.name, entry.categories, entry.service) == ("tiktok.example", ("social_media",), "TikTok")
    assert [p.kind for p in found if isinstance(p, Problem)] == ["unmapped"]
