"""Keys of QUIC's Initial packets (RFC 9001, 5.2; RFC 9369, 3.3): they follow from what everyone can read.

The client's first destination connection id and a salt that the version fixes give, by HKDF (RFC 5869) with
SHA-256, a secret for each side and from it the packet key, the IV and the header protection key.
"""

import numpy as np

from capture.sha256 import BLOCK, DIGEST, STATE, absorb_blocks, begin_sha256, end_sha256
from pipeline.kernels import packet_kernel

CLIENT_SIDE, SERVER_SIDE = 0, 1

#: Salts by the version that brought them.
_SALTS = {
    "draft-22": "7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a",
    "draft-23": "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
    "draft-29": "afbfec289993d24c9e9786f19c6111e04390a899",
    "v1": "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
    "v2": "0dede3def700a6db819381be6e269dcbf9bd2ed9",
    "v2-draft": "a707c203a59b47184a1d62ca570406ea7ae3e5d3",
    "Q050": "504574efd066fe2f9d945cfcdbd3a7f0d3b56b45",
    "T050": "7ff579e5acd072915580304c43a2367c60488310",
    "T051": "7a4edef4e7ccee5fa4506c19124fc8ccda6e033d",
}
SALT_OF = {word: place for place, word in enumerate(_SALTS)}
SALTS = np.array([list(bytes.fromhex(salt)) for salt in _SALTS.values()], np.uint8)
SALT_BYTES = SALTS.shape[1]
V1, V2, V2_DRAFT = SALT_OF["v1"], SALT_OF["v2"], SALT_OF["v2-draft"]
#: Google's own QUIC, whose Initial packets carry its own frames.
GOOGLE = SALT_OF["Q050"]

V2_DRAFT_VERSION = 0x709A50C4
#: Versions on the wire: v1 and v2, the last drafts of v2, Google's.
_VERSIONS = {
    0x00000001: "v1",
    0x6B3343CF: "v2",
    V2_DRAFT_VERSION: "v2-draft",
    0x51303530: "Q050",
    0x54303530: "T050",
    0x54303531: "T051",
}
#: The IETF's drafts since connection ids have their lengths in a byte each.
_VERSIONS |= {0xFF000016: "draft-22"}
_VERSIONS |= {0xFF000000 | draft: "draft-23" for draft in range(23, 29)}
_VERSIONS |= {0xFF000000 | draft: "draft-29" for draft in range(29, 33)}
_VERSIONS |= {0xFF000000 | draft: "v1" for draft in (33, 34)}
#: Facebook's mvfst.
_VERSIONS |= {0xFACEB001: "draft-22", 0xFACEB003: "v1"}
_VERSIONS |= {0xFACEB000 | number: "draft-23" for number in (0x02, 0x0E, 0x0F, 0x10, 0x11, 0x13)}
VERSIONS = np.array(list(_VERSIONS), np.int64)
VERSION_SALTS = np.array([SALT_OF[word] for word in _VERSIONS.values()], np.int64)


def _info(label: str, length: int) -> list[int]:
    """HkdfLabel (RFC 8446, 7.1) without context, the block counter 1 (RFC 5869, 2.3); first their length."""
    name = b"tls13 " + label.encode()
    made = bytes([0, length, len(name)]) + name + b"\0\1"
    return list(bytes([len(made)]) + made.ljust(23, b"\0"))


#: HKDF-Expand's messages: the two sides', then key, IV and header protection key of v1, and of v2.
INFO = np.array(
    [_info("client in", 32), _info("server in", 32)]
    + [
        _info(f"{prefix} {word}", length)
        for prefix in ("quic", "quicv2")
        for word, length in (("key", 16), ("iv", 12), ("hp", 16))
    ],
    np.uint8,
)
KEY_INFO, KEY_INFO_V2 = 2, 5
#: Where a side's keys stand in its row.
KEY_AT, IV_AT, PROTECTION_AT, KEYS_BYTES = 0, 16, 28, 44
IV_BYTES = 12

#: Scratch of the derivation: the padded key or message, then a digest; the states of HMAC.
SECRET_BYTES, HMAC_STATES = BLOCK + DIGEST, 16


@packet_kernel
def is_forcing(version):
    """True for the versions that ask for version negotiation (RFC 9000, 15), as Chrome's greased ones."""
    return version & 0x0F0F0F0F == 0x0A0A0A0A


@packet_kernel
def salt_of(version):
    """Place in `SALTS` of a version's salt; -1 for a version that isn't known.

    A version that forces negotiation has no salt of its own; who sends one takes that of v1.
    """
    if version == 1:
        return V1
    for k in range(len(VERSIONS)):
        if VERSIONS[k] == version:
            return np.int64(VERSION_SALTS[k])
    return V1 if is_forcing(version) else -1


@packet_kernel
def begin_hmac(work, secret, length, states):
    """Key HMAC (RFC 2104, 2) with `secret[:length]`, at most a block; what stands behind is overwritten."""
    for i in range(BLOCK):
        octet = np.int64(secret[i]) if i < length else 0
        secret[i] = octet ^ 0x36
    begin_sha256(work)
    absorb_blocks(work, secret, 0, BLOCK)
    for i in range(8):
        states[i] = work[STATE + i]
    for i in range(BLOCK):
        secret[i] = np.int64(secret[i]) ^ 0x36 ^ 0x5C
    begin_sha256(work)
    absorb_blocks(work, secret, 0, BLOCK)
    for i in range(8):
        states[8 + i] = work[STATE + i]


@packet_kernel
def end_hmac(work, states, buf, start, end, out, out_at):
    """Write the HMAC of `buf[start:end]`, 32 bytes."""
    for i in range(8):
        work[STATE + i] = states[i]
    end_sha256(work, buf, start, end, BLOCK + end - start, out, out_at)
    for i in range(8):
        work[STATE + i] = states[8 + i]
    end_sha256(work, out, out_at, out_at + DIGEST, BLOCK + DIGEST, out, out_at)


@packet_kernel
def expand(work, states, info, secret):
    """HKDF-Expand (RFC 5869, 2.3) of one block into `secret[:32]`."""
    row = INFO[info]
    end_hmac(work, states, row, 1, 1 + np.int64(row[0]), secret, 0)


@packet_kernel
def derive_keys(salt, cid, cid_at, cid_len, side, work, states, secret, out):
    """Write packet key, IV and header protection key of a side to `out`, as laid out by `KEY_AT` and so on.

    `cid` holds the client's first destination connection id, `secret` is uint8[SECRET_BYTES], `states`
    int64[HMAC_STATES], `work` the work array of SHA-256.
    """
    for i in range(SALT_BYTES):
        secret[i] = SALTS[salt, i]
    begin_hmac(work, secret, SALT_BYTES, states)
    end_hmac(work, states, cid, cid_at, cid_at + cid_len, secret, 0)
    begin_hmac(work, secret, DIGEST, states)
    expand(work, states, side, secret)
    begin_hmac(work, secret, DIGEST, states)
    first = KEY_INFO_V2 if salt in (V2, V2_DRAFT) else KEY_INFO
    expand(work, states, first, secret)
    for i in range(16):
        out[KEY_AT + i] = secret[i]
    expand(work, states, first + 1, secret)
    for i in range(IV_BYTES):
        out[IV_AT + i] = secret[i]
    expand(work, states, first + 2, secret)
    for i in range(16):
        out[PROTECTION_AT + i] = secret[i]
