"""Numbers of TLS and DTLS, as IANA's registries "TLS Parameters" and "TLS ExtensionType Values" have them."""

from capture.flows import APPLICATION
from pipeline.kernels import packet_kernel
from pipeline.records import TLS_VERSIONS

TLS, DTLS = APPLICATION["tls"], APPLICATION["dtls"]

# Content types of records.
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, HEARTBEAT = 20, 21, 22, 24
#: Most bytes that a record may hold, the allowance for encryption included (RFC 5246, 6.2.3).
RECORD_MAX = (1 << 14) + 2_048
#: Fewest bytes of an encrypted record with data: one and a tag of 16.
ENCRYPTED_MIN = 17

# Handshake types; those up to the last one are assigned, with holes.
HELLO_REQUEST, CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 0, 1, 2, 11
SERVER_HELLO_DONE, HANDSHAKE_LAST = 14, 25

# Extensions.
SERVER_NAME, SIGNATURE_ALGORITHMS, ALPN, SUPPORTED_VERSIONS = 0, 13, 16, 43
#: Encrypted Client Hello (RFC 9849), and the encrypted server name that came before it.
ENCRYPTED_CLIENT_HELLO, ENCRYPTED_SERVER_NAME = 0xFE0D, 0xFFCE

#: What a ClientHello came over: the letter its JA4 begins with.
OVER_TCP, OVER_QUIC, OVER_DATAGRAMS = ord("t"), ord("q"), ord("d")

SSL2, TLS_1_3 = TLS_VERSIONS.index("ssl2"), TLS_VERSIONS.index("1.3")
_SSL3, _TLS_1_0, _TLS_1_2 = (TLS_VERSIONS.index(word) for word in ("ssl3", "1.0", "1.2"))


@packet_kernel
def is_grease(value):
    """True for the reserved values of RFC 8701."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


@packet_kernel
def version_code(wire):
    """Code in `TLS_VERSIONS` of a wire version, 0 unknown; DTLS by its own number, drafts of 1.3 as 1.3."""
    if 0x0300 <= wire <= 0x0304:
        return _SSL3 + (wire & 0xFF)
    if wire == 0x0002:
        return SSL2
    if wire in (0xFEFF, 0x0100):
        return _TLS_1_0
    if wire == 0xFEFD:
        return _TLS_1_2
    # RFC 9147; drafts of RFC 8446 (4.2.1.1), and those of one large site.
    if wire == 0xFEFC or 0x7F0E <= wire <= 0x7F1C or 0xFB17 <= wire <= 0xFB1A:
        return TLS_1_3
    return 0
