"""Files of checksums, in the forms that md5sum, sha256sum and BSD's tools write."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.checksums import Checksums, published
from blocklists.fetch import Client, FetchError
from blocklists.sources import UpdateSettings
from tests.blocklists.web import Page, served

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{MD5}  a.tar.gz\n", MD5),
        (f"{SHA256} *a.tar.gz\n", SHA256),
        (f"{'0' * 32}  b.tar.gz\n{MD5.upper()}  ./lists/a.tar.gz\r\n", MD5),
        (f"SHA256 (a.tar.gz) = {SHA256}\n", SHA256),
        (f"{SHA256}\n", SHA256),
        (f"{MD5}  b.tar.gz\n", ""),
        (f"{MD5[:-1]}  a.tar.gz\n", ""),
        (f"{MD5}  a.tar.gz.asc\n", ""),
        ("<html>a.tar.gz</html>", ""),
        ("", ""),
    ],
)
def test_the_sum_of_a_file_is_found(text, expected):
    """Every form gives the sum of the file named, and of no other."""
    assert published(text, "a.tar.gz") == expected


@given(st.text())
def test_any_text_gives_a_sum_or_none(text):
    """Whatever stands there, what comes out has the digits of a sum."""
    assert len(published(text, "a")) in (0, 32, 40, 64, 128)


def test_files_are_compared(tmp_path):
    """A file that has its published sum passes, another is refused, one that isn't named too."""
    body = b"one.example\n"
    (tmp_path / "list").write_bytes(body)
    with served() as web:
        web.pages["/sums"] = Page(f"{hashlib.md5(body).hexdigest()}  a\n{MD5}  b\n")
        sums = Checksums(Client(UpdateSettings(attempts=1)), tmp_path)
        sums.verify(tmp_path / "list", web.url("/sums"), "a")
        with pytest.raises(ValueError, match=r"/sums says d41d8cd98f00b204…; try again later"):
            sums.verify(tmp_path / "list", web.url("/sums"), "b")
        with pytest.raises(ValueError, match=r"/sums: no checksum of c; mend or remove `checksum`"):
            sums.verify(tmp_path / "list", web.url("/sums"), "c")
        assert len(web.asked) == 1
        with pytest.raises(FetchError, match="404"):
            sums.verify(tmp_path / "list", web.url("/none"), "a")
    assert [path.name for path in tmp_path.iterdir()] == ["list"]
