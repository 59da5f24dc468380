"""The server name in the first bytes of a TLS connection, for the lab's own filters and servers.

They must not share the sensor's reading of it: a mistake there would cancel itself out.
"""

from __future__ import annotations

RECORD_HEADER = 5
HANDSHAKE, CLIENT_HELLO, SERVER_NAME = 22, 1, 0
LONGEST = 16_384  # of a record, RFC 8446, section 5.1


def complete(data: bytes) -> bool:
    """Whether the first TLS record is all there, or `data` is no handshake record."""
    if len(data) < RECORD_HEADER:
        return bool(data) and data[0] != HANDSHAKE
    return data[0] != HANDSHAKE or len(data) >= RECORD_HEADER + int.from_bytes(data[3:5])


def server_name(data: bytes) -> str:
    """The name of the server_name extension (RFC 6066, section 3); empty where there is none or it is cut."""
    if data[:1] != bytes([HANDSHAKE]) or data[RECORD_HEADER : RECORD_HEADER + 1] != bytes([CLIENT_HELLO]):
        return ""
    hello = data[RECORD_HEADER + 4 : RECORD_HEADER + int.from_bytes(data[3:5])]
    at = 34
    at += 1 + int.from_bytes(hello[at : at + 1])  # session ID
    at += 2 + int.from_bytes(hello[at : at + 2])  # cipher suites
    at += 1 + int.from_bytes(hello[at : at + 1])  # compression methods
    end = at + 2 + int.from_bytes(hello[at : at + 2])
    at += 2
    while at + 4 <= min(end, len(hello)):
        kind, length = int.from_bytes(hello[at : at + 2]), int.from_bytes(hello[at + 2 : at + 4])
        if kind == SERVER_NAME:
            name = hello[at + 9 : at + 4 + length]
            return name.decode("ascii", "replace") if len(name) + 5 == length else ""
        at += 4 + length
    return ""


def host(data: bytes) -> str:
    """The name in the Host field of an HTTP/1 request's head; empty where there is none."""
    for line in data.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"host":
            return value.strip().decode("ascii", "replace").rsplit(":", 1)[0].lower()
    return ""


def is_under(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether the name is one of the suffixes or below one."""
    return any(name == suffix or name.endswith("." + suffix) for suffix in suffixes)
