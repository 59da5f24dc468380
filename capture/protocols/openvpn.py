"""OpenVPN's control channel (openvpn.net, "OpenVPN protocol"; doc/tls-crypt-v2.txt): a reset, and its answer.

A client's first packet is a hard reset: opcode and key number, a session number, then an empty list of
acknowledgements and packet number 0. With tls-auth a hash, a packet counter and the time stand between, with
tls-crypt the counter and the time come first and the rest is encrypted. The server answers with a hard reset
that repeats the client's session number, where it is not encrypted.
"""

import numpy as np

from capture.flows import APPLICATION
from capture.octets import u8, u16, u32
from capture.protocols.candidates import note, noted
from pipeline.kernels import packet_kernel, unit_kernel

OPENVPN = APPLICATION["openvpn"]
CLIENT_RESET, SERVER_RESET, CLIENT_RESET_CRYPT2 = 7, 8, 10
CONTROL, ACKNOWLEDGEMENT, DATA_2 = 4, 5, 9
PORT = 1194
#: A reset without hash, and with one of 16 (MD5), 20 (SHA-1), 28, 32, 48 or 64 bytes, counter and time.
PLAIN_RESET, WRAPPED = 14, 22
HASHES = (16, 20, 28, 32, 48, 64)
#: tls-crypt: opcode and session, counter and time, 32 bytes of hash, 5 encrypted ones; in its second version
#: the client's key follows.
CRYPT_RESET = 54
#: A server's reset acknowledges one packet: 4 bytes for its number, 8 for the client's session.
ANSWER_MORE = 12
#: Seconds since 1970 that a counter's time can say: from the program's first release on.
TIME_MIN = 0x3C000000


@packet_kernel
def is_counter(buf, at):
    """True if a packet counter of a new session and a time stand here."""
    return 1 <= u32(buf, at) <= 64 and u32(buf, at + 4) >= TIME_MIN


@packet_kernel
def is_plain_reset(buf, start, n):
    """True for a reset that carries nothing but its numbers."""
    return n == PLAIN_RESET and u8(buf, start + 9) == 0 and u32(buf, start + 10) == 0


@packet_kernel
def is_signed_reset(buf, start, n):
    """True for a reset under tls-auth: hash, counter, time, then as the plain one."""
    return (
        n - WRAPPED in HASHES
        and is_counter(buf, start + n - 13)
        and u8(buf, start + n - 5) == 0
        and u32(buf, start + n - 4) == 0
    )


@packet_kernel
def repeats_session(buf, start, n, session):
    """True for a server's reset, plain or signed, that acknowledges packet 0 of the client's session."""
    plain = n == PLAIN_RESET + ANSWER_MORE
    signed = n - WRAPPED - ANSWER_MORE in HASHES
    if not plain and not signed:
        return False
    at = start + n - 17
    return u8(buf, at) == 1 and u32(buf, at + 1) == 0 and u32(buf, at + 9) == session


@packet_kernel
def is_reset(buf, start, n, framed):
    """2 for a client's reset that is one by itself, 1 for one that needs another packet, 0 for none.

    A length that fits, as a stream has, does for the other packet.
    """
    if n < PLAIN_RESET or u8(buf, start) & 7 != 0 or u32(buf, start + 5) == 0:
        return 0
    opcode = u8(buf, start) >> 3
    if opcode not in (CLIENT_RESET, CLIENT_RESET_CRYPT2):
        return 0
    if is_signed_reset(buf, start, n):
        return 2
    crypt = n == CRYPT_RESET or (opcode == CLIENT_RESET_CRYPT2 and n > CRYPT_RESET)
    if is_plain_reset(buf, start, n) or (crypt and is_counter(buf, start + 9)):
        return 2 if framed else 1
    return 0


@unit_kernel
def is_openvpn(table, buf, start, end, size, up, i):
    """Check of a datagram: `OPENVPN`, or 0."""
    n = end - start
    if size != n or n < PLAIN_RESET:
        return np.int64(0)
    flow = table.flows[i]
    opcode, session = u8(buf, start) >> 3, u32(buf, start + 5)
    reset = is_reset(buf, start, n, False)
    if reset != 0:
        again = noted(flow, OPENVPN, up) == session
        note(flow, OPENVPN, up, session)
        return np.int64(OPENVPN if again or reset == 2 else 0)
    asked = noted(flow, OPENVPN, 0 if up else 1)
    if opcode == SERVER_RESET and u8(buf, start) & 7 == 0 and asked != 0:
        crypt = n >= CRYPT_RESET + ANSWER_MORE and is_counter(buf, start + 9)
        return np.int64(OPENVPN if crypt or repeats_session(buf, start, n, asked) else 0)
    known_port = flow.server_port == PORT or flow.client_port == PORT
    if known_port and opcode in (CONTROL, ACKNOWLEDGEMENT, DATA_2, SERVER_RESET):
        # Picked up in the middle: the same session, or peer, twice.
        token = u32(buf, start) if opcode == DATA_2 else session
        before = noted(flow, OPENVPN, up)
        note(flow, OPENVPN, up, token)
        return np.int64(OPENVPN if before == token else 0)
    return np.int64(0)


@unit_kernel
def is_openvpn_stream(table, buf, start, end, size, up, i):
    """Check of a client's stream, where each packet comes behind its length: `OPENVPN`, or 0."""
    n = u16(buf, start)
    if start + 2 + n > end:
        return np.int64(0)
    return np.int64(OPENVPN if is_reset(buf, start + 2, n, True) == 2 else 0)
