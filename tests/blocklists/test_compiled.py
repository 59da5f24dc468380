"""The compiled file: atomic, checked, mapped."""

import fcntl
import os

import numpy as np
import pytest

from blocklists import compiled

HEADER = {"names": 3}
FIRST, SECOND = "0123456789abcdef", "fedcba9876543210"
SECTIONS = {
    "a": np.arange(1_000, dtype=np.uint32),
    "empty": np.zeros(0, np.uint8),
    "b": np.array([7, 8, 9], np.uint16),
}


@pytest.fixture
def path(tmp_path):
    compiled.write(tmp_path / "compiled", HEADER, SECTIONS, FIRST)
    return tmp_path / "compiled"


def test_what_is_written_is_read(path):
    """Header, arrays of every length and the version come back; the arrays can't be written to."""
    header, sections, version = compiled.read(path)
    assert (header["names"], version) == (3, FIRST)
    for name, array in SECTIONS.items():
        assert sections[name].dtype == array.dtype
        assert sections[name].tolist() == array.tolist()
        assert not sections[name].flags.writeable
    assert os.listdir(path.parent) == ["compiled"]


@pytest.mark.parametrize("place", [0, 5, 20, 45, 300, -1])
def test_a_changed_byte_is_found(path, place):
    """One changed byte anywhere is found before anything is answered."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0x40
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="compile the lists again"):
        compiled.read(path)


@pytest.mark.parametrize("size", [0, 7, 39, 41, 200])
def test_a_cut_file_is_found(path, size):
    """A file cut short at any place is refused."""
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="compile the lists again"):
        compiled.read(path)


def test_what_a_crash_left_is_removed(path):
    """The next writer removes unfinished files that nobody holds, and no others."""
    left, held, other = (path.with_name(n) for n in ("compiled.1.part", "compiled.2.part", "another.1.part"))
    for file in (left, held, other):
        file.write_bytes(b"half")
    with open(held, "rb") as holding:
        fcntl.flock(holding, fcntl.LOCK_EX)
        compiled.write(path, HEADER, SECTIONS, SECOND)
    assert sorted(os.listdir(path.parent)) == ["another.1.part", "compiled", "compiled.2.part"]


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    """Where writing fails, the file in force and the folder stay as they were."""
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        compiled.write(path, HEADER, SECTIONS, SECOND)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["compiled"]


def test_an_open_file_outlives_its_replacement(path):
    """Arrays stay readable after another file has taken the place of theirs."""
    _, sections, _ = compiled.read(path)
    compiled.write(path, HEADER, {"a": np.zeros(1, np.uint8)}, SECOND)
    assert sections["a"].sum() == SECTIONS["a"].sum()
    assert compiled.read(path)[2] == SECOND


def test_version_is_of_the_content():
    """Another header or array gives another version; the same give the same."""
    first = compiled.version_of(HEADER, SECTIONS)
    assert compiled.version_of(dict(HEADER), dict(SECTIONS)) == first
    assert compiled.version_of({**HEADER, "names": 4}, SECTIONS) != first
    assert compiled.version_of(HEADER, {**SECTIONS, "b": np.array([7, 8, 8], np.uint16)}) != first


def test_the_version_is_told_from_the_first_bytes(path):
    """The version can be asked without reading the file; no file, a cut one or another has none."""
    assert compiled.version_in(path) == FIRST
    path.write_bytes(path.read_bytes()[:40])
    assert compiled.version_in(path) == ""
    path.write_bytes(b"something else, and long enough to hold a version" * 2)
    assert compiled.version_in(path) == ""
    path.unlink()
    assert compiled.version_in(path) == ""


def test_a_file_of_another_version_is_refused(path):
    """A file that an older program wrote is told apart by its first bytes, whole as it may be."""
    path.write_bytes(b"SPANLST2" + path.read_bytes()[8:])
    with pytest.raises(ValueError, match="no compiled list of this version"):
        compiled.read(path)
    assert compiled.version_in(path) == ""
