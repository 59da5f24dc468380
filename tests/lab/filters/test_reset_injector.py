"""The reset injector: what it forges, whom it leaves alone, and where it refuses to run."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys

import dpkt
import pytest

from tests.lab.filters.reset_injector import ACK, SYN, Injector, Packet, checksum
from tests.lab.filters.test_client_hello import hello
from tests.lab.network import ROOT

CLIENT, SERVER = ("10.20.1.1", 40_000), ("198.51.100.10", 443)
ISN, SERVERS_ISN = 0xFFFF_FF00, 77  # the client's wraps within its hello


def packet(
    source: tuple[str, int],
    target: tuple[str, int],
    flags: int,
    sequence: int,
    payload: bytes = b"",
    ttl: int = 64,
) -> Packet:
    """A TCP packet, IPv4 or IPv6 by its addresses."""
    tcp = struct.pack(
        "!HHIIBBHHH", source[1], target[1], sequence % 2**32, SERVERS_ISN + 1, 5 << 4, flags, 1, 0, 0
    )
    if ":" in source[0]:
        addresses = b"".join(socket.inet_pton(socket.AF_INET6, host) for host, _ in (source, target))
        return Packet(struct.pack("!IHBB", 6 << 28, len(tcp + payload), 6, ttl) + addresses + tcp + payload)
    addresses = b"".join(socket.inet_aton(host) for host, _ in (source, target))
    head = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0, ttl, 6, 0)
    return Packet(head + addresses + tcp + payload)


def handshake(injector: Injector, client: tuple[str, int], server: tuple[str, int]) -> None:
    """SYN and SYN-ACK, which nothing answers."""
    assert injector.see(packet(client, server, SYN, ISN)) == []
    assert injector.see(packet(server, client, SYN | ACK, SERVERS_ISN, ttl=52)) == []


@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER), (("2001:db8::1", 4), ("2001:db8::2", 443))])
def test_a_forbidden_name_is_reset_on_both_sides(client: tuple[str, int], server: tuple[str, int]) -> None:
    """Each side gets a reset in the other's name with the next sequence number and right checksums."""
    injector = Injector(("chatter.example",), None, 1)
    handshake(injector, client, server)
    first = hello("one.chatter.example")
    forged = injector.see(packet(client, server, ACK, ISN + 1, first))
    kind = dpkt.ip6.IP6 if ":" in client[0] else dpkt.ip.IP
    to_client, to_server = (kind(data) for data in forged)
    end = (ISN + 1 + len(first)) % 2**32
    assert (to_client.data.sport, to_client.data.dport) == (server[1], client[1])
    assert (to_client.data.seq, to_client.data.ack) == (SERVERS_ISN + 1, end)
    assert (to_server.data.sport, to_server.data.seq) == (client[1], end)
    ttl = [each.hlim if ":" in client[0] else each.ttl for each in (to_client, to_server)]
    assert ttl == [52, 64]
    for data, each in zip(forged, (to_client, to_server), strict=True):
        pseudo = each.src + each.dst + struct.pack("!II", 20, socket.IPPROTO_TCP)
        assert checksum(pseudo + data[-20:]) == 0
        assert ":" in client[0] or checksum(data[:20]) == 0
    assert injector.see(packet(client, server, ACK, ISN + 1, first)) == []


def test_a_name_in_two_packets_is_found() -> None:
    """A client hello that spans segments is read when its last byte is there."""
    injector = Injector(("chatter.example",), 64, 3)
    handshake(injector, CLIENT, SERVER)
    first = hello("one.chatter.example")
    assert injector.see(packet(CLIENT, SERVER, ACK, ISN + 1, first[:100])) == []
    assert injector.see(packet(CLIENT, SERVER, ACK, ISN + 1 + 200, first[200:])) == []
    assert len(injector.see(packet(CLIENT, SERVER, ACK, ISN + 101, first[100:]))) == 6


def test_other_names_pass() -> None:
    """A name that is not forbidden, and a connection whose beginning was not seen, call for nothing."""
    injector = Injector(("chatter.example",), 64, 1)
    handshake(injector, CLIENT, SERVER)
    assert injector.see(packet(CLIENT, SERVER, ACK, ISN + 1, hello("notchatter.example"))) == []
    other = ("10.20.1.2", 4)
    assert injector.see(packet(other, SERVER, ACK, ISN + 1, hello("one.chatter.example"))) == []


def test_it_refuses_to_start_outside_of_a_lab() -> None:
    """In this process's own network it says why it won't run, before it opens anything."""
    command = [sys.executable, "-m", "tests.lab.filters.reset_injector", "lo", "example.org"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "only in a network namespace of the lab" in done.stderr
