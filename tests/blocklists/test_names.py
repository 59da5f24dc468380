"""Names as lists write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.names import WholeSuffixError, normal_name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        (" example.org\t", "example.org"),
        ("bücher.example.org", "xn--bcher-kva.example.org"),
        ("xn--bcher-kva.example.org", "xn--bcher-kva.example.org"),
        ("BÜCHER.example.org", "xn--bcher-kva.example.org"),
        ("bu\u0308cher.example.org", "xn--bcher-kva.example.org"),
        ("straße.example.org", "xn--strae-oqa.example.org"),
        ("例え。テスト．example", "xn--r8jz45g.xn--zckzah.example"),
        ("☕.example.org", "xn--53h.example.org"),
        ("ｅｘａｍｐｌｅ.org", "example.org"),
        ("_sip.example.org", "_sip.example.org"),
        ("a_b.example.org", "a_b.example.org"),
        ("1.example.org", "1.example.org"),
        ("-a-.example.org", "-a-.example.org"),
        ("example.co.uk", "example.co.uk"),
    ],
)
def test_a_name_has_one_form(written, name):
    """Case, a trailing dot, white space and IDN all lead to the same lower-case ASCII name."""
    assert normal_name(written) == name


@pytest.mark.parametrize("written", ["com", "COM.", "xn--p1ai", "中国"])
def test_a_top_level_domain_is_told_apart(written):
    """A name of one label is a whole top-level domain, not one site's."""
    with pytest.raises(WholeSuffixError):
        normal_name(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "a..b",
        "10.0.0.1",
        "::1",
        "-a.org",
        "a b.org",
        "http://a.org",
        "a.org/x",
        "x" * 64 + ".org",
        "a." * 127 + "org",
    ],
)
def test_what_is_no_name_is_refused(written):
    """Empty, doubled dots, addresses, spaces, URLs and names past the DNS's limits are refused."""
    with pytest.raises(ValueError, match="is"):
        normal_name(written)


def test_a_label_past_the_limit_is_no_suffix():
    """One endless label is no top-level domain, and the message doesn't repeat all of it."""
    with pytest.raises(ValueError, match="is no domain name") as raised:
        normal_name("x" * 3_000)
    assert len(str(raised.value)) < 100


@settings(deadline=None)
@given(st.text(max_size=300))
def test_a_normal_name_stays_itself(written):
    """Whatever is accepted is a fixed point, in ASCII, within the DNS's limits."""
    try:
        name = normal_name(written)
    except ValueError:
        return
    assert normal_name(name) == name
    assert name.isascii()
    assert len(name) <= 253
