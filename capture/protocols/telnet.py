"""Telnet (RFC 854): refused log-ins, by what the common servers and devices say."""

from capture.protocols.lines import begins, octets
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel

INCORRECT, FAILED, INVALID = octets("login incorrect"), octets("login failed"), octets("login invalid")
UNAUTHENTICATED, DENIED = octets("authentication failed"), octets("access denied")
BAD_PASSWORD = octets("bad password")
#: What a longer segment holds is no refusal; our default.
SEGMENT_MAX = 256


@packet_kernel
def watch_telnet(buf, start, end, up, flow):
    """Count the refusal that a segment holds."""
    if up or end - start > SEGMENT_MAX:
        return
    for at in range(start, end - 11):
        letter = buf[at] | 32
        if letter != 97 and letter != 98 and letter != 108:
            continue
        if (
            begins(buf, at, end, INCORRECT)
            or begins(buf, at, end, FAILED)
            or begins(buf, at, end, INVALID)
            or begins(buf, at, end, UNAUTHENTICATED)
            or begins(buf, at, end, DENIED)
            or begins(buf, at, end, BAD_PASSWORD)
        ):
            count_login(flow, True)
            return
