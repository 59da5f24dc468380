"""List formats: what a line gives, and that no bytes make a reader fail."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.formats import FORMATS, MAX_LINE, Entry, Problem


def read(name, text):
    content = text if isinstance(text, bytes) else text.encode()
    return list(FORMATS[name](io.BytesIO(content)))


def names(name, text):
    return [
        (item.line, item.name) for item in read(name, text) if isinstance(item, Entry) and not item.exception
    ]


def problems(name, text):
    return [(item.line, item.kind) for item in read(name, text) if isinstance(item, Problem)]


def test_domains():
    """Plain names, with comments, blank lines, Windows line ends and a byte order mark."""
    text = (
        b"\xef\xbb\xbfExample.org\r\n\r\n# comment\n a.example.net # why\n.lead.example.com\nlast.example.com"
    )
    assert names("domains", text) == [
        (1, "example.org"), (4, "a.example.net"), (5, "lead.example.com"), (6, "last.example.com"),
    ]  # fmt: skip
    assert problems("domains", text) == []


def test_addresses_among_names():
    """Addresses in a list of names are networks of one address; the machine's own are skipped."""
    found = read("domains", "10.1.2.3\n2001:db8::7\n127.0.0.1\n::\n999.1.1.1\n")
    assert [str(item.network) for item in found if isinstance(item, Entry)] == [
        "10.1.2.3/32",
        "2001:db8::7/128",
    ]
    assert [(item.line, item.kind) for item in found if isinstance(item, Problem)] == [
        (3, "skipped"), (4, "skipped"), (5, "refused"),
    ]  # fmt: skip


def test_hosts():
    """Names after an address; the machine's own names are skipped, a line without an address refused."""
    text = "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\nfe80::1%lo0 localhost\n0.0.0.0 0.0.0.0\n"
    text += "0.0.0.0 a.example.org b.example.org # two\n# c\nexample.net\n255.255.255.255 broadcasthost\n"
    assert names("hosts", text) == [(5, "a.example.org"), (5, "b.example.org")]
    assert problems("hosts", text) == [
        (1, "skipped"), (2, "skipped"), (3, "skipped"), (4, "skipped"), (7, "refused"), (8, "skipped"),
    ]  # fmt: skip


def test_wildcard():
    """A leading star stands for everything below; a star elsewhere is skipped."""
    text = "*.example.org\nexample.net\nad*.example.com\n*.com\n"
    assert names("wildcard", text) == [(1, "example.org"), (2, "example.net")]
    assert problems("wildcard", text) == [(3, "skipped"), (4, "held")]


def test_adblock():
    """Whole names with and without `^`, and exceptions; rules about parts of pages are skipped."""
    text = """[Adblock Plus 2.0]
! title
||ads.example.org^
||noanchor.example.org
@@||good.example.org^
||third.example.org^$third-party
||some.example.org^$domain=a.example
example.net##.banner
||example.net/path
/regex/
|https://x.example.org
plain.example.org
@@plain-exception.example.org
||ads*.example.org^
||co.uk^
"""
    assert names("adblock", text) == [
        (3, "ads.example.org"), (4, "noanchor.example.org"), (6, "third.example.org"),
        (12, "plain.example.org"),
    ]  # fmt: skip
    exceptions = [item.name for item in read("adblock", text) if isinstance(item, Entry) and item.exception]
    assert exceptions == ["good.example.org"]
    found = problems("adblock", text)
    assert [line for line, kind in found if kind == "skipped"] == [7, 8, 9, 10, 11, 13, 14]
    assert (15, "held") in found


def test_dnsmasq():
    """address, server and local lines name; other options and other resolvers are skipped."""
    text = """# comment
address=/example.org/0.0.0.0
address=/a.example.net/b.example.net/#
local=/c.example.net/
server=/d.example.net/
server=/e.example.net/10.0.0.1
server=/good.example.org/#
server=10.0.0.1
cache-size=100
nonsense
"""
    assert names("dnsmasq", text) == [
        (2, "example.org"), (3, "a.example.net"), (3, "b.example.net"), (4, "c.example.net"),
        (5, "d.example.net"),
    ]  # fmt: skip
    assert [i.name for i in read("dnsmasq", text) if isinstance(i, Entry) and i.exception] == [
        "good.example.org"
    ]
    assert problems("dnsmasq", text) == [(6, "skipped"), (8, "skipped"), (9, "skipped"), (10, "refused")]


def test_rpz():
    """Triggers on names, with a class and a time to live or without; passthru is an exception."""
    text = """$TTL 300
@ IN SOA localhost. root.localhost. 1 2 3 4 5
@ NS localhost.
; comment
example.org CNAME .
*.example.org CNAME .
a.example.net. 60 IN CNAME *.
b.example.net IN A 10.0.0.1
good.example.net CNAME rpz-passthru.
24.0.0.0.10.rpz-ip CNAME .
broken.example.net
"""
    assert names("rpz", text) == [
        (5, "example.org"), (6, "example.org"), (7, "a.example.net"), (8, "b.example.net"),
    ]  # fmt: skip
    assert [i.name for i in read("rpz", text) if isinstance(i, Entry) and i.exception] == ["good.example.net"]
    assert problems("rpz", text) == [(10, "skipped"), (11, "refused")]


def test_services():
    """Service, names and, if not the list's, categories."""
    text = "# head\nOne Two\ta.example.org b.example.org\nThree\tc.example.org\tgames,chat\n"
    text += "bad\nX\td.example.org\tnone\n"
    found = [item for item in read("services", text) if isinstance(item, Entry)]
    assert [(e.name, e.service, e.categories) for e in found] == [
        ("a.example.org", "One Two", ()), ("b.example.org", "One Two", ()),
        ("c.example.org", "Three", ("games", "chat")),
    ]  # fmt: skip
    assert problems("services", text) == [(4, "refused"), (5, "refused")]


def test_csv():
    """With a header its columns are used, without one the name stands first; quotes are honoured."""
    text = 'id,Domain,category\n1,"example.org",games\n2,a.example.org,"games,chat"\n3,b.example.org,none\n'
    found = [item for item in read("csv", text) if isinstance(item, Entry)]
    assert [(e.name, e.categories) for e in found] == [
        ("example.org", ("games",)),
        ("a.example.org", ("games", "chat")),
    ]
    assert problems("csv", text) == [(4, "refused")]
    assert names("csv", "example.org,1\nexample.net,2\n") == [(1, "example.org"), (2, "example.net")]


def test_addresses():
    """Addresses and networks of both families; a large part of the Internet is held."""
    text = "10.0.0.1 # one\n2001:db8::/48\n\n0.0.0.0/0\nexample.org\n"
    found = [item for item in read("addresses", text) if isinstance(item, Entry)]
    assert [str(entry.network) for entry in found] == ["10.0.0.1/32", "2001:db8::/48"]
    assert problems("addresses", text) == [(4, "held"), (5, "refused")]


@pytest.mark.parametrize("name", FORMATS)
def test_long_lines_and_binary_are_refused_with_their_line(name):
    """A line of a megabyte and one with a null byte are problems; others keep their numbers."""
    content = b"# one\n" + b"a" * (1 << 20) + b"\n\0\0\n\xff\xfe\n" + b"b" * (MAX_LINE * 2)
    assert problems(name, content)[:4] == [(2, "refused"), (3, "refused"), (4, "refused"), (5, "refused")]
    of_format = {
        "hosts": "0.0.0.0 example.org",
        "addresses": "10.0.0.0/8",
        "services": "S\texample.org",
        "dnsmasq": "local=/example.org/",
        "rpz": "example.org CNAME .",
    }
    good = of_format.get(name, "example.org")
    after = [
        item.line
        for item in read(name, content[: 6 + (1 << 20) + 1] + good.encode())
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
