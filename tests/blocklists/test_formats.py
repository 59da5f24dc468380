"""List formats: what a line gives, and that no bytes make a reader fail."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.entries import MAX_LINE, Entry, Problem
from blocklists.formats import FORMATS


def read(name, text):
    content = text if isinstance(text, bytes) else text.encode()
    return list(FORMATS[name](io.BytesIO(content)))


def problems(name, text):
    return [(item.line, item.kind) for item in read(name, text) if isinstance(item, Problem)]


GOOD = {
    "hosts": "0.0.0.0 example.org",
    "addresses": "10.0.0.0/8",
    "services": "S\texample.org",
    "dnsmasq": "local=/example.org/",
    "rpz": "example.org CNAME .",
    "tor_exits": "ExitAddress 10.0.0.1 2026-01-01 00:00:00",
}
#: Read as a whole: one bad byte and it is no JSON.
BY_LINE = [name for name in FORMATS if name != "adguard_services"]


@pytest.mark.parametrize("name", BY_LINE)
def test_long_lines_and_binary_are_refused_with_their_line(name):
    """A line of a megabyte and one with a null byte are problems; others keep their numbers."""
    content = b"\n" + b"a" * (1 << 20) + b"\n\0\0\n\xe9\xff \n" + b"b" * (MAX_LINE * 2)
    assert problems(name, content)[:4] == [(2, "refused"), (3, "refused"), (4, "refused"), (5, "refused")]
    good = GOOD.get(name, "example.org")
    after = [
        item.line
        for item in read(name, content[: 1 + (1 << 20) + 1] + good.encode())
        if isinstance(item, Entry)
    ]
    assert after == [3]


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None)
@given(
    content=st.binary(max_size=400) | st.text(alphabet="a.-|@^/#*=\t, ;1:\n\0é", max_size=200).map(str.encode)
)
def test_no_content_makes_a_reader_fail(name, content):
    """Whatever the bytes, a reader gives entries and problems with lines in rising order."""
    found = read(name, content)
    lines = [item.line for item in found]
    assert lines == sorted(lines)
    assert all(1 <= line <= content.count(b"\n") + 1 for line in lines)
    for item in found:
        if isinstance(item, Entry) and item.network is None:
            assert "." in item.name
            assert item.name == item.name.lower()
