"""List formats: what a line gives, and that no bytes make a reader fail."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.entries import MAX_LINE, Entry, Problem
from blocklists.formats import FORMATS
from tests.blocklists.read_text import problems, read

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


MADE = {
    "domains": "example.org\n# c\na.example.net # why\nbücher.example\n10.0.0.1\n",
    "hosts": "127.0.0.1 localhost\n0.0.0.0 a.example.org b.example.org # c\n::1 c.example.net\n",
    "wildcard": "*.example.org\nexample.net\nad*.example.com\n",
    "adblock": "[Adblock]\n! c\n||a.example.org^$third-party\n@@||b.example.org^\n|c.example.org^\nx##.y\n",
    "dnsmasq": "address=/example.org/#\nserver=/a.example.net/b.example.net/#\nlocal=/c.example.net/\n",
    "rpz": "$ORIGIN z.\n@ SOA a. b. ( 1\n 2 3 4 5 )\n NS a.\n*.a.org CNAME .\n24.0.0.0.10.rpz-ip CNAME .\n",
    "services": "One Two\ta.example.org b.example.org\nThree\tc.example.org\tgames,chat\n",
    "csv": 'domain;category\n"a.example.org";games\nb.example.org;"x\ny"\n',
    "addresses": "10.0.0.0/8 ; c\n2001:db8::/32 # c\nAS64500\n",
    "tor_exits": "ExitNode AA\nPublished 2026-01-01 00:00:00\nExitAddress 10.0.0.1 2026-01-01 00:00:00\n",
    "doh": "https://dns.example.org/q{?dns}\n| a | URL |\n|---|---|\n| x | https://d.a.org |\nsdns://AA\n",
    "adguard_services": '[{"id": "a",\n"name": "A", "rules": ["||a.example.org^",\n"@@||b.a.org^"]}]\n',
}


def test_every_format_has_a_made_list():
    """The lists that are damaged below are all of them good, and there is one of each format."""
    assert set(MADE) == set(FORMATS)
    for name, text in MADE.items():
        assert any(isinstance(item, Entry) for item in read(name, text)), name


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_lists_end_in_entries_and_problems(name):
    """Bytes changed, cut out, doubled and moved between good lists never make a reader fail."""
    dice = random.Random(name)
    seeds = [text.encode() for text in MADE.values()]
    whole = MADE[name].encode()
    for _ in range(400):
        bad = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            at, size = dice.randrange(len(bad) + 1), dice.randint(0, 12)
            other = dice.choice(seeds)
            piece = dice.choice(
                [b"", bytes([dice.randrange(256)]), bytes(bad[at : at + size]) * 3, other[at : at + size],
                 b"\n", b'"', b"(", b"|" * size, b"." * size, b"\xff\xfe"]
            )  # fmt: skip
            bad[at : at + dice.randint(0, size)] = piece
        content = bytes(bad)
        last = content.count(b"\n") + 1
        for item in read(name, content):
            assert 1 <= item.line <= last
            assert isinstance(item, Entry | Problem)
            assert item.kind in ("refused", "held", "skipped") if isinstance(item, Problem) else True
