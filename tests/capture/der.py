"""Certificates made byte by byte (X.690, RFC 5280, 4.1)."""

from collections.abc import Sequence

COMMON_NAME, ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"
PRINTABLE, UTF8, BMP, UNIVERSAL, TELETEX = 0x13, 0x0C, 0x1E, 0x1C, 0x14


def der(tag: int, *parts: bytes) -> bytes:
    """One element."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def name(*values: tuple[bytes, int, bytes]) -> bytes:
    """A Name of (object identifier, tag, value), one a set."""
    return der(0x30, *(der(0x31, der(0x30, der(6, oid), der(tag, text))) for oid, tag, text in values))


def common(text: bytes, tag: int = UTF8) -> bytes:
    """A Name that is an organization and a common name."""
    return name((ORGANIZATION, UTF8, b"An Organization"), (COMMON_NAME, tag, text))


def alternative(names: Sequence[bytes], *, critical: bool = False) -> bytes:
    """The subjectAltName extension: an address and DNS names."""
    listed = der(0x30, der(0x87, b"\xc0\0\2\1"), *(der(0x82, text) for text in names))
    return der(0x30, der(6, b"\x55\x1d\x11"), b"\x01\x01\xff" if critical else b"", der(4, listed))


def certificate(
    subject: bytes, issuer: bytes, *extensions: bytes, version: bool = True, key_bytes: int = 290
) -> bytes:
    """A certificate with a key and a signature of zeros."""
    algorithm = der(0x30, der(6, b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), b"\x05\0")
    parts = [
        der(0xA0, b"\x02\x01\x02") if version else b"",
        der(2, bytes(range(1, 17))),
        algorithm,
        issuer,
        der(0x30, der(0x17, b"260101000000Z"), der(0x17, b"270101000000Z")),
        subject,
        der(0x30, algorithm, der(3, bytes(key_bytes))),
    ]
    if extensions:
        usage = der(0x30, der(6, b"\x55\x1d\x0f"), b"\x01\x01\xff", der(4, b"\x03\x02\x05\xa0"))
        parts.append(der(0xA3, der(0x30, usage, *extensions)))
    return der(0x30, der(0x30, *parts), algorithm, der(3, bytes(257)))


def certificate_message(*chain: bytes) -> bytes:
    """The handshake message (RFC 5246, 7.4.2)."""
    listed = b"".join(len(one).to_bytes(3, "big") + one for one in chain)
    body = len(listed).to_bytes(3, "big") + listed
    return b"\x0b" + len(body).to_bytes(3, "big") + body
