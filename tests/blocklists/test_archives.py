"""Archives, those that mean harm among them."""

import contextlib
import gzip
import io
import os
import random
import tarfile
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocklists import archives, packed
from blocklists.archives import Member, is_archive, members
from blocklists.entries import BrokenListError, Problem
from blocklists.packed import opened
from tests.blocklists.lists_made import TREE, folder, tar, zipped


def write(tmp_path, content):
    path = tmp_path / "list"
    path.write_bytes(content)
    return path


def contents(path):
    return {
        item.name: item.stream.read() for item in members(path) if isinstance(item, Member) and item.stream
    }


def refused(path):
    return {item.member: item.what for item in members(path) if isinstance(item, Problem)}


_part = st.text("abcdefgh-_.é", min_size=1, max_size=70).filter(lambda part: part.strip(".") != "")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.lists(_part, min_size=1, max_size=4).map("/".join), st.binary(max_size=1_500), max_size=5
    ),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_tar_archives_read_as_the_standard_library_reads_them(tmp_path, files, form):
    """Names of any length and contents of any size come out as they went in."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    path = write(tmp_path, out.getvalue())
    if files:
        assert contents(path) == files


def test_members_not_read_to_their_end_are_skipped(tmp_path):
    """A reader that stops in the middle of a member still gets the next one whole."""
    path = write(tmp_path, tar({"a": b"x" * 100_000, "b": b"whole"}))
    read = [item.stream.read(10 if item.name == "a" else -1) for item in members(path)]
    assert read == [b"x" * 10, b"whole"]


def test_names_that_lead_out_are_refused(tmp_path):
    """`..`, absolute paths, drives and control characters are refused by name; the rest is read."""
    files = {
        "../up": b"1",
        "/etc/x": b"1",
        "a/../../b": b"1",
        "C:/x": b"1",
        "a\\b": b"1",
        "a\nb": b"1",
        "ok": b"2",
    }
    for content in (tar(files, mode="w"), zipped(files)):
        path = write(tmp_path, content)
        assert contents(path)["ok"] == b"2"
        assert len(refused(path)) >= 5
        assert not {"../up", "/etc/x", "a/../../b"} & set(contents(path))


def test_links_and_devices(tmp_path):
    """Links out of the archive and devices are refused, links inside it are links."""
    made = []
    for name, kind, target in [
        ("passwd", tarfile.SYMTYPE, "/etc/passwd"), ("up", tarfile.SYMTYPE, "../../x"),
        ("hard", tarfile.LNKTYPE, "../x"), ("twin", tarfile.SYMTYPE, "ok"), ("same", tarfile.LNKTYPE, "d/ok"),
        ("null", tarfile.CHRTYPE, ""), ("pipe", tarfile.FIFOTYPE, ""), ("dir", tarfile.DIRTYPE, ""),
    ]:  # fmt: skip
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        made.append(info)
    path = write(tmp_path, tar({"ok": b"1"}, entries=made))
    assert set(refused(path)) == {"passwd", "up", "hard", "null", "pipe"}
    links = {item.name: item.link for item in members(path) if isinstance(item, Member) and item.link}
    assert links == {"twin": "ok", "same": "d/ok"}


def test_a_folder_with_links_and_pipes(tmp_path):
    """A folder's links are not followed, a pipe in it is not waited for."""
    tree = folder(tmp_path / "tree", {"a/domains": b"x"}, {"b": "a", "out": "/etc"})
    os.mkfifo(tree / "pipe")
    assert contents(tree) == {"a/domains": b"x"}
    assert set(refused(tree)) == {"out", "pipe"}
    with pytest.raises(BrokenListError, match="neither a file nor a folder"), opened(tree / "pipe"):
        pass


def test_a_bomb_in_an_archive(tmp_path):
    """The same for members of archives, and for many of them together."""
    for content in (zipped({"a": b"\0" * (64 << 20)}), tar({"a": b"\0" * (64 << 20)})):
        with pytest.raises(BrokenListError, match="200 times its size"):
            contents(write(tmp_path, content))
    many = zipped({f"{i}": b"\0" * (4 << 20) for i in range(8)})
    with pytest.raises(BrokenListError, match="200 times its size"):
        contents(write(tmp_path, many))


def test_too_much_is_stopped_by_its_sum(tmp_path, monkeypatch):
    """What unpacks to more than any list is refused, however well it packs."""
    for room in (archives, packed):
        monkeypatch.setattr(room, "MAX_UNPACKED", 100_000)
    text = random.Random(1).randbytes(200_000)
    for content in (
        tar({"a": text[:60_000], "b": text[:60_000]}),
        zipped({"a": text[:60_000], "b": text[:60_000]}),
    ):
        path = write(tmp_path, content)
        with pytest.raises(BrokenListError, match="unpacks to more than"):
            contents(path)


@pytest.mark.slow
def test_a_million_members(tmp_path):
    """An archive of nothing but members is refused in bounded memory, in every form."""
    one = tar({"a": b""}, mode="w")[:512]
    info = tarfile.TarInfo("a" * 200)
    long = info.tobuf(tarfile.GNU_FORMAT)[:1024]
    for content in (one * 1_000_000, long * 200_000):
        path = write(tmp_path, gzip.compress(content, 1))
        tracemalloc.start()
        with pytest.raises(BrokenListError, match=r"20,000 files|times its size"):
            contents(path)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
        tracemalloc.stop()


def test_a_zip_with_an_endless_directory(tmp_path):
    """A directory that would take more memory than any list's is not read."""
    made = bytearray(zipped({"a": b"1"}))
    at = made.rfind(b"PK\x05\x06")
    made[at + 12 : at + 16] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(BrokenListError, match="20,000 files"):
        contents(write(tmp_path, bytes(made)))


def test_a_header_larger_than_any_name(tmp_path):
    """A pax header of a gigabyte is refused by its size, before a byte of it is read."""
    info = tarfile.TarInfo("x")
    info.type, info.size = b"x", 1 << 30
    with pytest.raises(BrokenListError, match="64 KiB"):
        contents(write(tmp_path, info.tobuf(tarfile.USTAR_FORMAT)))


def test_packed_twice(tmp_path):
    """A packed file in a packed file, and a zip in one, are refused with the mend."""
    for inner in (gzip.compress(b"example.org\n"), zipped({"a": b"1"})):
        path = write(tmp_path, gzip.compress(inner))
        with pytest.raises(BrokenListError, match="packed twice"):
            list(members(path))


@pytest.mark.parametrize(
    "content", [b"", b"example.org\n", b"PK", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"]
)
def test_what_is_no_archive_says_so(tmp_path, content):
    """Plain text and bare beginnings of packed files are one clear error each."""
    with pytest.raises(BrokenListError, match=r"neither an archive|damaged"):
        contents(write(tmp_path, content))


@pytest.mark.parametrize("pack", [lambda: tar(TREE, mode="w"), lambda: tar(TREE), lambda: zipped(TREE)])
def test_a_damaged_archive_is_an_error_of_its_own(tmp_path, pack):
    """Cut or changed anywhere, an archive gives members, problems and one kind of error."""
    whole = pack()
    dice = random.Random(7)
    for _ in range(300):
        bad = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            bad[dice.randrange(len(bad))] = dice.randrange(256)
        cut = bytes(bad[: dice.randint(0, len(bad))]) if dice.random() < 0.3 else bytes(bad)
        path = write(tmp_path, cut)
        with contextlib.suppress(BrokenListError):
            contents(path)


def test_an_archive_is_told_without_reading_it(tmp_path):
    """Asking leaves the stream where it was."""
    for content, known in ((tar(TREE), True), (zipped(TREE), True), (b"example.org\n" * 100, False)):
        with opened(write(tmp_path, content)) as stream:
            assert is_archive(stream) == known
            assert stream.read(4) == (content[:4] if content[:2] != b"\x1f\x8b" else b"blac")
