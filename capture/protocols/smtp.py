"""SMTP (RFC 5321): how log-ins end (RFC 4954)."""

from capture.protocols.lines import begins, octets, reply_code
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel

AUTH = octets("auth ")
GO_ON, ADMITTED = 334, 235
#: Mechanism too weak or encryption required, credentials invalid (RFC 4954, 6), both as Sendmail has them.
REFUSALS = (534, 535, 538, 530)
#: Bit of `flow.step`: a log-in awaits its end.
ASKED = 1


@packet_kernel
def watch_smtp(buf, start, end, up, flow):
    """Count the log-in that a segment begins or ends."""
    if up:
        if begins(buf, start, end, AUTH):
            flow.step |= ASKED
        return
    if flow.step & ASKED == 0:
        return
    code = reply_code(buf, start, end)
    if code == GO_ON:
        return
    flow.step &= 0xFF ^ ASKED
    if code == ADMITTED:
        count_login(flow, False)
    elif code in REFUSALS:
        count_login(flow, True)
