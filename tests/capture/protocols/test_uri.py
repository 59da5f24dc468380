"""The host that a URI names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.protocols.uri import authority, host_of

pytestmark = pytest.mark.uncompiled


def host(uri: bytes) -> bytes:
    """What `authority` finds."""
    first, stop = authority(np.frombuffer(uri, np.uint8), 0, len(uri))
    return uri[first:stop]


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        (b"http://a.example/x", b"a.example"),
        (b"//a.example?x", b"a.example"),
        (b"ws+v2.x://user@b@a.example:80#x", b"a.example"),
        (b"https://[2001:db8::1]:443/", b"[2001:db8::1]"),
        (b"http://a.example with more", b"a.example"),
        (b"a.example/x", b""),
        (b"/x//a.example", b""),
        (b"mailto:me@a.example", b""),
        (b"http:/", b""),
        (b"", b""),
    ],
)
def test_authorities(uri: bytes, named: bytes) -> None:
    """Scheme, user, port, path and query are left out; what has no authority names no host."""
    assert host(uri) == named


@pytest.mark.parametrize(
    ("uri", "named"), [(b"http://[fe80::1]:8/", b"fe80::1"), (b"http://[fe80::1", b"fe80::1"), (b"//a", b"a")]
)
def test_hosts_without_brackets(uri: bytes, named: bytes) -> None:
    """An address of IPv6 stands without its brackets."""
    first, stop = host_of(np.frombuffer(uri, np.uint8), 0, len(uri))
    assert uri[first:stop] == named


@given(st.binary(max_size=40))
def test_any_bytes_name_a_part_of_them(data: bytes) -> None:
    """Whatever the bytes are, the host lies within them."""
    for read in (authority, host_of):
        first, stop = read(np.frombuffer(b"ab" + data + b"ab", np.uint8), 2, 2 + len(data))
        assert 2 <= first <= stop <= 2 + len(data)
