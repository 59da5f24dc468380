"""VNC's RFB (RFC 6143): how VNC authentication ends (7.2.2, 7.1.3)."""

from capture.flows import NONE
from capture.octets import u32
from capture.protocols.watching import count_login
from capture.tcp import ahead
from pipeline.kernels import packet_kernel

CHALLENGE_SIZE = 16
OK, FAILED, TOO_MANY = 0, 1, 2
#: Most octets of a server up to the challenge: version, security types (7.1.1, 7.1.2), more; our default.
OPENING_MAX = 512
#: Values of `flow.step`.
CHALLENGED, ANSWERED = 1, 2


@packet_kernel
def watch_vnc(buf, start, end, up, flow):
    """Count the result that follows a challenge and its response; then there is no more to see.

    Updates of the screen and what a user types can look like them, so only a connection's opening is watched.
    """
    if flow.step != ANSWERED:
        if flow.base_down == NONE or ahead(flow.seq_down, flow.base_down) > OPENING_MAX:
            flow.watch = 0
            return
        if end - start == CHALLENGE_SIZE:
            flow.step = (ANSWERED if flow.step == CHALLENGED else 0) if up else CHALLENGED
        elif flow.step == CHALLENGED:
            flow.step = 0
        return
    if up or end - start < 4:
        return
    result = u32(buf, start)
    if result in (OK, FAILED, TOO_MANY):
        count_login(flow, result != OK)
    flow.watch = 0
