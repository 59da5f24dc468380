"""Other taxonomies' names in ours."""

import pytest

from blocklists import mappings, taxonomy
from blocklists.lists import STARTER, Report, entries, load_matcher
from blocklists.matcher import Matcher
from blocklists.sources import read_sources


def test_the_table_is_sound():
    """Every taxonomy is there, and every category of ours that it names exists."""
    assert set(mappings.sources()) == {
        "ut1", "v2fly", "adguard", "nextdns", "fortiguard", "cisco", "lightspeed", "cloudflare",
    }  # fmt: skip
    for source in mappings.sources():
        for meaning in mappings.meanings(source).values():
            assert set(meaning.categories) <= set(taxonomy.CATEGORIES)


@pytest.mark.parametrize(
    ("source", "name", "categories", "use"),
    [
        ("ut1", "drogue", ("drugs",), "list"),
        ("ut1", "drugs", ("drugs",), "list"),
        ("ut1", "agressif", ("hate",), "list"),
        ("ut1", "bank", (), "allow"),
        ("ut1", "sexual_education", ("sexual_education",), "allow"),
        ("ut1", "cooking", (), "none"),
        ("v2fly", "category-porn", ("adult",), "list"),
        ("v2fly", "category-social-media-!cn", ("social_media",), "list"),
        ("adguard", "tiktok", ("social_media",), "list"),
        ("fortiguard", "Peer-to-peer File Sharing", ("p2p",), "list"),
        ("cisco", "Filter Avoidance", ("proxy",), "list"),
        ("lightspeed", "forums.social_networking", ("social_media",), "list"),
        ("cloudflare", "Militancy, Hate & Extremism", ("hate",), "list"),
        ("", "adult", ("adult",), "list"),
    ],
)
def test_names_and_what_they_stand_for(source, name, categories, use):
    """Categories, twins in two languages and allow lists of well-known taxonomies."""
    meaning = mappings.meanings(source)[mappings.key(name)]
    assert (meaning.categories, meaning.use) == (categories, use)


def test_case_and_punctuation_of_a_name_do_not_matter():
    """A category written in another way is the same; another word is not."""
    assert mappings.key("Peer-to-peer File Sharing") == mappings.key("peer_to_peer file sharing")
    assert mappings.key("Disney+") != mappings.key("Disney")


def test_services_are_called_as_in_the_starter_lists():
    """A service that the starter lists know has the same name in the table."""
    known = set()
    for listed in read_sources(STARTER)[0]:
        known |= {entry.service for entry in entries(Report(STARTER / listed.file, listed))}
    folded = {mappings.key(name): name for name in known - {""}}
    for source in mappings.sources():
        for meaning in mappings.meanings(source).values():
            if mappings.key(meaning.service) in folded:
                assert meaning.service == folded[mappings.key(meaning.service)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x\ty\tmaybe\tadult", "write source"),
        ("x\ty\tlist\tgaming", "unknown category 'gaming'"),
        ("x\ty\tlist", "stands for nothing"),
        ("x\ty\tnone\nx\tY\tnone", "twice"),
        ("x\ty", "write source"),
    ],
)
def test_a_broken_table_says_its_line(tmp_path, line, said):
    """Each fault of the table has its file, line and mend."""
    path = tmp_path / "mappings.tsv"
    path.write_text("# head\n" + line + "\n")
    with pytest.raises(ValueError, match=said) as raised:
        mappings._read(path)
    assert f"{path}:{2 + line.count(chr(10))}" in str(raised.value)


def test_a_compiled_list_of_another_table_is_not_used(tmp_path, monkeypatch):
    """What was compiled with another table is refused, so that the lists are compiled again."""
    matcher = load_matcher()
    matcher.save(tmp_path / "x")
    assert Matcher.open(tmp_path / "x").version == matcher.version
    monkeypatch.setattr(mappings, "version", lambda: "another")
    with pytest.raises(ValueError, match="compile the lists again"):
        Matcher.open(tmp_path / "x")
