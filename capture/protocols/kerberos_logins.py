"""Kerberos 5 (RFC 4120): counting how log-ins end, over TCP and UDP."""

from capture.protocols.kerberos import FAILED, UNDECIDED, login_outcome
from capture.protocols.watching import count_login
from capture.transport import TCP
from pipeline.kernels import packet_kernel

#: The length that stands before a message over TCP (7.2.2).
LENGTH = 4


@packet_kernel
def watch_kerberos(buf, start, end, up, flow):
    """Count the log-in that a segment or datagram of the server ends."""
    if up:
        return
    outcome = login_outcome(buf, start + LENGTH if flow.protocol == TCP else start, end)
    if outcome != UNDECIDED:
        count_login(flow, outcome == FAILED)
