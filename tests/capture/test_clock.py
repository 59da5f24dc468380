"""What the kernel says of its clock."""

import struct

import pytest

from capture.clock import STA_NANO, STA_PLL, STA_UNSYNC, TIMEX_BYTES, Clock, read_timex, system_clock


def timex(offset: int, status: int) -> bytes:
    """A struct timex of 64-bit Linux."""
    return struct.pack("=I4xqqqqi", 0, offset, 0, 0, 0, status).ljust(TIMEX_BYTES, b"\0")


@pytest.mark.parametrize(
    ("offset", "status", "expected"),
    [
        (250, STA_PLL, Clock(True, -250)),
        (-1_500_000, STA_PLL | STA_NANO, Clock(True, 1_500)),
        (0, STA_PLL | STA_NANO, Clock(True, 0)),
        (0, STA_NANO, Clock(True, None)),
        (250, STA_PLL | STA_UNSYNC, Clock(False, None)),
    ],
)
def test_offset_is_known_only_of_a_clock_that_the_kernel_steers(offset, status, expected):
    """What is still to be added to the clock is how far it is behind; else nobody knows."""
    assert read_timex(timex(offset, status)) == expected


def test_the_kernel_answers():
    """The system's own clock has a state that contradicts nothing."""
    clock = system_clock()
    assert clock.synchronised or clock.offset_us is None
