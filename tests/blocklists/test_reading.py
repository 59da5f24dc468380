"""Reading lists from disk, in any packing."""

import bz2
import gzip
import lzma

import pyarrow as pa
import pytest

from blocklists.entries import BrokenListError, Entry, Problem
from blocklists.reading import digest, read_list
from tests.blocklists.lists_made import TREE, folder, tar, zipped

TEXT = b"example.org\nbad..name\nexample.net\n"


def zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_packed_file_is_read_as_it_is(tmp_path, pack):
    """Whatever packs the file, names and lines are those inside."""
    path = tmp_path / "list"
    path.write_bytes(pack(TEXT))
    found = list(read_list(path, "domains"))
    assert [(item.line, getattr(item, "name", "")) for item in found] == [
        (1, "example.org"), (2, ""), (3, "example.net"),
    ]  # fmt: skip


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_packed_file_that_is_cut_off_is_an_error(tmp_path, pack):
    """A download that broke off is not taken for a shorter list."""
    path = tmp_path / "list"
    whole = pack(b"".join(b"name%d.example.org\n" % i for i in range(20_000)))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenListError, match="damaged"):
        list(read_list(path, "domains"))


def test_a_file_in_an_archive(tmp_path):
    """An archive of one file is that file; of several, `part` names one."""
    path = tmp_path / "x.zip"
    path.write_bytes(zipped({"hosts": b"0.0.0.0 example.org\n"}))
    assert [(e.name, e.member) for e in read_list(path, "hosts")] == [("example.org", "hosts")]
    path.write_bytes(zipped({"a": b"0.0.0.0 example.org\n", "b": b"0.0.0.0 example.net\n"}))
    assert [e.name for e in read_list(path, "hosts", part="b")] == ["example.net"]
    with pytest.raises(BrokenListError, match="several files"):
        list(read_list(path, "hosts"))
    with pytest.raises(BrokenListError, match="no file 'c'"):
        list(read_list(path, "hosts", part="c"))


def test_public_suffixes_are_held(tmp_path):
    """Registries' suffixes and shared hosts are held with the reason; the names below are not."""
    path = tmp_path / "list"
    path.write_text("com\nco.uk\ngithub.io\nme.github.io\nwww.ck\nfoo.ck\n")
    found = list(read_list(path, "domains", categories=("adult",)))
    assert [e.name for e in found if isinstance(e, Entry)] == ["me.github.io", "www.ck"]
    held = {p.line: p.what for p in found if isinstance(p, Problem)}
    assert set(held) == {1, 2, 3, 6}
    assert "registers" in held[2]
    assert "customer" in held[3]


def test_shared_names_are_what_dynamic_dns_means(tmp_path):
    """For a category of shared names they are entries; a registry's suffix is held all the same."""
    path = tmp_path / "list"
    path.write_text("duckdns.org\nco.uk\n")
    found = list(read_list(path, "domains", categories=("dynamic_dns",)))
    assert [getattr(item, "name", item[1]) for item in found] == ["duckdns.org", "held"]


def test_a_name_alone_may_be_a_suffix(tmp_path):
    """A rule for the name alone lists nobody below it."""
    path = tmp_path / "list"
    path.write_text("|github.io^\n||github.io^\n")
    assert [getattr(item, "exact", item[1]) for item in read_list(path, "adblock")] == [True, "held"]


def test_exceptions_alone_are_no_list(tmp_path):
    """A list that only takes names out is refused, unless that is what it is for."""
    path = tmp_path / "list"
    path.write_text("@@||example.org^\n")
    with pytest.raises(BrokenListError, match="1 exceptions, and nothing listed"):
        list(read_list(path, "adblock", categories=("adult",)))
    assert len(list(read_list(path, "adblock", categories=("adult",), allow=True))) == 1


def test_categories_of_another_taxonomy(tmp_path):
    """A column of categories is mapped; what the mapping doesn't know is told with its line."""
    path = tmp_path / "list.csv"
    path.write_text(
        "domain,category\na.example.org,tiktok\nb.example.org,nothing such\n"
        "c.example.org,privacy\nd.example.org,\n"
    )
    found = list(read_list(path, "csv", mapping="adguard", categories=("games",)))
    assert [(e.name, e.categories, e.service) for e in found if isinstance(e, Entry)] == [
        ("a.example.org", ("social_media",), "TikTok"), ("d.example.org", (), ""),
    ]  # fmt: skip
    assert [(p.line, p.kind) for p in found if isinstance(p, Problem)] == [(3, "unmapped"), (4, "skipped")]


def test_part_needs_an_archive(tmp_path):
    """A part of a plain file, or a folder for a format of one file, is an error with the mend."""
    path = tmp_path / "list"
    path.write_bytes(TEXT)
    with pytest.raises(BrokenListError, match="no archive"):
        list(read_list(path, "domains", part="x"))
    with pytest.raises(BrokenListError, match="neither an archive nor a folder"):
        list(read_list(path, "squidguard"))


def test_digest(tmp_path):
    """A file's digest is of its bytes; a folder's changes with any name or content in it."""
    path = tmp_path / "list"
    path.write_bytes(TEXT)
    assert len(digest(path)) == 64
    tree = folder(tmp_path / "tree", TREE)
    before = digest(tree)
    assert before == digest(tree)
    (tree / "blacklists/adult/domains").write_bytes(b"x.example.org\n")
    assert digest(tree) != before
    (tmp_path / "y").write_bytes(tar(TREE))
    assert digest(tmp_path / "y") != before
