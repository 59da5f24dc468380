"""Kerberos' log-ins."""

import pytest
from hypothesis import given, settings

from capture.protocols.kerberos_logins import watch_kerberos
from tests.capture.packets import CLIENT, SERVER, T0, Packet, rows_of, udp
from tests.capture.protocols.streams import counted, segments, watched
from tests.capture.protocols.test_ldap import tlv


def error(code: int) -> bytes:
    """A KRB-ERROR (RFC 4120, 5.9.1)."""
    fields = tlv(0xA0, b"\2\1\5") + tlv(0xA1, b"\2\1\x1e") + tlv(0xA4, tlv(24, b"20260302080000Z"))
    return tlv(
        0x7E, tlv(0x30, fields + tlv(0xA5, b"\2\1\1") + tlv(0xA6, bytes([2, 1, code])) + tlv(0xA9, b"\x1b\0"))
    )


REPLY = tlv(0x6B, tlv(0x30, tlv(0xA0, b"\2\1\5") + tlv(0xA1, b"\2\1\x0b")))
REQUEST = tlv(0x6A, tlv(0x30, tlv(0xA1, b"\2\1\5")))


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([error(25), REPLY], (1, 0)),
        ([error(24), error(24), error(6), error(18)], (4, 4)),
        ([error(37), error(7)], (0, 0)),
    ],
)
def test_log_ins(answers: list[bytes], expected: tuple[int, int]) -> None:
    """A ticket is a log-in, a failed pre-authentication, unknown or locked name a refused one."""
    turns = [turn for answer in answers for turn in (framed(REQUEST), framed(answer))]
    assert counted(88, turns) == expected


def test_log_ins_over_udp() -> None:
    """A datagram of the server counts as a segment does."""
    packets = [Packet(T0, udp(REQUEST, 40_000, 88, ident=1))]
    packets.append(Packet(T0 + 1, udp(error(24), 88, 40_000, source=SERVER, target=CLIENT, ident=1)))
    row = rows_of(packets).flow
    assert (row["logins"], row["logins_failed"]) == (1, 1)


@pytest.mark.uncompiled
@settings(max_examples=150)
@given(segments(error(24), REPLY, framed(error(6)), b"\x7e\x84\x30"))
def test_any_segments_are_read_within_bounds(said: list[tuple[int, bytes]]) -> None:
    """No bytes make the watcher read outside of them."""
    watched(watch_kerberos, said)
    watched(watch_kerberos, said, protocol=17)
