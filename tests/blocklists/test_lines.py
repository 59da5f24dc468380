"""Formats in which every line stands for itself."""

from blocklists.entries import Entry, Problem
from tests.blocklists.read_text import names, problems, read


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


def test_addresses():
    """Addresses and networks of both families; a large part of the Internet is held."""
    text = "10.0.0.1 # one\n2001:db8::/48\n\n0.0.0.0/0\nexample.org\n"
    found = [item for item in read("addresses", text) if isinstance(item, Entry)]
    assert [str(entry.network) for entry in found] == ["10.0.0.1/32", "2001:db8::/48"]
    assert problems("addresses", text) == [(4, "held"), (5, "refused")]


def test_names_beside_a_bad_one_are_kept():
    """One bad name on a line is refused, the others of the line are not lost."""
    text = "0.0.0.0 a.example.org b..example.org c.example.org\n"
    assert names("hosts", text) == [(1, "a.example.org"), (1, "c.example.org")]
    assert problems("hosts", text) == [(1, "refused")]


def test_comments_in_another_encoding_do_no_harm():
    """Latin-1 in a comment is not looked at; in a name it is refused, since it may be several names."""
    text = b"# caf\xe9\nexample.org # \xe9t\xe9\ncaf\xe9.example.org\n"
    assert names("domains", text) == [(2, "example.org")]
    (problem,) = [item for item in read("domains", text) if isinstance(item, Problem)]
    assert (problem.line, problem.kind) == (3, "refused")
    assert "UTF-8" in problem.what


def test_utf_16_says_what_to_do():
    """A list saved as UTF-16 is refused in its first line with the mend."""
    first = read("domains", "example.org\n".encode("utf-16"))[0]
    assert "UTF-16" in first.what
    assert "UTF-8" in first.mend


def test_tor_exits():
    """The Tor project's exit lists and plain ones; what else they say of a relay is no entry."""
    text = "@type tordnsel 1.0\nDownloaded 2026-01-01 00:00:00\nExitNode 0011BD2485AD45D984EC\n"
    text += "Published 2026-01-01 00:00:00\nLastStatus 2026-01-01 00:00:00\n"
    text += "ExitAddress 10.7.0.1 2026-01-01 00:00:00\n10.7.0.2\n2001:db8::1\nnonsense\nExitAddress \n"
    found = [(i.line, str(i.network)) for i in read("tor_exits", text) if isinstance(i, Entry)]
    assert found == [(6, "10.7.0.1/32"), (7, "10.7.0.2/32"), (8, "2001:db8::1/128")]
    assert problems("tor_exits", text) == [(9, "refused"), (10, "refused")]


def test_operators_are_no_addresses():
    """A list of AS numbers is understood and lists nothing."""
    assert problems("addresses", "AS64500 # somebody\n10.1.0.0/16 ; network\n") == [(1, "skipped")]


def test_dnsmasq_for_all_names_lists_nobody():
    """`address=/#/` and lines without a name say nothing about one."""
    text = "address=/#/10.0.0.1\naddress=//\nserver=/*.example.org/\naddress=/a*b.example.org/\n"
    text += "local=/example.net/ # why\naddress=/example.com/\n"
    assert names("dnsmasq", text) == [(3, "example.org"), (5, "example.net"), (6, "example.com")]
    assert problems("dnsmasq", text) == [(1, "skipped"), (2, "skipped"), (4, "skipped")]
