"""Small clients and servers of what no program at hand does: SNMP polls, NTP, SSDP, idle connections.

`python -m tests.lab.detectors.exchanges ROLE …` plays one role in a host's namespace.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905, figure 4)."""
SNMP, NTP = 161, 123
GET, RESPONSE = 0xA0, 0xA2
"""Tags of GetRequest and Response (RFC 1157, 4.1)."""
SYSTEM_NAME = bytes.fromhex("2b06010201010500")
"""sysName.0, 1.3.6.1.2.1.1.5.0."""


def command(*arguments: str) -> list[str]:
    """The command line that plays a role, wherever it is started."""
    return ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", __name__, *arguments]


def snmp_get(number: int) -> bytes:
    """A GetRequest for sysName of community `public`, SNMP version 2c."""
    binding = _tlv(0x30, _tlv(0x30, _tlv(6, SYSTEM_NAME) + _tlv(5, b"")))
    body = _tlv(2, struct.pack("!I", number & 0x7FFFFFFF)) + _tlv(2, b"\0") * 2 + binding
    return _tlv(0x30, _tlv(2, b"\1") + _tlv(4, b"public") + _tlv(GET, body))


def _tlv(tag: int, value: bytes) -> bytes:
    return bytes([tag, len(value)]) + value


def snmp_answer(request: bytes) -> bytes:
    """The same message as a Response."""
    at = request.index(b"public") + 6
    return request[:at] + bytes([RESPONSE]) + request[at + 1 :]


def ntp_request() -> bytes:
    """A client's packet, NTP version 4 (RFC 5905, figure 8)."""
    return b"\x23" + bytes(39) + struct.pack("!II", int(time.time()) + NTP_EPOCH, 0)


def ntp_answer(request: bytes) -> bytes:
    """A server's packet of stratum 2 to a client's."""
    now = struct.pack("!II", int(time.time()) + NTP_EPOCH, 0)
    return b"\x24\x02\x06\xe9" + bytes(12) + now + request[40:48] + now + now


def answer(port: int, addresses: Sequence[str], reply: Callable[[bytes], bytes]) -> None:
    """Answers datagrams to each address until it is killed."""
    waiting = selectors.DefaultSelector()
    for address in addresses:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((address, port))
        waiting.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            listener = key.fileobj  # type: ignore[assignment]
            data, peer = listener.recvfrom(2_048)
            listener.sendto(reply(data), peer)


def ask(address: str, port: int, request: bytes, seconds: float = 1.0, tries: int = 1) -> bool:
    """Whether a datagram is answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(seconds)
        for _ in range(tries):
            try:
                asking.sendto(request, (address, port))
                asking.recv(2_048)
                return True
            except OSError:
                continue
    return False


def connects(address: str, port: int, seconds: float = 1.5) -> bool:
    """Whether a TCP connection stands; it is closed at once."""
    try:
        socket.create_connection((address, port), seconds).close()
    except OSError:
        return False
    return True


def pings(address: str) -> bool:
    """Whether a host answers an echo request."""
    done = subprocess.run(
        ["busybox", "ping", "-c", "1", "-W", "1", address], capture_output=True, check=False
    )
    return done.returncode == 0


def poll(addresses: Sequence[str], ports: Sequence[int], rounds: int, pause: float) -> int:
    """As a monitoring server: ping, SNMP and TCP checks of all hosts, every `pause` seconds; the answers."""

    def check(numbered: tuple[int, str]) -> int:
        number, address = numbered
        up = pings(address) + ask(address, SNMP, snmp_get(number), tries=2)
        return up + sum(connects(address, port) for port in ports)

    answers = 0
    for number in range(rounds):
        end = time.monotonic() + (pause if number + 1 < rounds else 0)
        with ThreadPoolExecutor(24) as checks:
            answers += sum(checks.map(check, enumerate(addresses)))
        time.sleep(max(0.0, end - time.monotonic()))
    return answers


def search_devices(rounds: int, pause: float) -> int:
    """SSDP searches as Windows and browsers send them (UPnP Device Architecture 1.1, 1.3.2)."""
    kinds = (
        "ssdp:all",
        "urn:dial-multiscreen-org:service:dial:1",
        "urn:schemas-upnp-org:device:MediaServer:1",
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _ in range(rounds):
            for kind in kinds:
                lines = ("M-SEARCH * HTTP/1.1", "HOST: 239.255.255.250:1900", 'MAN: "ssdp:discover"', "MX: 1")
                text = "\r\n".join((*lines, f"ST: {kind}", "", ""))
                asking.sendto(text.encode(), ("239.255.255.250", 1_900))
            time.sleep(pause)
    return rounds * len(kinds)


def hold(port: int, addresses: Sequence[str]) -> None:
    """Accepts connections at each address and says nothing, until it is killed."""
    listeners = [socket.create_server((address, port), backlog=64) for address in addresses]
    waiting = selectors.DefaultSelector()
    for listener in listeners:
        waiting.register(listener, selectors.EVENT_READ)
    held = []
    while True:
        for key, _ in waiting.select():
            held.append(key.fileobj.accept())  # type: ignore[union-attr]


def stay_connected(port: int, addresses: Iterable[str], each: int, go: Path) -> int:
    """Opens `each` connections to every address, waits until the file `go` exists, and uses them again.

    Returns how many of them were reset.
    """
    open_ones = [socket.create_connection((address, port), 5) for address in addresses for _ in range(each)]
    for connection in open_ones:
        connection.sendall(b"\x10\x04ping")
    while not go.exists():
        time.sleep(0.1)
    resets = 0
    for connection in open_ones:
        try:
            connection.sendall(b"\x10\x04ping")
            connection.recv(1)
        except OSError:
            resets += 1
    return resets


def main() -> None:
    """Plays the role of the command line and prints how much it did."""
    parser = argparse.ArgumentParser(description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    for name in ("echo", "answer-snmp", "answer-ntp", "hold", "stay", "poll", "ask-ntp", "search"):
        role = roles.add_parser(name)
        role.add_argument("addresses", nargs="*")
        role.add_argument("--ports", type=int, nargs="*", default=[])
        role.add_argument("--rounds", type=int, default=1)
        role.add_argument("--pause", type=float, default=0.0)
        role.add_argument("--go", type=Path, default=Path())
    given = parser.parse_args()
    if given.role == "echo":
        answer(given.ports[0], given.addresses, bytes)
    elif given.role == "answer-snmp":
        answer(SNMP, given.addresses, snmp_answer)
    elif given.role == "answer-ntp":
        answer(NTP, given.addresses, ntp_answer)
    elif given.role == "hold":
        hold(given.ports[0], given.addresses)
    elif given.role == "stay":
        print(stay_connected(given.ports[0], given.addresses, given.rounds, given.go))
    elif given.role == "poll":
        print(poll(given.addresses, given.ports, given.rounds, given.pause))
    elif given.role == "ask-ntp":
        print(sum(ask(address, NTP, ntp_request(), tries=2) for address in given.addresses))
    else:
        print(search_devices(given.rounds, given.pause))


if __name__ == "__main__":
    main()
