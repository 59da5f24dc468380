"""Response policy zones."""

from blocklists.entries import Entry
from tests.blocklists.read_text import names, problems, read


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
    entries = [item for item in read("rpz", text) if isinstance(item, Entry)]
    assert [(e.line, e.name, e.exact) for e in entries if not e.exception and not e.network] == [
        (5, "example.org", True), (6, "example.org", False), (7, "a.example.net", True),
        (8, "b.example.net", True),
    ]  # fmt: skip
    assert [e.name for e in entries if e.exception] == ["good.example.net"]
    assert [(e.line, str(e.network)) for e in entries if e.network] == [(10, "10.0.0.0/24")]
    assert problems("rpz", text) == [(11, "refused")]


ZONE = """\
$TTL 2h
$ORIGIN rpz.example.
@       IN SOA ns.example. hostmaster.example. (
            2026010101 ; serial
            1h 15m 30d ; refresh, retry, expire
            2h )
        IN NS ns.example.
bad.example.net       CNAME .
*.bad.example.net     CNAME .
        IN TXT "said ; of *.bad.example.net"
inside.example.net.rpz.example. CNAME *.
$ORIGIN org.rpz.example.
relative.example      A 10.0.0.1
fine.example          CNAME rpz-passthru.
old.example           CNAME old.example.org.
slow.example          CNAME rpz-tcp-only.
gone.example          CNAME rpz-drop.
outside.example.com.  CNAME .
$INCLUDE more.zone
$ORIGIN rpz.example.
128.1.zz.db8.2001.rpz-ip CNAME .
48.zz.7.db8.2001.rpz-ip CNAME .
16.0.0.168.192.rpz-ip   CNAME rpz-passthru.
32.1.0.0.10.rpz-client-ip CNAME .
ns.example.net.rpz-nsdname CNAME .
300.0.0.0.10.rpz-ip CNAME .
"""


def test_a_zone_with_origins():
    """Owners are relative to the origin in force; what stands inside the zone is the trigger."""
    found = [item for item in read("rpz", ZONE) if isinstance(item, Entry)]
    assert [(e.line, e.name, e.exact) for e in found if not e.exception and not e.network] == [
        (8, "bad.example.net", True), (9, "bad.example.net", False), (10, "bad.example.net", False),
        (11, "inside.example.net", True), (13, "relative.example.org", True), (17, "gone.example.org", True),
    ]  # fmt: skip
    assert [(e.line, e.name) for e in found if e.exception and not e.network] == [
        (14, "fine.example.org"), (15, "old.example.org"),
    ]  # fmt: skip
    assert [(e.line, str(e.network), e.exception) for e in found if e.network] == [
        (21, "2001:db8::1/128", False), (22, "2001:db8:7::/48", False), (23, "192.168.0.0/16", True),
    ]  # fmt: skip
    assert problems("rpz", ZONE) == [
        (16, "skipped"), (18, "refused"), (19, "skipped"), (24, "skipped"), (25, "skipped"),
        (26, "refused"),
    ]  # fmt: skip


def test_a_parenthesis_that_stays_open_is_bounded():
    """A record that never ends is refused where it begins, and reading goes on behind it."""
    text = "@ SOA a. b. (\n" + "1\n" * 100 + "example.org CNAME .\n"
    first = read("rpz", text)[0]
    assert (first.line, first.kind) == (1, "refused")
    assert names("rpz", text) == [(102, "example.org")]
    assert problems("rpz", "@ SOA a. b. (\n") == [(1, "refused")]


def test_a_zone_dumped_from_the_root():
    """`$ORIGIN .` with the zone's name in full, as servers write their zones."""
    text = "$ORIGIN .\nrpz.example IN SOA a. b. 1 2 3 4 5\n$ORIGIN rpz.example.\nexample.org CNAME .\n"
    assert names("rpz", text) == [(4, "example.org")]
