"""The line to the internet: steady distances, whichever way a packet goes."""

from __future__ import annotations

import socket
import threading
import time

import dpkt
import pytest

from tests.lab import distance

SERVER, HOST = bytes([198, 51, 100, 30]), bytes([10, 20, 0, 11])


def packet(source: bytes, destination: bytes) -> bytes:
    """An IPv4 packet with a little in it."""
    return bytes(dpkt.ip.IP(src=source, dst=destination, p=17, data=b"12345678"))


def test_there_and_back_are_the_same_distance() -> None:
    """The outside address decides, not the direction; it is within the bounds."""
    out = distance.outside_address(packet(HOST, SERVER), outwards=True)
    back = distance.outside_address(packet(SERVER, HOST), outwards=False)
    assert out == back == SERVER
    assert distance.NEAREST_S <= distance.distance(SERVER) < distance.FARTHEST_S


def test_ipv6_is_measured_by_its_server() -> None:
    """The outside address of an IPv6 packet is its sixteen bytes."""
    source, server = bytes(range(16)), bytes(range(16, 32))
    text = bytes(dpkt.ip6.IP6(src=source, dst=server, nxt=17, plen=8, data=b"12345678"))
    assert distance.outside_address(text, outwards=True) == server


@pytest.mark.parametrize("outwards", [True, False])
def test_packets_arrive_in_order_after_their_time(outwards: bool) -> None:
    """Three packets come out of the other side in order, none sooner than the distance."""
    left, right = (socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2))
    with left[0], left[1], right[0], right[1]:
        for end in (left[1], right[1]):
            end.setblocking(False)
        carrier = threading.Thread(target=distance.carry, args=(left[1].fileno(), right[1].fileno()))
        carrier.start()
        sender, receiver = (left[0], right[0]) if outwards else (right[0], left[0])
        receiver.settimeout(20)
        addresses = (HOST, SERVER) if outwards else (SERVER, HOST)
        sent = [packet(*addresses) + bytes([number]) for number in range(3)]
        begin = time.monotonic()
        for text in sent:
            sender.send(text)
        got = [receiver.recv(2048) for _ in sent]
        took = time.monotonic() - begin
        sender.close()
        carrier.join(20)
        assert not carrier.is_alive()
    assert got == sent
    assert took >= distance.distance(SERVER)
