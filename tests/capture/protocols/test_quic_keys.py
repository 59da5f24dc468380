"""Initial secrets: the RFCs' vectors, and another implementation for every version."""

import numpy as np
import pytest

from capture.protocols.quic_keys import HMAC_STATES, KEYS_BYTES, SECRET_BYTES, derive_keys, salt_of
from capture.sha256 import WORK
from tests.capture.quic_packets import SALTS, V1, V2, keys

pytestmark = pytest.mark.uncompiled

CID = bytes.fromhex("8394c8f03e515708")


def derived(version: int, cid: bytes, side: int) -> str:
    """Packet key, IV and header protection key in hex."""
    out = np.zeros(KEYS_BYTES, np.uint8)
    derive_keys(
        salt_of(version),
        np.frombuffer(b"\0" + cid, np.uint8),
        1,
        len(cid),
        side,
        np.zeros(WORK, np.int64),
        np.zeros(HMAC_STATES, np.int64),
        np.zeros(SECRET_BYTES, np.uint8),
        out,
    )
    return out.tobytes().hex()


@pytest.mark.parametrize(
    ("version", "side", "expected"),
    [
        (V1, 0, "1f369613dd76d5467730efcbe3b1a22d fa044b2f42a3fd3b46fb255c 9f50449e04a0e810283a1e9933adedd2"),
        (V1, 1, "cf3a5331653c364c88f0f379b6067e37 0ac1493ca1905853b0bba03e c206b8d9b9f0f37644430b490eeaa314"),
        (V2, 0, "8b1a0bc121284290a29e0971b5cd045d 91f73e2351d8fa91660e909f 45b95e15235d6f45a6b19cbcb0294ba9"),
        (V2, 1, "82db637861d55e1d011f19ea71d5d2a7 dd13c276499c0249d3310652 edf6d05c83121201b436e16877593c3a"),
    ],
)
def test_vectors(version: int, side: int, expected: str) -> None:
    """The keys of RFC 9001, A.1, and RFC 9369, A.1."""
    assert derived(version, CID, side) == expected.replace(" ", "")


@pytest.mark.parametrize("version", [*SALTS, 0x1A2A3A4A])
@pytest.mark.parametrize("cid", [CID, bytes(20), b""])
def test_every_version(version: int, cid: bytes) -> None:
    """For each version and length of the connection id, another implementation derives the same keys."""
    for number, side in enumerate(("client", "server")):
        assert derived(version, cid, number) == b"".join(keys(version, cid, side)).hex()


@pytest.mark.parametrize("version", [0, 2, 0xFF000001, 0x51303436, 0xFACEB000, 0x474554, 0xFFFFFFFF])
def test_versions_without_salt(version: int) -> None:
    """A version that nobody defined, or that enciphers nothing, has no salt."""
    assert salt_of(version) == -1
