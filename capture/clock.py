"""What the kernel knows of its own clock: adjtimex(2), struct timex of 64-bit Linux (linux/timex.h)."""

import ctypes
import os
import struct
from typing import NamedTuple

#: Bytes of `struct timex`; where its `offset` (long) and `status` (int) stand.
TIMEX_BYTES, OFFSET_AT, STATUS_AT = 208, 8, 40
#: Status: the kernel's loop steers the clock, not synchronised, `offset` is in nanoseconds.
STA_PLL, STA_UNSYNC, STA_NANO = 0x0001, 0x0040, 0x2000

_libc = ctypes.CDLL(None, use_errno=True)


class Clock(NamedTuple):
    """State of the system's clock."""

    synchronised: bool
    offset_us: int | None
    """Clock less reference, µs; None where the kernel's loop does not steer it: chrony does so by itself."""


def read_timex(timex: bytes) -> Clock:
    """What a `struct timex` says. `offset` is what is still to be added to the clock."""
    (offset,) = struct.unpack_from("=q", timex, OFFSET_AT)
    (status,) = struct.unpack_from("=i", timex, STATUS_AT)
    synchronised = not status & STA_UNSYNC
    if not synchronised or not status & STA_PLL:
        return Clock(synchronised, None)
    return Clock(synchronised, -round(offset / 1_000) if status & STA_NANO else -offset)


def system_clock() -> Clock:
    """The clock's state now. Raises OSError where the kernel does not tell."""
    buffer = ctypes.create_string_buffer(TIMEX_BYTES)
    if _libc.adjtimex(buffer) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"adjtimex: {os.strerror(code)}")
    return read_timex(buffer.raw)


def clock_offset_us() -> int | None:
    """Clock less reference, µs; None where nobody knows."""
    try:
        return system_clock().offset_us
    except OSError:
        return None
