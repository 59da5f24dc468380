"""Ways around the filter."""

import pytest

HOST = "10.20.0.66"


@pytest.mark.parametrize(("delivered", "tried", "word"), [(1, 0, "reached"), (0, 5, "tried"), (0, 4, None)])
def test_circumvention_endpoint(scribe, delivered, tried, word):
    """One delivered attempt at a VPN, proxy, Tor or DoH name, or five in vain."""
    for number in range(delivered):
        scribe.named(number, HOST, "203.0.113.1", f"vpn{number}.example", categories=["vpn"])
    for number in range(tried):
        scribe.dns(number, HOST, f"vpn{number}.example", "0.0.0.0", categories=["vpn"])
    findings = scribe.detect("circumvention_endpoint")
    assert len(findings) == (1 if word else 0)
    if word:
        assert f" {word} " in findings[0]["statement"]


@pytest.mark.parametrize(
    ("server", "values", "found"),
    [
        ("203.0.113.5", {"application": "wireguard", "protocol": 17}, 1),
        ("203.0.113.5", {"application": "softether"}, 1),
        ("203.0.113.5", {"application": "http", "http_method": "CONNECT", "name_source": "sni"}, 1),
        ("203.0.113.5", {"application": "tls", "port": 853}, 1),
        ("203.0.113.5", {"application": "tls"}, 0),
        ("198.51.100.7", {"application": "openvpn"}, 0),
        ("10.10.0.9", {"application": "ipsec"}, 0),
        ("203.0.113.5", {"application": "tor", "packets_down": 1}, 0),
    ],
)
def test_circumvention_protocol(scribe, server, values, found):
    """Tunnels to outside end points that are not the organisation's own, and were answered."""
    scribe.flow(0, HOST, server, **values)
    assert len(scribe.detect("circumvention_protocol")) == found
