"""Tor's TLS (tor-spec, "Obfuscated handshake"; tor/src/lib/tls): made-up host names on both sides.

A relay's certificate of TLS 1.2 and below has a subject `www.RANDOM.net` and an issuer `www.RANDOM.com`, and
its client asks for another `www.RANDOM.com`, each of letters and digits as base32 writes them (RFC 4648, 6).
TLS 1.3 hides the certificate: a made-up name alone proves nothing, and names nothing here.
"""

import numpy as np

from capture.flows import APPLICATION, CERTIFICATE_AT, ISSUER_AT
from capture.octets import same, u8, u32
from pipeline.kernels import packet_kernel, unit_kernel
from pipeline.records import NAME_SOURCES

TOR, TLS = APPLICATION["tor"], APPLICATION["tls"]
FROM_SNI = NAME_SOURCES.index("sni")
#: Length of the made-up part, of both sides' names (crypto_random_hostname).
RANDOM_MIN, RANDOM_MAX = 4, 25
WWW, COM, NET = (int.from_bytes(text, "big") for text in (b"www.", b".com", b".net"))


@packet_kernel
def is_made_up(slot, at, length, top):
    """True for `www.`, base32 of the length that Tor makes, and the top-level domain."""
    part = length - 8
    if not RANDOM_MIN <= part <= RANDOM_MAX or u32(slot, at) != WWW or u32(slot, at + 4 + part) != top:
        return False
    for k in range(at + 4, at + 4 + part):
        octet = u8(slot, k)
        if not (97 <= octet <= 122 or 50 <= octet <= 55):
            return False
    return True


@unit_kernel
def note_tor(table, i):
    """Make the application of flow `i` Tor if all three names are made up, and differ: 1, else 0."""
    flow = table.flows[i]
    slot = table.slots[i]
    if flow.application != TLS or flow.name_source != FROM_SNI or flow.issuer_len == 0:
        return np.int64(0)
    asked, subject, issuer = (
        np.int64(flow.name_len),
        np.int64(flow.certificate_len),
        np.int64(flow.issuer_len),
    )
    made_up = (
        is_made_up(slot, 0, asked, COM)
        and is_made_up(slot, CERTIFICATE_AT, subject, NET)
        and is_made_up(slot, ISSUER_AT, issuer, COM)
    )
    if not made_up or (asked == issuer and same(slot, 0, slot, ISSUER_AT, asked)):
        return np.int64(0)
    flow.application = TOR
    return np.int64(1)
