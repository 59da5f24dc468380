"""Packed files, those that mean harm among them."""

import bz2
import gzip
import lzma

import pyarrow as pa
import pytest

from blocklists import packed
from blocklists.entries import BrokenListError
from blocklists.packed import opened

TEXT = b"example.org\n" * 10_000


def zstd(content):
    return pa.Codec("zstd").compress(content, asbytes=True)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd])
def test_each_packing_is_known_by_its_first_bytes(tmp_path, pack):
    """Whatever the file is called, what was packed comes out."""
    path = tmp_path / "list.txt"
    path.write_bytes(pack(TEXT))
    with opened(path) as stream:
        assert stream.read() == TEXT


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_parts_behind_each_other_are_one_file(tmp_path, pack):
    """Files that were joined after they had been packed are read to their end."""
    path = tmp_path / "list"
    path.write_bytes(pack(TEXT) + pack(b"last.example\n"))
    with opened(path) as stream:
        assert stream.read() == TEXT + b"last.example\n"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_file_cut_off_is_an_error_of_its_own(tmp_path, pack):
    """The reading ends with what is wrong and how to mend it."""
    path = tmp_path / "list"
    path.write_bytes(pack(TEXT)[:-9])
    with pytest.raises(BrokenListError, match="damaged"), opened(path) as stream:
        stream.read()


def test_a_bomb_is_stopped_by_its_ratio(tmp_path):
    """A file that unpacks to a thousand times its size is refused long before its end."""
    path = tmp_path / "list"
    path.write_bytes(gzip.compress(b"\0" * (64 << 20)))
    with opened(path) as stream:
        with pytest.raises(BrokenListError, match="200 times its size"):
            stream.read()
        # How much of the file is read ahead is the interpreter's affair.
        assert stream.raw._given <= packed.MAX_RATIO * path.stat().st_size + (1 << 20)
