"""Lines of text protocols: where they end, what they begin with, what stands in a header."""

import numpy as np

from pipeline.kernels import packet_kernel


def octets(text: str) -> np.ndarray:
    """uint8 array of an ASCII text, for kernels to compare with."""
    return np.frombuffer(text.encode("ascii"), np.uint8)


@packet_kernel
def line_end(buf, at, end):
    """Offset of the line feed at or behind `at`, `end` if there is none."""
    while at < end and buf[at] != 10:
        at += 1
    return at


@packet_kernel
def text_end(buf, at, stop):
    """End of the line's text whose line feed stands at `stop`: without the carriage return."""
    return stop - 1 if stop > at and buf[stop - 1] == 13 else stop


@packet_kernel
def is_blank(octet):
    """True for space and tab."""
    return octet == 32 or octet == 9


@packet_kernel
def skip_blanks(buf, at, end):
    """Offset of the first octet that is neither space nor tab."""
    while at < end and is_blank(buf[at]):
        at += 1
    return at


@packet_kernel
def without_blanks(buf, at, end):
    """`end` without the spaces and tabs before it."""
    while end > at and is_blank(buf[end - 1]):
        end -= 1
    return end


@packet_kernel
def is_prefix(buf, at, end, lower):
    """True if `buf[at:end]` begins with the lower-case text in any case, as far as both go."""
    for i in range(min(len(lower), end - at)):
        octet = np.int64(buf[at + i])
        if 65 <= octet <= 90:
            octet += 32
        if octet != lower[i]:
            return False
    return True


@packet_kernel
def begins(buf, at, end, lower):
    """True if `buf[at:end]` begins with the lower-case text, in any case."""
    return end - at >= len(lower) and is_prefix(buf, at, end, lower)


@packet_kernel
def begins_exactly(buf, at, end, text):
    """True if `buf[at:end]` begins with the text."""
    if end - at < len(text):
        return False
    for i in range(len(text)):
        if buf[at + i] != text[i]:
            return False
    return True


@packet_kernel
def is_command(buf, at, end, lower):
    """True if `buf[at:end]` begins with the lower-case word, in any case, and the word ends there."""
    if not begins(buf, at, end, lower):
        return False
    behind = at + len(lower)
    return behind == end or buf[behind] <= 32


@packet_kernel
def reply_code(buf, at, end):
    """Three-digit code that a reply begins with (RFC 5321, 4.2; RFC 959, 4.2), -1 if there is none."""
    if end - at < 3 or (end - at > 3 and buf[at + 3] not in (32, 45, 13, 10)):
        return -1
    code = 0
    for i in range(3):
        digit = np.int64(buf[at + i]) - 48
        if digit < 0 or digit > 9:
            return -1
        code = code * 10 + digit
    return code
