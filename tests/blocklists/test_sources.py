"""Folders' tables of lists, and the catalogue they choose from."""

import pytest

from blocklists import taxonomy
from blocklists.reading import MAPPINGS
from blocklists.sources import HOLD_SHARE, ListError, catalogue, read_sources


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('name = "a"\nfile = "../a.txt"\n', "leads out of the folder"),
        ('name = "a"\nfile = "/etc/hosts"\n', "leads out of the folder"),
        ('name = "a"\nfile = "a.txt"\nformat = "zip"\n', "unknown format 'zip'"),
        ('name = "a"\nfile = "a.txt"\ncategories = ["gaming"]\n', "unknown category 'gaming'"),
        ('name = "a"\nfile = "a.txt"\ncolour = 1\n', "colour: unknown key; remove or rename it"),
        ('name = "a"\n', "neither file nor url"),
        ('name = "a/b"\nfile = "a"\n', "is no name"),
        ('name = "a"\nurl = "ftp://lists.example/a"\n', "no http or https address"),
        ('name = "a"\nurl = "https:///a"\n', "no http or https address"),
        ('name = "a"\nurl = "https://lists.example:99999/a"\n', "no http or https address"),
        ('name = "a"\nurl = "user:secret@lists.example/a"\n', "no http or https address"),
        ('name = "a"\nurl = "https://user:secret@lists.example:x/a"\n', "no http or https address"),
        ('name = "a"\nfile = "a"\n[[lists]]\nname = "a"\nfile = "b"\n', "two lists have the name 'a'"),
        ("name = \n", "not TOML"),
    ],
)
def test_a_broken_table_of_lists_is_refused(tmp_path, table, said):
    """A missing file, a path out of the folder, unknown words and broken TOML are each one line, which shows
    no password."""
    (tmp_path / "sources.toml").write_text("[[lists]]\n" + table)
    with pytest.raises(ListError, match=said) as caught:
        read_sources(tmp_path)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_folder_without_a_table_is_refused(tmp_path):
    """A folder without `sources.toml` says so."""
    with pytest.raises(ListError, match=r"sources\.toml"):
        read_sources(tmp_path)


def test_the_line_of_a_broken_table_is_named(tmp_path):
    """The message names the line on which the table begins."""
    (tmp_path / "sources.toml").write_text(
        '[update]\nhold_share = 0.2\n\n[[lists]]\nname = "a"\nfile = "a"\n[[lists]]\nname = "b"\n'
    )
    with pytest.raises(ListError, match=r"sources\.toml:7: list 2: "):
        read_sources(tmp_path)


def test_lists_of_the_catalogue_are_chosen_by_name(tmp_path):
    """`use` takes lists of the catalogue, once each and before one's own; the settings have defaults."""
    (tmp_path / "sources.toml").write_text(
        'use = ["tor-exits", "oisd-nsfw", "tor-exits"]\n[[lists]]\nname = "ours"\nfile = "ours.txt"\n'
    )
    listed, update = read_sources(tmp_path)
    assert [one.name for one in listed] == ["tor-exits", "oisd-nsfw", "ours"]
    assert listed[0].file == "tor-exits.list"
    assert listed[0].format == "addresses"
    assert update.hold_share == HOLD_SHARE == 0.10


def test_a_list_that_the_catalogue_does_not_have(tmp_path):
    """An unknown name of the catalogue is refused and the command that prints them is named."""
    (tmp_path / "sources.toml").write_text('use = ["everything"]\n')
    with pytest.raises(
        ListError, match=r"no list 'everything' in the catalogue; see `spanwatch lists known`"
    ):
        read_sources(tmp_path)


def test_two_lists_never_write_one_file(tmp_path):
    """Two lists may read one file, but none may be fetched over another's."""
    table = '[[lists]]\nname = "{}"\nfile = "a.txt"\n'
    (tmp_path / "sources.toml").write_text(table.format("a") + table.format("b"))
    assert len(read_sources(tmp_path)[0]) == 2
    (tmp_path / "sources.toml").write_text(
        table.format("a") + table.format("b") + 'url = "https://lists.example/b"\n'
    )
    with pytest.raises(ListError, match=r"two lists have the file 'a\.txt'"):
        read_sources(tmp_path)


def test_the_catalogue_is_whole():
    """Each known list has an address that is encrypted, a title, a licence, and says what its names carry."""
    known = catalogue()
    assert len(known) > 20
    for listed in known.values():
        assert listed.url.startswith("https://"), listed.name
        assert listed.title, listed.name
        assert listed.licence, listed.name
        assert bool(listed.categories) != (listed.format in MAPPINGS), listed.name
        assert bool(listed.ports) <= (listed.format == "addresses"), listed.name
        assert not taxonomy.mask_of(listed.categories) & taxonomy.WITHHELD_MASK, listed.name
