"""QUIC packets made with another implementation of the ciphers, as RFC 9000, 9001 and 9369 lay them out."""

import hashlib
import hmac
import struct
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.capture.packets import CLIENT, SERVER, T0, Packet, udp

V1, V2 = 0x00000001, 0x6B3343CF
V1_SALT = "38762cf7f55934b34d179ae6a4c80cadccbb7f0a"
#: Initial salts of the versions: RFC 9001, 5.2; RFC 9369, 3.3.1; the same sections of the drafts; Chromium.
SALTS = {
    V1: V1_SALT,
    V2: "0dede3def700a6db819381be6e269dcbf9bd2ed9",
    0x709A50C4: "a707c203a59b47184a1d62ca570406ea7ae3e5d3",
    0xFF000022: V1_SALT,
    0xFF000020: "afbfec289993d24c9e9786f19c6111e04390a899",
    0xFF00001D: "afbfec289993d24c9e9786f19c6111e04390a899",
    0xFF00001C: "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
    0xFF000017: "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
    0xFF000016: "7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a",
    0xFACEB001: "7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a",
    0xFACEB002: "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
    0xFACEB003: V1_SALT,
    0x51303530: "504574efd066fe2f9d945cfcdbd3a7f0d3b56b45",
    0x54303530: "7ff579e5acd072915580304c43a2367c60488310",
    0x54303531: "7a4edef4e7ccee5fa4506c19124fc8ccda6e033d",
}
#: Versions with the labels and packet types of v2.
LIKE_V2 = (V2, 0x709A50C4)

INITIAL, ZERO_RTT, HANDSHAKE, RETRY = range(4)
CID = bytes.fromhex("8394c8f03e515708")
SERVER_CID = bytes.fromhex("f067a5502a4262b5")


def varint(value: int, size: int = 0) -> bytes:
    """A variable-length integer (RFC 9000, 16), of `size` bytes or as short as it goes."""
    power = size.bit_length() - 1 if size else next(p for p in range(4) if value < 1 << (8 << p) - 2)
    return (value | power << (8 << power) - 2).to_bytes(1 << power, "big")


def expand_label(secret: bytes, label: str, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446, 7.1) of at most one block."""
    name = b"tls13 " + label.encode()
    info = struct.pack("!HB", length, len(name)) + name + b"\0"
    return hmac.digest(secret, info + b"\1", hashlib.sha256)[:length]


def keys(version: int, cid: bytes, side: str) -> tuple[bytes, bytes, bytes]:
    """Packet key, IV and header protection key of a side, `client` or `server` (RFC 9001, 5.2)."""
    initial = hmac.digest(bytes.fromhex(SALTS.get(version, V1_SALT)), cid, hashlib.sha256)
    secret = expand_label(initial, f"{side} in", 32)
    prefix = "quicv2" if version in LIKE_V2 else "quic"
    return tuple(
        expand_label(secret, f"{prefix} {word}", length)
        for word, length in (("key", 16), ("iv", 12), ("hp", 16))
    )  # type: ignore[return-value]


def long_header(kind: int, version: int, dcid: bytes, scid: bytes, low: int = 0) -> bytes:
    """First byte, version and connection ids (RFC 9000, 17.2)."""
    kind = (kind + 1) & 3 if version in LIKE_V2 else kind
    first = 0xC0 | kind << 4 | low
    return struct.pack("!BI", first, version) + bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid


def initial(
    frames: bytes,
    *,
    version: int = V1,
    dcid: bytes = CID,
    scid: bytes = b"",
    number: int = 0,
    number_bytes: int = 4,
    token: bytes = b"",
    side: str = "client",
    key_cid: bytes | None = None,
    pad: int = 0,
) -> bytes:
    """A protected Initial packet; `key_cid` is what the keys come from, `pad` the length to fill up to."""
    key, iv, protection = keys(version, dcid if key_cid is None else key_cid, side)
    head = long_header(INITIAL, version, dcid, scid, number_bytes - 1) + varint(len(token)) + token
    frames += bytes(max(pad - len(head) - 2 - number_bytes - len(frames) - 16, 4 - number_bytes, 0))
    head += varint(number_bytes + len(frames) + 16, 2)
    at = len(head)
    head += number.to_bytes(4, "big")[4 - number_bytes :]
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    packet = bytearray(head + AESGCM(key).encrypt(nonce, frames, head))
    cipher = Cipher(algorithms.AES(protection), modes.ECB()).encryptor()
    mask = cipher.update(bytes(packet[at + 4 : at + 20]))
    packet[0] ^= mask[0] & 0x0F
    for i in range(number_bytes):
        packet[at + i] ^= mask[1 + i]
    return bytes(packet)


def answer(
    frames: bytes, *, key_cid: bytes = CID, scid: bytes = SERVER_CID, version: int = V1, **more: int
) -> bytes:
    """An Initial packet of the server to a client whose own connection id is empty."""
    return initial(frames, version=version, dcid=b"", scid=scid, side="server", key_cid=key_cid, **more)


def other(
    kind: int, payload: bytes = bytes(60), *, version: int = V1, dcid: bytes = CID, scid: bytes = b""
) -> bytes:
    """A 0-RTT or Handshake packet, which nobody reads."""
    return long_header(kind, version, dcid, scid) + varint(len(payload)) + payload


def retry(scid: bytes, *, version: int = V1, token: bytes = b"a token") -> bytes:
    """A Retry packet (RFC 9000, 17.2.5), its integrity tag zero."""
    return long_header(RETRY, version, b"", scid) + token + bytes(16)


def negotiation(*versions: int, dcid: bytes = b"", scid: bytes = CID) -> bytes:
    """A Version Negotiation packet (RFC 9000, 17.2.1)."""
    head = long_header(0, 0, dcid, scid)
    return head + b"".join(version.to_bytes(4, "big") for version in versions)


def crypto(offset: int, data: bytes, kind: int = 6) -> bytes:
    """A CRYPTO frame (RFC 9000, 19.6)."""
    return bytes([kind]) + varint(offset) + varint(len(data)) + data


def ack(largest: int = 0, ranges: Sequence[tuple[int, int]] = (), counts: bool = False) -> bytes:
    """An ACK frame (RFC 9000, 19.3)."""
    made = bytes([3 if counts else 2]) + varint(largest) + varint(25) + varint(len(ranges)) + varint(0)
    made += b"".join(varint(gap) + varint(length) for gap, length in ranges)
    return made + (varint(1) + varint(2) + varint(300) if counts else b"")


def close(error: int, reason: bytes = b"") -> bytes:
    """A CONNECTION_CLOSE frame (RFC 9000, 19.19)."""
    return b"\x1c" + varint(error) + varint(6) + varint(len(reason)) + reason


class Exchange:
    """Datagrams of one client and one server as a list of packets."""

    def __init__(
        self,
        *,
        client: str = CLIENT,
        server: str = SERVER,
        sport: int = 50_000,
        dport: int = 443,
        ts: int = T0,
    ) -> None:
        self.packets: list[Packet] = []
        self.client, self.server, self.sport, self.dport, self.ts = client, server, sport, dport, ts
        self._ident = 1

    def up(self, *parts: bytes) -> "Exchange":
        """A datagram of the client, all parts in it."""
        return self._add(b"".join(parts), self.client, self.server, self.sport, self.dport)

    def down(self, *parts: bytes) -> "Exchange":
        """A datagram of the server."""
        return self._add(b"".join(parts), self.server, self.client, self.dport, self.sport)

    def _add(self, payload: bytes, source: str, target: str, sport: int, dport: int) -> "Exchange":
        self._ident += 1
        frame = udp(payload, sport, dport, source=source, target=target, ident=self._ident)
        self.packets.append(Packet(self.ts, frame))
        self.ts += 10_000
        return self
