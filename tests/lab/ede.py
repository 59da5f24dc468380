"""A filtering resolver that says why (RFC 8914): blocked names get NXDOMAIN and extended error 15, Blocked.

No resolver of Debian 12 sends that error for a local block, so this one does; it passes all others on.
`python -m tests.lab.ede [--injected] LISTEN-ADDRESS PORT UPSTREAM DOMAIN…` runs until it is ended.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any

NXDOMAIN = 3
RESPONSE, RECURSION_AVAILABLE = 0x8000, 0x0080
RECURSION_DESIRED = 0x0100
OPT = 41
EDE_OPTION, BLOCKED = 15, 15
TEXT = b"acceptable-use policy"
OLDEST_S = 5


def question(message: bytes) -> tuple[str, int]:
    """The name asked (lower case) and where the question ends; raises ValueError for a broken message."""
    labels, at = [], 12
    while at < len(message) and message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("ascii", "replace").lower())
        at += 1 + message[at]
    if at + 5 > len(message):
        raise ValueError("the question is cut off")
    return ".".join(labels), at + 5


def refusal(message: bytes, end: int, *, injected: bool = False) -> bytes:
    """NXDOMAIN for the question that ends at `end`; the extended error only if the asker speaks EDNS.

    `injected`: as of a box on the line that is no resolver: no recursion on offer, no EDNS.
    """
    edns = message[10:12] != b"\0\0" and not injected
    flags = RESPONSE | int.from_bytes(message[2:4]) & RECURSION_DESIRED | NXDOMAIN
    flags |= 0 if injected else RECURSION_AVAILABLE
    answer = (
        message[:2] + flags.to_bytes(2) + b"\0\1\0\0\0\0" + (b"\0\1" if edns else b"\0\0") + message[12:end]
    )
    if edns:
        option = BLOCKED.to_bytes(2) + TEXT
        option = EDE_OPTION.to_bytes(2) + len(option).to_bytes(2) + option
        answer += b"\0" + OPT.to_bytes(2) + (1232).to_bytes(2) + bytes(4) + len(option).to_bytes(2) + option
    return answer


def is_blocked(name: str, domains: Iterable[str]) -> bool:
    """Whether the name is one of the domains or below one."""
    return any(name == domain or name.endswith("." + domain) for domain in domains)


def serve(address: str, port: int, upstream: str, domains: set[str], *, injected: bool = False) -> None:
    """Answers or forwards each datagram, in answers of `refusal`; never returns."""
    inside = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    inside.bind((address, port))
    outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outside.connect((upstream, 53))
    chooser = selectors.DefaultSelector()
    chooser.register(inside, selectors.EVENT_READ)
    chooser.register(outside, selectors.EVENT_READ)
    asked: dict[bytes, tuple[bytes, Any, float]] = {}
    number = 0
    while True:
        for key, _ in chooser.select():
            message, asker = key.fileobj.recvfrom(4096)  # type: ignore[union-attr]
            if key.fileobj is outside:
                if message[:2] in asked:
                    identity, back, _ = asked.pop(message[:2])
                    inside.sendto(identity + message[2:], back)
                continue
            try:
                name, end = question(message)
            except ValueError:
                continue
            if is_blocked(name, domains):
                inside.sendto(refusal(message, end, injected=injected), asker)
                continue
            number = (number + 1) & 0xFFFF
            now = time.monotonic()
            asked = {key: entry for key, entry in asked.items() if now - entry[2] < OLDEST_S}
            asked[number.to_bytes(2)] = (message[:2], asker, now)
            outside.send(number.to_bytes(2) + message[2:])


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--injected"]
    serve(words[0], int(words[1]), words[2], set(words[3:]), injected=len(words) < len(sys.argv) - 1)
