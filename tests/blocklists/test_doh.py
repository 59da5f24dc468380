"""Lists of encrypted-DNS servers."""

import io

import pytest

from blocklists.doh import read_doh
from blocklists.entries import Entry


def read(text):
    return list(read_doh(io.BytesIO(text.encode())))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("dns.example.org", "dns.example.org"),
        ("10.0.0.1   # dns.example.org", "10.0.0.1/32"),
        ("2001:db8::1 # dns.example.org", "2001:db8::1/128"),
        ("https://dns.example.org/dns-query{?dns}", "dns.example.org"),
        ("https://dns.example.org:8443/", "dns.example.org"),
        ("https://[2001:db8::2]/dns-query", "2001:db8::2/128"),
        ("tls://dns.example.org", "dns.example.org"),
    ],
)
def test_names_addresses_and_urls(line, found):
    """A line's first word is a name, an address or a URL; of a URL the host counts."""
    (entry,) = read(line)
    assert (entry.name or str(entry.network)) == found


def test_tables_of_a_page():
    """Of a Markdown table the column headed URL counts, not who runs the server."""
    text = """# Servers

| Who runs it | Base URL | Comment |
|---|:--|---|
| [One](https://company.example.org/) | https://dns.example.org/dns-query | see https://docs.example.org |
| Two | https://a.example.net/dns-query<br>https://b.example.net/ | |
| Three | none yet | |

| No | links |
|---|---|
| x | https://dns.example.com |
"""
    found = read(text)
    assert [(e.line, e.name) for e in found if isinstance(e, Entry)] == [
        (5, "dns.example.org"), (6, "a.example.net"), (6, "b.example.net"),
    ]  # fmt: skip
    assert [(p.line, p.kind) for p in found if not isinstance(p, Entry)] == [
        (7, "skipped"), (9, "skipped"), (11, "skipped"),
    ]  # fmt: skip


def test_stamps_and_other_schemes():
    """A DNS stamp is understood and names nothing we read; another scheme is refused."""
    assert [item.kind for item in read("sdns://AgcAAAAAAAAAAA\nftp://example.org/\n")] == [
        "skipped",
        "refused",
    ]
