"""Longest-prefix match against the standard library's networks."""

import ipaddress

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.addresses import PrefixTable

MAPPED = b"\0" * 10 + b"\xff\xff"


def packed(address):
    return MAPPED + address.packed if address.version == 4 else address.packed


def network(bits, length):
    """A network of few distinct bits, so that many overlap."""
    value = int.from_bytes(bytes(bits), "big") << 96
    return ipaddress.ip_network((value >> (128 - length) << (128 - length) if length else 0, length))


V6 = st.builds(network, st.lists(st.integers(0, 3), min_size=4, max_size=4), st.integers(0, 40))
V4 = st.builds(
    lambda value, length: ipaddress.ip_network(
        (value >> (32 - length) << (32 - length) if length else 0, length)
    ),
    st.integers(0, 0xFF).map(lambda value: value << 20),
    st.integers(0, 32),
)


@settings(deadline=None)
@given(st.lists(V4 | V6, max_size=15))
def test_agrees_with_the_standard_library(networks):
    """The value of every edge address, and of those beside it, is that of the longest network around it."""
    table = PrefixTable((net, i) for i, net in enumerate(networks))
    asked = []
    for net in networks:
        for edge in (net.network_address, net.broadcast_address):
            for shift in (-1, 0, 1):
                if 0 <= int(edge) + shift < 1 << net.max_prefixlen:
                    asked.append(edge + shift)
    found = table.match(pa.array([packed(a) for a in asked], pa.binary(16))).tolist()
    for address, value in zip(asked, found, strict=True):
        around = []
        for place, net in enumerate(networks):
            if net.version == address.version:
                around += [(net.prefixlen + (96 if net.version == 4 else 0), -place)] * (address in net)
            elif address.version == 4:
                mapped = ipaddress.IPv6Address(packed(address))
                around += [(net.prefixlen, -place)] * (mapped in net)
            elif address.ipv4_mapped is not None:
                around += [(net.prefixlen + 96, -place)] * (address.ipv4_mapped in net)
        assert value == (-max(around)[1] if around else -1)


def test_nulls_slices_and_no_networks():
    """Null is nothing, a slice is answered like the whole, and an empty table knows nothing."""
    table = PrefixTable([(ipaddress.ip_network("10.0.0.0/8"), 3)])
    ten, other = (packed(ipaddress.ip_address(a)) for a in ("10.1.2.3", "11.0.0.0"))
    addresses = pa.array([ten, None, other, ten], pa.binary(16))
    assert table.match(addresses).tolist() == [3, -1, -1, 3]
    assert table.match(addresses.slice(2)).tolist() == [-1, 3]
    assert PrefixTable([]).match(addresses).tolist() == [-1] * 4
