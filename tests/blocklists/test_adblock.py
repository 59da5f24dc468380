"""Adblock rules that are about whole names."""

from blocklists.entries import Entry
from tests.blocklists.read_text import names, problems, read


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
||com^
|alone.example.org^
@@|alone-good.example.org^
||kinds.example.org^$script
||answered.example.org^$dnsrewrite=NXDOMAIN;;
||sent.example.org^$dnsrewrite=10.0.0.1
#https://comment.example.org
0.0.0.0 hosts.example.org
example.net#@#.banner
"""
    assert names("adblock", text) == [
        (3, "ads.example.org"), (4, "noanchor.example.org"), (6, "third.example.org"),
        (12, "plain.example.org"), (16, "alone.example.org"), (19, "answered.example.org"),
        (22, "hosts.example.org"),
    ]  # fmt: skip
    entries = [item for item in read("adblock", text) if isinstance(item, Entry)]
    assert [item.name for item in entries if item.exception] == ["good.example.org", "alone-good.example.org"]
    assert [item.name for item in entries if item.exact] == ["alone.example.org", "alone-good.example.org"]
    found = problems("adblock", text)
    assert [line for line, kind in found if kind == "skipped"] == [7, 8, 9, 10, 11, 13, 14, 18, 20, 23]
    assert (15, "held") in found
