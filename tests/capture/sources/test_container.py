"""The readers that every container shares."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.sources.container import MAX_FRAME, believed_wire, u16, u32
from tests.capture.sources.made import untimed

pytestmark = pytest.mark.uncompiled


@untimed
@given(st.integers(0, 0xFFFF_FFFF), st.integers(0, 7))
def test_integers_of_either_byte_order(value, at):
    """Two and four bytes at any place become the integer they stand for."""
    for big, order in ((True, ">"), (False, "<")):
        data = np.frombuffer(bytes(at) + struct.pack(order + "IH", value, value & 0xFFFF), np.uint8)
        assert u32(data, at, big) == value
        assert u16(data, at + 4, big) == value & 0xFFFF


@untimed
@given(st.integers(0, MAX_FRAME), st.integers(0, 0xFFFF_FFFF))
def test_wire_lengths_have_bounds(captured, wire):
    """The length on the wire is at least what was captured and at most a frame's."""
    assert captured <= believed_wire(captured, wire) <= MAX_FRAME
    if captured <= wire <= MAX_FRAME:
        assert believed_wire(captured, wire) == wire
