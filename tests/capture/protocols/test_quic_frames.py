"""Frames of QUIC and their integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.protocols.quic_frames import varint, varint_bytes
from tests.capture import quic_packets
from tests.capture.protocols.test_quic import HELLO, rows, whole
from tests.capture.quic_packets import Exchange, answer, crypto


def test_not_a_hello() -> None:
    """A CRYPTO stream that begins with something else names nothing, nor does a frame of another level."""
    for frames in (crypto(0, b"\x02" + HELLO[1:]), b"\x08" + crypto(0, HELLO), b"\x06\x80", crypto(0, b"")):
        row = rows(Exchange().up(whole(frames))).flow
        assert (row["application"], row["server_name"], row["hello"]) == ("quic", "", 0)


@settings(deadline=None, max_examples=25)
@given(st.binary(max_size=60), st.booleans(), st.booleans())
def test_random_frames(frames: bytes, from_server: bool, crypto_first: bool) -> None:
    """Whatever frames a verified packet holds, reading them ends and disturbs nothing."""
    frames = (b"\x06\0" if crypto_first else b"") + frames
    talk = Exchange().up(whole(b"" if from_server else frames, pad=0))
    if from_server:
        talk.down(answer(frames))
    assert rows(talk).flow["application"] == "quic"


@pytest.mark.uncompiled
@settings(deadline=None)
@given(st.integers(0, (1 << 62) - 1), st.integers(0, 3))
def test_varint(value: int, power: int) -> None:
    """Integers of every length, the longer forms of small ones too, and none that is cut off."""
    size = max(1 << power, len(quic_packets.varint(value)))
    data = np.frombuffer(quic_packets.varint(value, size), np.uint8)
    assert (varint(data, 0, len(data)), varint_bytes(data, 0)) == (value, size)
    assert varint(data, 0, len(data) - 1) == -1
