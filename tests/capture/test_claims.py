"""tshark's statements of captures of one's own are those that the sensor is compared with."""

import shutil

import dpkt
import pytest

from benchmarks.agreement import run
from benchmarks.claims import write
from tests.capture.packets import (
    ACK,
    CLIENT_MAC,
    QUIC_INITIAL,
    T0,
    client_hello,
    dns,
    ethernet,
    mac,
    tcp,
    udp,
)

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed"),
]


def test_what_tshark_states_of_a_capture_the_sensor_states(tmp_path):
    """A hello in two segments, one of QUIC, a request, a question, ARP: each is stated, and found."""
    hello = client_hello(b"split.example")
    arp = b"\0\1\x08\0\6\4\0\1" + mac(CLIENT_MAC) + b"\x0a\1\2\3" + bytes(6) + b"\x0a\1\0\1"
    capture = tmp_path / "pcap" / "some" / "names.pcap"
    capture.parent.mkdir(parents=True)
    with capture.open("wb") as file:
        writer = dpkt.pcap.Writer(file)
        for number, frame in enumerate([
            tcp(ACK, 5, 5, hello[:60], ident=1),
            tcp(ACK, 65, 5, hello[60:], ident=2),
            udp(QUIC_INITIAL, 50_001, 443, ident=3),
            tcp(ACK, 5, 5, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", dport=80, ident=4),
            udp(dns(7), 50_000, 53, target="10.0.0.53", ident=5),
            ethernet(arp, 0x0806),
        ]):  # fmt: skip
            writer.writepkt(frame, T0 / 1e6 + number)
    assert write(tmp_path) == 5
    report = run(tmp_path, ("sni", "quic_sni", "http", "dns", "arp"))
    assert {kind: (tally.counts, tally.differences) for kind, tally in report.tallies.items()} == {
        kind: ({"found": 1}, []) for kind in ("sni", "quic_sni", "http", "dns", "arp")
    }
